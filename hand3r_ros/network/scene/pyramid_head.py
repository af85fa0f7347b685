"""Dense prediction head of the tiny preset: upsampled tokens combined with features of the stem (ours, not CUT3R's).

Tokens of 16 x 16 pixels of a small encoder know where the table is, but not where an arm ends: maps that are made of
them alone stay blurred for as long as anybody can train. The stem's maps at an eighth and a quarter of the resolution
have the outlines; they join the tokens on their way up, as in a U-Net (arXiv 1505.04597). Everything is normalised in
front of every activation, so that a layer that runs away does not silence the next one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from hand3r_ros.network.convolutional_stem import ChannelNorm
from hand3r_ros.network.scene.config import SceneConfig
from hand3r_ros.network.scene.dpt import PointConvolution


class PyramidHead(nn.Module):
    """Four levels of tokens and two maps of the stem to one full-resolution map."""

    def __init__(self, config: SceneConfig, channels: int) -> None:
        super().__init__()
        assert config.stem is not None  # SceneConfig requires one
        coarse, middle, fine = config.pyramid_widths
        self.patch_size = config.patch_size
        levels = config.encoder_width + 3 * config.decoder_width
        self.level_norm = nn.LayerNorm(levels)
        self.merge = nn.Linear(levels, coarse)
        at_coarse, at_middle, at_fine = config.pyramid_blocks
        self.coarse = _blocks(coarse, at_coarse)
        self.to_middle = _Joined(coarse, config.stem.eighth_width, middle)
        self.middle = _blocks(middle, at_middle)
        self.to_fine = _Joined(middle, config.stem.quarter_width, fine)
        self.fine = _blocks(fine, at_fine)
        self.half_norm = ChannelNorm(fine)
        self.to_half = PointConvolution(fine, 4 * (fine // 2))
        self.finish = nn.Conv2d(fine // 2, fine // 2, 3, padding=1)
        self.output = PointConvolution(fine // 2, channels)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def output_layer(self) -> nn.Conv2d:
        """The layer whose bias sets where the map starts."""
        return self.output

    def forward(self, levels: Sequence[Tensor], image_size: tuple[int, int], details: Sequence[Tensor] = ()) -> Tensor:
        """Tokens [B, L, C_level] and the stem's maps to a map [B, channels, H, W] for ``image_size`` (H, W).

        Args:
            levels: encoder tokens and three decoder layers.
            image_size: of the image in pixels, multiples of the patch size.
            details: [B, C, H / 4, W / 4] and [B, C, H / 8, W / 8].

        """
        rows, columns = (side // self.patch_size for side in image_size)
        quarter, eighth = details
        merged = self.merge(self.level_norm(torch.cat(list(levels), dim=-1)))
        x = self.coarse(merged.transpose(1, 2).unflatten(2, (rows, columns)))
        x = self.middle(self.to_middle(x, eighth))
        x = self.fine(self.to_fine(x, quarter))
        x = functional.pixel_shuffle(self.to_half(functional.gelu(self.half_norm(x))), 2)
        x = self.output(functional.gelu(self.finish(x)))
        return functional.interpolate(x, scale_factor=2, mode='bilinear', align_corners=False)


class _NormalisedBlock(nn.Module):
    """x plus two 3 x 3 convolutions, each of them after a normalisation and an activation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first_norm = ChannelNorm(width)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second_norm = ChannelNorm(width)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to the same shape."""
        hidden = self.first(functional.gelu(self.first_norm(x)))
        return x + self.second(functional.gelu(self.second_norm(hidden)))


def _blocks(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(_NormalisedBlock(width) for _ in range(count)))


class _Joined(nn.Module):
    """A coarse map at twice its resolution plus a map that has this resolution already."""

    def __init__(self, coarse: int, detail: int, width: int) -> None:
        super().__init__()
        self.reduce = PointConvolution(coarse, width)
        self.detail = PointConvolution(detail, width)

    def forward(self, coarse: Tensor, detail: Tensor) -> Tensor:
        """[B, C, H, W] and [B, D, 2 H, 2 W] to [B, width, 2 H, 2 W]."""
        doubled = functional.interpolate(self.reduce(coarse), scale_factor=2, mode='bilinear', align_corners=False)
        return doubled + self.detail(detail)
