"""Conditioning of the scene stream on the intrinsics, and their estimate where none are given (ours, not CUT3R's).

An image shows angles: a hand at half a metre through a normal lens looks like one at a metre through a long lens, so a
network without the focal length has to estimate it before it can predict metres. Here depths are predicted as a
reference camera would see them and multiplied by true over reference focal length (the canonical camera of Metric3D,
arXiv 2307.10984).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from hand3r_ros.device_constants import constant
from hand3r_ros.network.scene.config import SceneConfig

CAMERA_FEATURES = 5


def reference_focal(image_size: tuple[int, int], field_of_view: float) -> float:
    """Focal length in pixels of a camera with this field of view (degrees) across the longer side of (H, W)."""
    return max(image_size) / 2.0 / math.tan(math.radians(field_of_view) / 2.0)


def camera_points(log_depth: Tensor, intrinsics: Tensor, initial_depth: float, initial_field_of_view: float) -> Tensor:
    """Points [B, H, W, 3] in metres on the rays of known cameras.

    Args:
        log_depth: [B, H, W] logarithm of the depth that a camera of ``initial_field_of_view`` degrees would see,
            relative to ``initial_depth`` metres.
        intrinsics: [B, 4] fx, fy, cx, cy in pixels.
        initial_depth: metres.
        initial_field_of_view: degrees across the longer side.

    """
    height, width = log_depth.shape[1:]
    fx, fy, cx, cy = intrinsics.float()[:, :, None, None].unbind(1)  # each [B, 1, 1]
    lengthening = (fx * fy).sqrt() / reference_focal((height, width), initial_field_of_view)
    # A slice of a larger map is not contiguous, which makes exp() ten times slower on a CPU.
    depth = log_depth.contiguous().exp() * (initial_depth * lengthening)
    x = (torch.arange(width, device=log_depth.device) - cx) / fx
    y = (torch.arange(height, device=log_depth.device)[:, None] - cy) / fy
    return torch.stack((x * depth, y * depth, depth), dim=-1)


class IntrinsicsConditioning(nn.Module):
    """Encodes given intrinsics for the decoder; estimates them from the mean image token."""

    def __init__(self, config: SceneConfig) -> None:
        super().__init__()
        self.field_of_view = config.initial_field_of_view
        self.encoding = nn.Linear(CAMERA_FEATURES, config.decoder_width)
        self.focal = nn.Linear(config.encoder_width, 2)
        for layer in (self.encoding, self.focal):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def guess(self, summary: Tensor, image_size: tuple[int, int]) -> Tensor:
        """Intrinsics [B, 4] from the mean image token [B, 1, E]; the principal point is the image centre."""
        with torch.autocast(summary.device.type, enabled=False):
            focal = self.focal(summary[:, 0].to(self.focal.weight.dtype)).exp()
        focal = focal * reference_focal(image_size, self.field_of_view)
        height, width = image_size
        centre = constant([(width - 1) / 2.0, (height - 1) / 2.0], focal).expand_as(focal)
        return torch.cat([focal, centre], dim=-1)

    def encode(self, intrinsics: Tensor | None, image_size: tuple[int, int], batch: int) -> Tensor:
        """[B, 1, D] to be added to the decoder's tokens; None: the intrinsics are unknown."""
        weight = self.encoding.weight
        if intrinsics is None:
            features = weight.new_zeros(batch, CAMERA_FEATURES)
        else:
            height, width = image_size
            focal = (intrinsics[:, :2] / reference_focal(image_size, self.field_of_view)).log()
            middle = constant([(width - 1) / 2.0, (height - 1) / 2.0], intrinsics)
            shift = (intrinsics[:, 2:] - middle) / max(image_size)
            features = torch.cat([torch.ones_like(focal[:, :1]), focal, shift], dim=-1).to(weight.dtype)
        return self.encoding(features)[:, None]
