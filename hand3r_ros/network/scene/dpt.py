"""Dense prediction head (DPT): four levels of tokens to one full-resolution map."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from hand3r_ros.network.scene.config import SceneConfig


class PointConvolution(nn.Conv2d):
    """1x1 convolution, evaluated as the matrix product it is: on one thread torch's convolution copies its input."""

    def __init__(self, channels: int, output: int) -> None:
        super().__init__(channels, output, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to [B, output, H, W], without a copy where both are channels-last."""
        pixels = functional.linear(x.permute(0, 2, 3, 1), self.weight[:, :, 0, 0], self.bias)
        return pixels.permute(0, 3, 1, 2)


class ResidualConvolutions(nn.Module):
    """x plus two 3x3 convolutions of relu(x)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to the same shape."""
        return x + self.second(functional.relu(self.first(functional.relu(x)), inplace=True))


class Fusion(nn.Module):
    """Adds a finer level to the coarser result, refines, doubles the resolution."""

    def __init__(self, width: int, takes_level: bool) -> None:
        super().__init__()
        # The deepest fusion has nothing to add to; checkpoints hold weights for it that no path uses.
        self.level_refinement = ResidualConvolutions(width) if takes_level else None
        self.refinement = ResidualConvolutions(width)
        self.output = PointConvolution(width, width)

    def forward(self, x: Tensor, level: Tensor | None = None) -> Tensor:
        """[B, C, H, W] (and a level of the same shape) to [B, C, 2H, 2W]."""
        if self.level_refinement is not None and level is not None:
            x = x + self.level_refinement(level)
        # A 1x1 convolution and an interpolation commute; before it there are four times fewer pixels.
        return _doubled(self.output(self.refinement(x)))


class DPTHead(nn.Module):
    """Convolutional pyramid over [encoder tokens, two middle decoder layers, last decoder layer]."""

    def __init__(self, config: SceneConfig, channels: int) -> None:
        super().__init__()
        self.patch_size = config.patch_size
        fusion = config.dpt_fusion_width
        first, second, third, fourth = config.dpt_widths
        decoder = config.decoder_width
        self.resample = nn.ModuleList(
            [
                nn.Sequential(
                    PointConvolution(config.encoder_width, first), nn.ConvTranspose2d(first, first, 4, stride=4)
                ),
                nn.Sequential(PointConvolution(decoder, second), nn.ConvTranspose2d(second, second, 2, stride=2)),
                nn.Sequential(PointConvolution(decoder, third)),
                nn.Sequential(PointConvolution(decoder, fourth), nn.Conv2d(fourth, fourth, 3, stride=2, padding=1)),
            ]
        )
        self.project = nn.ModuleList(nn.Conv2d(w, fusion, 3, padding=1, bias=False) for w in config.dpt_widths)
        self.fusions = nn.ModuleList(Fusion(fusion, takes_level=level < 3) for level in range(4))
        self.reduce = nn.Conv2d(fusion, config.dpt_output_width, 3, padding=1)
        self.refine = nn.Conv2d(config.dpt_output_width, config.dpt_output_width, 3, padding=1)
        self.output = PointConvolution(config.dpt_output_width, channels)
        _start_with_unit_gain(self)
        # Tokens are channels-last already; keeping that layout is up to twice as fast at small widths.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def output_layer(self) -> nn.Conv2d:
        """The layer whose bias sets where the map starts."""
        return self.output

    def forward(self, levels: Sequence[Tensor], image_size: tuple[int, int], details: Sequence[Tensor] = ()) -> Tensor:
        """Four token tensors [B, L, C_level] to a map [B, channels, H, W] for ``image_size`` (H, W)."""
        rows, columns = (side // self.patch_size for side in image_size)
        pyramid = [
            project(resample(tokens.transpose(1, 2).unflatten(2, (rows, columns))))
            for tokens, resample, project in zip(levels, self.resample, self.project, strict=True)
        ]
        x = self.fusions[3](pyramid[3])
        x = x[..., :rows, :columns]  # an odd grid rounds up at the deepest level
        for level in (2, 1, 0):
            x = self.fusions[level](x, pyramid[level])
        x = _doubled(self.reduce(x))
        return self.output(functional.relu(self.refine(x), inplace=True))


def _start_with_unit_gain(head: nn.Module) -> None:
    """Weights that keep the spread of what goes through: there is no normalisation in the head that would restore it.

    With torch's own start a dozen layers leave a hundredth of the signal, and of the gradient on the way back.
    """
    for part in head.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, nonlinearity='linear')
        elif isinstance(part, nn.ConvTranspose2d):  # its windows do not overlap: a value comes from one pixel
            nn.init.normal_(part.weight, std=part.in_channels**-0.5)
        if isinstance(part, (nn.Conv2d, nn.ConvTranspose2d)) and part.bias is not None:
            nn.init.zeros_(part.bias)
    for part in head.modules():
        if isinstance(part, ResidualConvolutions):  # of what comes in, half is cut away
            part.first.weight.data.mul_(2.0**0.5)
            part.second.weight.data.mul_(0.5)


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode='bilinear', align_corners=True)
