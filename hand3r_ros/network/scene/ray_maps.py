"""Known cameras as input: a second, shallow encoder whose tokens are added to those of the image."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hand3r_ros.network.scene.config import SceneConfig
from hand3r_ros.network.scene.encoder import SceneEncoder, SceneTokens
from hand3r_ros.network.types import Frame

RAY_MAP_CHANNELS = 6


class RayMapEncoder(nn.Module):
    """Ray maps to tokens, and the learned tokens that stand for a missing image or ray map."""

    def __init__(self, config: SceneConfig) -> None:
        super().__init__()
        self.encoder = SceneEncoder(
            RAY_MAP_CHANNELS,
            config.patch_size,
            config.encoder_width,
            config.ray_map_depth,
            config.ray_map_heads,
            config.mlp_ratio,
            config.rope_base,
        )
        self.missing_image = nn.Parameter(0.02 * torch.randn(1, config.encoder_width))
        self.missing_ray_map = nn.Parameter(0.02 * torch.randn(1, config.encoder_width))

    def forward(self, frame: Frame, image: SceneTokens | None) -> SceneTokens:
        """Tokens of what the frame has: image, ray map, or their sum.

        ``image`` are the image's tokens, None if no image of the batch counts. With ``frame.mark_missing`` the learned
        tokens are added where one of the two is missing.

        Raises:
            ValueError: the frame has neither an image nor a ray map.

        """
        rays = None if frame.ray_map is None else self.encoder(frame.ray_map.permute(0, 3, 1, 2))
        reference = image if image is not None else rays
        if reference is None:
            raise ValueError('Frame has neither an image (has_image is False everywhere) nor a ray_map')
        batch = len(reference.tokens)
        has_image = frame.has_image if frame.has_image is not None else torch.ones(batch)
        has_rays = frame.has_ray_map if frame.has_ray_map is not None else torch.ones(batch)
        absent = torch.zeros(batch)
        missing = (self.missing_image, self.missing_ray_map) if frame.mark_missing else (0.0, 0.0)
        tokens = _selected(image, absent if image is None else has_image, missing[0], reference.tokens)
        tokens = tokens + _selected(rays, absent if rays is None else has_rays, missing[1], reference.tokens)
        return reference._replace(tokens=tokens)


def _selected(part: SceneTokens | None, present: Tensor, missing: Tensor | float, like: Tensor) -> Tensor:
    """``part`` where it is present [B], elsewhere ``missing``; [B, L, E] like ``like``."""
    stand_in = torch.zeros_like(like) + missing
    if part is None:
        return stand_in
    return torch.where(present.to(like.device, torch.bool)[:, None, None], part.tokens, stand_in)


def ray_map(T_world_camera: Tensor, intrinsics: Tensor, image_size: tuple[int, int]) -> Tensor:
    """CUT3R's ray map of known cameras.

    Args:
        T_world_camera: [B, 4, 4], world = first camera's optical frame.
        intrinsics: [B, 3, 3] pixels, pixel centres at integers.
        image_size: height and width in pixels.

    Returns:
        [B, H, W, 6] camera centre and the unit vector from the world's origin towards the point at depth 1 on each
        pixel's ray. That this vector contains the camera's translation is how CUT3R was trained.

    """
    height, width = image_size
    v, u = torch.meshgrid(
        torch.arange(height, device=intrinsics.device), torch.arange(width, device=intrinsics.device), indexing='ij'
    )
    pixels = torch.stack((u, v, torch.ones_like(u)), dim=-1).to(intrinsics.dtype)  # [H, W, 3]
    rotation, centre = T_world_camera[:, :3, :3], T_world_camera[:, None, None, :3, 3]
    points = torch.einsum('bij,hwj->bhwi', rotation @ intrinsics.inverse(), pixels) + centre
    directions = torch.nn.functional.normalize(points, dim=-1)
    return torch.cat((centre.expand_as(directions), directions), dim=-1)
