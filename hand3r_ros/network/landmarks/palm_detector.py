"""The palm detector of MediaPipe Hands (model 'full', Apache-2.0): palms in a square image, without suppression.

A residual network of depthwise convolutions with two finer maps, read out at 12 x 12 cells with six and 24 x 24 cells
with two anchors each. Weights: ``weights/palm_detector.safetensors``, converted from the wheel mediapipe 0.10.21 by
``scripts/convert_landmark_networks.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from hand3r_ros.network.landmarks.convolutions import SameConvolution

IMAGE_SIZE = 192
"""Pixels per side of the input; RGB in 0..1, the camera image padded to a square."""

NUM_PALM_KEYPOINTS = 7
"""Wrist, knuckles of index, middle, ring and little finger, and two joints of the thumb."""

_VALUES = 4 + 2 * NUM_PALM_KEYPOINTS
_STAGES = ((32, 4), (64, 4), (128, 4), (256, 4), (256, 4))
"""Width and number of blocks at each size; all but the first size begin with one more block, which halves it."""

_FINE, _COARSE = 2, 3  # stages whose maps are read out


@dataclass(frozen=True)
class PalmOutput:
    """One candidate per anchor, for N images."""

    scores: Tensor  # [N, 2016] probability of a palm
    boxes: Tensor  # [N, 2016, 4] centre x, y, width, height as fractions of the image
    keypoints: Tensor  # [N, 2016, 7, 2] x, y as fractions of the image


class PalmDetector(nn.Module):
    """Square images in, palm candidates out; no parameter is meant to be trained."""

    anchors: Tensor  # [2016, 2]

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(SameConvolution(3, 32, 5, 2), nn.PReLU(32))
        stages, width = [], 32
        for number, (output, blocks) in enumerate(_STAGES):
            first = [] if number == 0 else [_Block(width, output, 2)]
            stages.append(nn.Sequential(*first, *(_Block(output, output) for _ in range(blocks))))
            width = output
        self.stages = nn.ModuleList(stages)
        self.up_coarse = nn.Sequential(SameConvolution(256, 256), nn.PReLU(256))
        self.merge_coarse = nn.Sequential(_Block(256, 256), _Block(256, 256))
        self.score_coarse, self.value_coarse = SameConvolution(256, 6), SameConvolution(256, 6 * _VALUES)
        self.up_fine = nn.Sequential(SameConvolution(256, 128), nn.PReLU(128))
        self.merge_fine = nn.Sequential(_Block(128, 128), _Block(128, 128))
        self.score_fine, self.value_fine = SameConvolution(128, 2), SameConvolution(128, 2 * _VALUES)
        self.register_buffer('anchors', _anchors(), persistent=False)

    def forward(self, images: Tensor) -> PalmOutput:
        """[N, 3, 192, 192] RGB in 0..1."""
        maps, image = [], self.stem(images)
        for stage in self.stages:
            image = stage(image)
            maps.append(image)
        coarse = self.merge_coarse(maps[_COARSE] + self.up_coarse(_twice_as_large(image)))
        fine = self.merge_fine(maps[_FINE] + self.up_fine(_twice_as_large(coarse)))
        scores = torch.cat([_per_anchor(self.score_fine(fine), 1), _per_anchor(self.score_coarse(coarse), 1)], 1)
        values = torch.cat(
            [_per_anchor(self.value_fine(fine), _VALUES), _per_anchor(self.value_coarse(coarse), _VALUES)], 1
        )
        values = values / IMAGE_SIZE
        return PalmOutput(
            scores=scores[..., 0].clamp(-100.0, 100.0).sigmoid(),
            boxes=torch.cat([values[..., :2] + self.anchors, values[..., 2:4]], -1),
            keypoints=values[..., 4:].unflatten(-1, (NUM_PALM_KEYPOINTS, 2)) + self.anchors[:, None],
        )


class _Block(nn.Module):
    """A depthwise and a pointwise convolution beside the input, which is pooled and padded where sizes change."""

    def __init__(self, width: int, output: int, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = SameConvolution(width, width, 5, stride, depthwise=True)
        self.pointwise = SameConvolution(width, output)
        self.activation = nn.PReLU(output)
        self.stride = stride
        self.added_channels = output - width

    def forward(self, image: Tensor) -> Tensor:
        changed = self.pointwise(self.depthwise(image))
        if self.stride > 1:
            image = functional.max_pool2d(image, self.stride)
        if self.added_channels:
            image = functional.pad(image, (0, 0, 0, 0, 0, self.added_channels))
        return self.activation(image + changed)


def _twice_as_large(image: Tensor) -> Tensor:
    return functional.interpolate(image, scale_factor=2.0, mode='bilinear', align_corners=False)


def _per_anchor(image: Tensor, values: int) -> Tensor:
    """[N, anchors * values, H, W] -> [N, H * W * anchors, values]."""
    return image.permute(0, 2, 3, 1).reshape(len(image), -1, values)


def _anchors() -> Tensor:
    """Centres of all anchors as fractions of the image: fine cells with two, then coarse cells with six each."""
    grids = []
    for cells, each in ((24, 2), (12, 6)):
        centres = (torch.arange(cells) + 0.5) / cells
        y, x = torch.meshgrid(centres, centres, indexing='ij')
        grids.append(torch.stack([x, y], -1).reshape(-1, 1, 2).expand(-1, each, 2).reshape(-1, 2))
    return torch.cat(grids)
