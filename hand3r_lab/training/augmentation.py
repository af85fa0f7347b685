"""Random changes of training images: colour for both streams; shift, scale and turn for hand crops.

Everything is drawn from the given torch generator, so a resumed run repeats itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from hand3r_lab.training.rendered_data import CROP_MARGIN

LARGEST_HUE_TURN = math.radians(25.0)


def uniform(shape: tuple[int, ...], low: float, high: float, generator: torch.Generator) -> Tensor:
    """Uniform numbers of the given shape."""
    return torch.rand(shape, generator=generator) * (high - low) + low


def normal(shape: tuple[int, ...], device: torch.device, generator: torch.Generator) -> Tensor:
    """Normal numbers of the given shape; on other devices than the CPU they are drawn there, from a seed drawn here."""
    if device.type == 'cpu':
        return torch.randn(shape, generator=generator)
    seed = int(torch.randint(2**62, (), generator=generator))
    return torch.randn(shape, generator=torch.Generator(device).manual_seed(seed), device=device)


def jitter_colors(images: Tensor, generator: torch.Generator) -> Tensor:
    """Hue, saturation, exposure, white balance, contrast and noise, one draw per first dimension.

    Images are [B, ..., 3, H, W] in 0..1. Rendered data has only so many textures; a detector learned them by heart.
    """
    batch = images.shape[0]
    ones = (1,) * (images.dim() - 4)
    mixing = color_mixing(
        uniform((batch,), -LARGEST_HUE_TURN, LARGEST_HUE_TURN, generator), uniform((batch,), 0.5, 1.4, generator)
    )
    images = torch.einsum('bij,b...jhw->b...ihw', mixing.to(images.device), images)
    gain = uniform((batch, *ones, 3, 1, 1), 0.85, 1.15, generator) * uniform(
        (batch, *ones, 1, 1, 1), 0.7, 1.3, generator
    )
    contrast = uniform((batch, *ones, 1, 1, 1), 0.75, 1.3, generator)
    noise = normal(images.shape, images.device, generator)
    loudness = uniform((batch, *ones, 1, 1, 1), 0.0, 0.03, generator)
    gain, contrast, loudness = (numbers.to(images.device) for numbers in (gain, contrast, loudness))
    mean = images.mean(dim=(-1, -2), keepdim=True)
    return (((images - mean) * contrast + mean) * gain + noise * loudness).clamp(0.0, 1.0)


def color_mixing(hue_turn: Tensor, saturation: Tensor) -> Tensor:
    """Matrices [B, 3, 3] for RGB columns: a turn about grey by ``hue_turn`` [B] rad, then ``saturation`` [B] (1: kept).

    Grey stays grey, and a pixel's mean over the channels stays what it was.
    """
    grey = torch.full((3, 3), 1.0 / 3.0)
    axis = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / math.sqrt(3.0)
    cos, sin = hue_turn.cos()[:, None, None], hue_turn.sin()[:, None, None]
    turn = cos * torch.eye(3) + sin * axis + (1.0 - cos) * grey
    kept = saturation[:, None, None]
    return kept * turn + (1.0 - kept) * grey  # grey @ turn is grey


@dataclass(frozen=True)
class CropMotion:
    """In-plane change of a crop: the pixel at ``p`` (crop units, centre 0) comes from ``scale * R p + shift``."""

    scale: Tensor  # [N]
    angle: Tensor  # [N] rad
    shift: Tensor  # [N, 2] crop units

    @classmethod
    def draw(cls, count: int, generator: torch.Generator, strength: float = 1.0) -> CropMotion:
        """Random changes; at strength 1 HaMeR's ranges with smaller turns.

        A run that sees every hand only a few times learns faster with little: the data is still new to it.
        """
        turned = torch.rand((count,), generator=generator) < 0.6
        angle = (torch.randn((count,), generator=generator).clamp(-2.0, 2.0) * math.radians(15.0)) * turned
        scale = torch.exp(strength * uniform((count,), -0.22, 0.26, generator))
        shift = uniform((count, 2), -0.07, 0.07, generator)
        return cls(scale, strength * angle, strength * shift)

    def rotation(self) -> Tensor:
        """[N, 2, 2] R(angle)."""
        cos, sin = self.angle.cos(), self.angle.sin()
        return torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)

    def sample(self, stored: Tensor, size: int) -> Tensor:
        """Crops [N, 3, size, size] out of the wider stored crops [N, 3, S, S]."""
        matrix = self.scale[:, None, None] * self.rotation() / CROP_MARGIN  # grid units: +-1 is the stored crop
        shift = 2.0 * self.shift / CROP_MARGIN
        theta = torch.cat([matrix, shift[..., None]], dim=-1).to(stored.device)
        grid = functional.affine_grid(theta, [len(stored), 3, size, size], align_corners=False)
        return functional.grid_sample(stored, grid, align_corners=False)

    def move_keypoints(self, keypoints: Tensor) -> Tensor:
        """Keypoints [N, K, 2] in crop units after the change."""
        back = torch.linalg.inv(self.scale[:, None, None] * self.rotation())
        return (keypoints - self.shift[:, None]) @ back.transpose(-1, -2)

    def turn_slopes(self, slopes: Tensor) -> Tensor:
        """Lines of sight [N, 2] = x / z, y / z after the change, which looks like a camera that turns about its axis.

        That the shift moves the line of sight by a degree is left out.
        """
        return (self.rotation().transpose(-1, -2) @ slopes[..., None])[..., 0]

    def turn_rotations(self, rotations: Tensor) -> Tensor:
        """Rotations [N, 16, 3, 3]: the global orientation turns with the picture, about the viewing direction."""
        turn = torch.eye(3).repeat(len(rotations), 1, 1)
        turn[:, :2, :2] = self.rotation().transpose(-1, -2)
        turned = rotations.clone()
        turned[:, 0] = turn @ rotations[:, 0]
        return turned
