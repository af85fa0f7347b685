"""Convolutions instead of, or in addition to, one linear map per patch, for small transformers trained from scratch.

A linear patch embedding has to learn edges and corners from scratch for every position within a patch. A few strided
convolutions know about neighbourhoods from the start, which is what a run of hours on a CPU needs (Xiao et al., "Early
convolutions help transformers see better", arXiv 2106.14881). Published checkpoints need the linear map.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from hand3r_ros.network.scene.config import StemConfig


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of every pixel."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to the same shape, channels last in memory."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ResidualBlock(nn.Module):
    """x plus two 3 x 3 convolutions, normalised before."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(width)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to the same shape."""
        return x + self.second(functional.gelu(self.first(self.norm(x))))


class ConvolutionalStem(nn.Module):
    """Images to one token per 16 x 16 pixels. All kernels are even, so that a token looks around its patch's centre."""

    def __init__(self, config: StemConfig, channels: int, width: int) -> None:
        super().__init__()
        self.quarter = nn.Conv2d(channels, config.quarter_width, 8, stride=4, padding=2)
        self.quarter_norm = ChannelNorm(config.quarter_width)
        self.eighth = nn.Conv2d(config.quarter_width, config.eighth_width, 4, stride=2, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(config.eighth_width) for _ in range(config.blocks)))
        self.eighth_norm = ChannelNorm(config.eighth_width)
        self.tokens = nn.Conv2d(config.eighth_width, width, 4, stride=2, padding=1)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, image: Tensor) -> Tensor:
        """[B, channels, H, W] to [B, width, H / 16, W / 16]."""
        return self.tokens(self.details(image)[1])

    def details(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """The maps on the way: [B, quarter_width, H / 4, W / 4] and [B, eighth_width, H / 8, W / 8]."""
        x = self.quarter(image.contiguous(memory_format=torch.channels_last))
        quarter = functional.gelu(self.quarter_norm(x))
        return quarter, functional.gelu(self.eighth_norm(self.blocks(self.eighth(quarter))))
