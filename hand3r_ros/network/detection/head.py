"""The detection head: a heat map of hand centres per side, and a box at every cell (as CenterNet, arXiv 1904.07850).

The scene tokens F_s (paper eq. 1) bring the context, a few convolutions on the image the detail that patches lose.
A cell that holds the centre of a hand's box is a peak of the map of its side; the box is given by the distances from
the centre of that cell to its four edges, so no offset to the exact centre is needed. Both sides have boxes of their
own, because the centres of clasped hands share a cell.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from hand3r_ros.network.detection.config import NORM_GROUPS, DetectionHeadConfig
from hand3r_ros.network.scene.encoder import SceneTokens

SIDES = 2  # map 0: left hands, map 1: right hands, the values of HandSide
EDGES = 4  # left, top, right, bottom
LARGEST_EXPONENT = 8.0  # of a distance in half initial boxes; keeps a wild head finite


class HandMaps(NamedTuple):
    """What the head says about every cell of a batch of images."""

    logits: Tensor  # [B, 2, h, w] score of a hand centre before the sigmoid
    boxes: Tensor  # [B, 2, h, w, 4] x1, y1, x2, y2 in pixels of the image, if there is a hand
    stride: int  # side of a cell in pixels


class DetectionHead(nn.Module):
    """Scene tokens and image to heat maps and boxes."""

    def __init__(self, config: DetectionHeadConfig, token_width: int, patch_size: int) -> None:
        super().__init__()
        if patch_size % config.stride:
            raise ValueError(f'cells of {config.stride} pixels do not divide the patches of {patch_size} pixels')
        self.config = config
        self.upsampling = patch_size // config.stride
        widths = (3, *config.stem_widths)
        self.stem = nn.Sequential(*(_Halving(before, after) for before, after in pairwise(widths)))
        self.detail_embedding = nn.Conv2d(widths[-1], config.width, 1)
        self.token_embedding = nn.Linear(token_width, config.width)
        self.blocks = nn.Sequential(*(_ResidualBlock(config.width) for _ in range(config.blocks)))
        self.neck = nn.Sequential(
            nn.GroupNorm(NORM_GROUPS, config.width), nn.Conv2d(config.width, config.width, 3, padding=1), nn.GELU()
        )
        self.heat = nn.Conv2d(config.width, SIDES, 1)
        self.edges = nn.Conv2d(config.width, SIDES * EDGES, 1)
        _start_at(self.heat, math.log(config.initial_score / (1.0 - config.initial_score)))
        _start_at(self.edges, 0.0)

    def forward(self, image: Tensor, scene: SceneTokens) -> HandMaps:
        """Image [B, 3, H, W] in [-1, 1] and its tokens to maps of (H / stride) x (W / stride) cells."""
        detail = self.detail_embedding(self.stem(image))  # [B, C, h, w]
        features = self.blocks(detail + self._context(scene, detail))
        features = self.neck(features)
        # Scores and boxes are compared with thresholds and pixels: never in reduced precision.
        logits = self.heat(features).float()
        edges = self.edges(features).float().clamp(-LARGEST_EXPONENT, LARGEST_EXPONENT).exp()
        edges = edges.unflatten(1, (SIDES, EDGES)).permute(0, 1, 3, 4, 2)  # [B, 2, h, w, 4]
        return HandMaps(logits, self._boxes(edges * (self.config.initial_box / 2.0)), self.config.stride)

    def _context(self, scene: SceneTokens, detail: Tensor) -> Tensor:
        """[B, C, h, w] tokens, interpolated between the centres of their patches."""
        patch = self.upsampling * self.config.stride
        grid = (scene.image_size[0] // patch, scene.image_size[1] // patch)
        tokens = self.token_embedding(scene.tokens).transpose(1, 2).unflatten(2, grid)  # [B, C, rows, columns]
        return functional.interpolate(tokens.to(detail.dtype), size=detail.shape[2:], mode='bilinear')

    def _boxes(self, distances: Tensor) -> Tensor:
        """[B, 2, h, w, 4] boxes from the distances of their edges to the centres of the cells."""
        rows, columns = distances.shape[2:4]
        centres = cell_centres(rows, columns, self.config.stride, distances.device)
        return torch.cat([centres - distances[..., :2], centres + distances[..., 2:]], dim=-1)


def _start_at(readout: nn.Conv2d, value: float) -> None:
    """Almost the same value everywhere before training."""
    assert readout.bias is not None
    nn.init.normal_(readout.weight, std=0.01)
    nn.init.constant_(readout.bias, value)


class _Halving(nn.Sequential):
    """A strided convolution, even so that it sees as far to the left as to the right of its cell."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(nn.Conv2d(before, after, 4, stride=2, padding=1), nn.GroupNorm(NORM_GROUPS, after), nn.GELU())


class _ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions, normalised before, added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.GroupNorm(NORM_GROUPS, width),
            nn.Conv2d(width, width, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, features: Tensor) -> Tensor:
        """[B, C, h, w] to the same shape."""
        return features + self.layers(features)


def cell_centres(rows: int, columns: int, stride: int, device: torch.device | None = None) -> Tensor:
    """[rows, columns, 2] x, y of the centres of the cells in pixels (centres of pixels at integers)."""
    y, x = torch.meshgrid(
        torch.arange(rows, device=device), torch.arange(columns, device=device), indexing='ij'
    )  # [rows, columns]
    return torch.stack([x, y], dim=-1) * stride + (stride - 1) / 2.0
