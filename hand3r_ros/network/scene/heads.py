"""Read-out of the decoded tokens: camera pose, pointmaps with confidence, colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hand3r_ros.network.scene import activations
from hand3r_ros.network.scene.blocks import FeedForward, ModulatedBlock, initialise_linear_layers
from hand3r_ros.network.scene.config import SceneConfig
from hand3r_ros.network.scene.dpt import DPTHead
from hand3r_ros.network.scene.intrinsics_conditioning import camera_points
from hand3r_ros.network.scene.linear_head import LinearHead
from hand3r_ros.network.scene.pyramid_head import PyramidHead
from hand3r_ros.network.scene.rope import rotation_2d

OPTIONAL_MAPS = frozenset({'world', 'rgb'})
"""Names of the maps that are computed only when asked for."""

HEADS: dict[str, type[DPTHead | LinearHead | PyramidHead]] = {
    'dpt': DPTHead,
    'linear': LinearHead,
    'pyramid': PyramidHead,
}


class DenseMaps(NamedTuple):
    """Full-resolution outputs of one frame; the optional ones are None unless asked for."""

    points_self: Tensor  # [B, H, W, 3]
    confidence_self: Tensor  # [B, H, W]
    points_world: Tensor | None
    confidence_world: Tensor | None
    rgb: Tensor | None


class PoseHead(nn.Module):
    """Camera pose from the decoded pose token."""

    def __init__(self, config: SceneConfig) -> None:
        super().__init__()
        self.mlp = FeedForward(config.decoder_width, config.mlp_ratio * config.decoder_width, 7)
        initialise_linear_layers(self)
        self._start_at_identity()

    def forward(self, pose_token: Tensor) -> Tensor:
        """Token [B, D] to tx ty tz qw qx qy qz [B, 7], camera to world."""
        raw = self.mlp(pose_token)
        with torch.autocast(raw.device.type, enabled=False):
            return activations.pose(raw.float())

    def _start_at_identity(self) -> None:
        last = self.mlp[2]
        assert isinstance(last, nn.Linear)
        nn.init.trunc_normal_(last.weight, std=0.001)
        with torch.no_grad():
            last.bias.copy_(torch.tensor([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]))


class DenseHeads(nn.Module):
    """Pointmap in the camera frame; on request the pointmap in the world frame and the colours."""

    def __init__(self, config: SceneConfig) -> None:
        super().__init__()
        self.config = config
        head = HEADS[config.head]
        self.self_points = head(config, channels=2 if config.takes_camera else 4)
        self.world_points = head(config, channels=4) if config.world_head else None
        self.world_blocks = nn.ModuleList(
            ModulatedBlock(config.decoder_width, config.decoder_heads, config.mlp_ratio)
            for _ in range(config.world_depth if config.world_head else 0)
        )
        self.rgb = head(config, channels=3) if config.rgb_head else None
        initialise_linear_layers(self.world_blocks)
        self._start_at_initial_depth()

    def forward(
        self,
        levels: Sequence[Tensor],  # encoder tokens [B, L, E], three decoder layers [B, L, D]
        pose_token: Tensor,  # [B, D] decoded
        positions: Tensor,  # [B, L, 2]
        image_size: tuple[int, int],
        dense: frozenset[str],
        intrinsics: Tensor | None = None,  # [B, 4] where the configuration takes a camera
        details: Sequence[Tensor] = (),  # maps of the stem, which a pyramid joins
    ) -> DenseMaps:
        """Maps of the size of the image; ``dense`` names those of ``OPTIONAL_MAPS`` that are wanted."""
        self._check_wanted(dense)
        raw_self = self.self_points(levels, image_size, details)
        raw_world = self._world(levels, pose_token, positions, image_size, details) if 'world' in dense else None
        raw_rgb = self.rgb(levels, image_size, details) if self.rgb is not None and 'rgb' in dense else None
        with torch.autocast(raw_self.device.type, enabled=False):
            points, confidence = self._points_self(raw_self, intrinsics)
            points_world, confidence_world = _exponential_points(raw_world) if raw_world is not None else (None, None)
            rgb = activations.colour(_channels_last(raw_rgb)) if raw_rgb is not None else None
        return DenseMaps(points, confidence, points_world, confidence_world, rgb)

    def _check_wanted(self, dense: frozenset[str]) -> None:
        available = {name for name, head in (('world', self.world_points), ('rgb', self.rgb)) if head is not None}
        if unknown := set(dense) - available:
            raise ValueError(f'dense maps {sorted(unknown)} are not in this network, which offers {sorted(available)}')

    def _world(
        self,
        levels: Sequence[Tensor],
        pose_token: Tensor,
        positions: Tensor,
        image_size: tuple[int, int],
        details: Sequence[Tensor],
    ) -> Tensor:
        """Raw world pointmap: the last level is first moved to the world frame by the pose token."""
        assert self.world_points is not None
        tokens = levels[-1]
        head_width = self.config.decoder_width // self.config.decoder_heads
        rotation = rotation_2d(positions, head_width, self.config.rope_base)
        for block in self.world_blocks:
            tokens = block(tokens, pose_token, rotation)
        return self.world_points([*levels[:-1], tokens], image_size, details)

    def _points_self(self, raw: Tensor, intrinsics: Tensor | None) -> tuple[Tensor, Tensor]:
        raw = _channels_last(raw)
        if intrinsics is not None:
            config = self.config
            points = camera_points(raw[..., 0], intrinsics, config.initial_depth, config.initial_field_of_view)
            return points, activations.confidence(raw[..., 1])
        if self.config.self_points == 'rays':
            points = activations.ray_points(raw[..., :3], self.config.initial_depth, self.config.initial_field_of_view)
            return points, activations.confidence(raw[..., 3])
        vectors = raw[..., :3]
        if self.config.head == 'linear':
            vectors = activations.forward_looking(vectors)
        return activations.exponential_vectors(vectors), activations.confidence(raw[..., 3])

    def _start_at_initial_depth(self) -> None:
        """Small last layers whose biases give a plane at the initial depth (and grey for the colours)."""
        forward = torch.tensor([0.0, 0.0, math.log1p(self.config.initial_depth), 0.0])
        starts = (
            (self.self_points, forward if self.config.self_points == 'exp' else torch.zeros(4)),
            (self.world_points, forward),
            (self.rgb, torch.zeros(3)),
        )
        for head, bias in starts:
            if head is None:
                continue
            layer = head.output_layer
            assert layer.bias is not None
            nn.init.trunc_normal_(layer.weight, std=0.02)
            with torch.no_grad():
                layer.bias.copy_(bias.repeat_interleave(-(-len(layer.bias) // len(bias)))[: len(layer.bias)])


def _channels_last(raw: Tensor) -> Tensor:
    return raw.float().permute(0, 2, 3, 1)


def _exponential_points(raw: Tensor) -> tuple[Tensor, Tensor]:
    raw = _channels_last(raw)
    return activations.exponential_vectors(raw[..., :3]), activations.confidence(raw[..., 3])
