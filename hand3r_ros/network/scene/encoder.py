"""Image (or ray map) to tokens: patch embedding and a plain vision transformer with RoPE (paper eq. 1)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from hand3r_ros.network.convolutional_stem import ConvolutionalStem
from hand3r_ros.network.scene.blocks import EncoderBlock, initialise_linear_layers, layer_norm
from hand3r_ros.network.scene.config import StemConfig
from hand3r_ros.network.scene.rope import rotation_2d


class SceneTokens(NamedTuple):
    """Encoder tokens of a batch of images and where they lie."""

    tokens: Tensor  # [B, L, E] F_s, row-major over the patch grid
    positions: Tensor  # [B, L, 2] integer (row, column) of the patch
    image_size: tuple[int, int]  # height and width in pixels
    details: tuple[
        Tensor, ...
    ] = ()  # maps [B, C, H / 4, W / 4] and [B, C, H / 8, W / 8] of the stem, where there is one


class SceneEncoder(nn.Module):
    """Vision transformer over non-overlapping patches; there is no position embedding besides RoPE."""

    def __init__(
        self,
        channels: int,
        patch_size: int,
        width: int,
        depth: int,
        heads: int,
        mlp_ratio: int,
        rope_base: float,
        rope_half: bool = False,
        stem: StemConfig | None = None,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.patch_size = patch_size
        self.head_width = width // heads
        self.rope_base = rope_base
        self.patch_embedding = linear_patches(channels, patch_size, width)
        self.stem = None if stem is None else silent_stem(stem, channels, width)
        self.blocks = nn.ModuleList(EncoderBlock(width, heads, mlp_ratio, rope_half) for _ in range(depth))
        self.norm = layer_norm(width)
        initialise_linear_layers(self)

    def forward(self, image: Tensor) -> SceneTokens:
        """Image [B, channels, H, W], sides multiples of the patch size, to its normalised tokens."""
        height, width = self._checked_size(image)
        tokens = self.patch_embedding(image)
        details: tuple[Tensor, ...] = ()
        if self.stem is not None:
            details = self.stem.details(image)
            tokens = tokens + self.stem.tokens(details[1])
        tokens = tokens.flatten(2).transpose(1, 2)  # [B, L, E]
        positions = grid_positions(height // self.patch_size, width // self.patch_size, image.device)
        positions = positions.expand(len(image), -1, -1)
        rotation = rotation_2d(positions[:1], self.head_width, self.rope_base)
        for block in self.blocks:
            tokens = block(tokens, rotation)
        return SceneTokens(self.norm(tokens), positions, (height, width), details)

    def _checked_size(self, image: Tensor) -> tuple[int, int]:
        sides = image.shape[2:]
        if image.ndim != 4 or image.shape[1] != self.channels or any(s < 1 or s % self.patch_size for s in sides):
            raise ValueError(
                f'expected an input [B, {self.channels}, H, W] with H and W multiples of {self.patch_size}, '
                f'got {list(image.shape)}'
            )
        return sides[0], sides[1]


def linear_patches(channels: int, patch_size: int, width: int) -> nn.Conv2d:
    """One linear map for all patches."""
    embedding = nn.Conv2d(channels, width, patch_size, stride=patch_size)
    nn.init.xavier_uniform_(embedding.weight.view(width, -1))
    assert embedding.bias is not None
    nn.init.zeros_(embedding.bias)
    return embedding


def silent_stem(config: StemConfig, channels: int, width: int) -> ConvolutionalStem:
    """Convolutions that add nothing before they are trained, so that they can join a trained encoder."""
    stem = ConvolutionalStem(config, channels, width)
    nn.init.zeros_(stem.tokens.weight)
    assert stem.tokens.bias is not None
    nn.init.zeros_(stem.tokens.bias)
    return stem


def grid_positions(rows: int, columns: int, device: torch.device | None = None) -> Tensor:
    """[1, rows x columns, 2] integer (row, column) in row-major order."""
    grid = torch.meshgrid(torch.arange(rows, device=device), torch.arange(columns, device=device), indexing='ij')
    return torch.stack(grid, dim=-1).reshape(1, -1, 2)
