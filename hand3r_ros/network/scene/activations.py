"""From raw head outputs to points, confidences, poses and colours; always evaluated in float32."""

from __future__ import annotations

import math

import torch
from torch import Tensor

SMALL = 1e-8


def exponential_vectors(raw: Tensor) -> Tensor:
    """[..., 3] same directions, lengths d -> exp(d) - 1 (CUT3R's mode 'exp')."""
    length = torch.linalg.vector_norm(raw, dim=-1, keepdim=True)
    # The limit of expm1(d) / d at zero is 1; taking it there keeps the gradient of an all-zero output alive.
    stretch = torch.where(length > SMALL, torch.expm1(length) / length.clamp_min(SMALL), 1.0)
    return raw * stretch


def forward_looking(raw: Tensor) -> Tensor:
    """[..., 3] flipped where z is negative, so that z >= 0 (camera-frame points of the linear head)."""
    return raw * torch.sign(raw[..., 2:])


def ray_points(raw: Tensor, initial_depth: float, initial_field_of_view: float) -> Tensor:
    """Points [B, H, W, 3] from raw [B, H, W, 3]: logarithms of 1/fx, 1/fy and z relative to an initial camera.

    The initial camera has its principal point in the image centre and ``initial_field_of_view`` degrees across the
    longer side; a raw output of zero is a plane at ``initial_depth`` metres seen by that camera.
    """
    height, width = raw.shape[1:3]
    step = 2.0 * math.tan(math.radians(initial_field_of_view) / 2.0) / max(height, width)
    columns = (torch.arange(width, device=raw.device) - (width - 1) / 2.0) * step
    rows = (torch.arange(height, device=raw.device) - (height - 1) / 2.0) * step
    # A slice of a larger map is not contiguous, which makes exp() ten times slower on a CPU.
    scale_x, scale_y, depth = raw.contiguous().exp().unbind(-1)
    depth = depth * initial_depth
    return torch.stack((columns * scale_x * depth, rows[:, None] * scale_y * depth, depth), dim=-1)


def confidence(raw: Tensor) -> Tensor:
    """1 + exp(raw): at least 1, no maximum."""
    return 1.0 + raw.contiguous().exp()


def pose(raw: Tensor) -> Tensor:
    """Raw [B, 7] to tx ty tz (exponential) and a unit quaternion qw qx qy qz with qw >= 0."""
    translation, quaternion = raw[..., :3], raw[..., 3:]
    quaternion = torch.nn.functional.normalize(quaternion, dim=-1)
    quaternion = torch.where(quaternion[..., :1] < 0.0, -quaternion, quaternion)
    return torch.cat((exponential_vectors(translation), quaternion), dim=-1)


def colour(raw: Tensor) -> Tensor:
    """Sigmoid stretched to (-1, 1), never exactly -1 or 1."""
    margin = 1e-6
    return ((torch.sigmoid(raw) * (1.0 - 2.0 * margin) + margin) - 0.5) * 2.0
