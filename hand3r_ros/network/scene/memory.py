"""Pose memory: slots of [key | value] pairs that recall a pose token from what an image looks like."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hand3r_ros.network.scene.blocks import DecoderBlock, initialise_linear_layers
from hand3r_ros.network.scene.config import SceneConfig


class PoseMemory(nn.Module):
    """Reads and writes the memory [B, M, 2D]; the image is summarised by its mean encoder token."""

    def __init__(self, config: SceneConfig) -> None:
        super().__init__()
        width = config.decoder_width
        self.width = width
        self.key_projection = nn.Linear(config.encoder_width, width)
        self.unknown_pose = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.initial_slots = nn.Parameter(0.2 * torch.randn(1, config.memory_slots, 2 * width))

        def blocks() -> nn.ModuleList:
            return nn.ModuleList(
                DecoderBlock(2 * width, config.memory_heads, config.memory_mlp_ratio)
                for _ in range(config.memory_depth)
            )

        self.write_blocks = blocks()
        self.read_blocks = blocks()
        initialise_linear_layers(self)

    def read(self, image_summary: Tensor, memory: Tensor) -> Tensor:
        """Pose token [B, 1, D] for an image with mean token ``image_summary`` [B, 1, E]."""
        unknown = self.unknown_pose.expand(len(memory), -1, -1)
        query = torch.cat((self.key_projection(image_summary), unknown), dim=-1)  # [B, 1, 2D]
        for block in self.read_blocks:
            query, _ = block(query, memory)
        return query[..., -self.width :]

    def write(self, memory: Tensor, image_summary: Tensor, pose_token: Tensor) -> Tensor:
        """New memory [B, M, 2D] that has seen this image together with its decoded pose token [B, 1, D]."""
        entry = torch.cat((self.key_projection(image_summary), pose_token), dim=-1)  # [B, 1, 2D]
        for block in self.write_blocks:
            memory, _ = block(memory, entry)
        return memory
