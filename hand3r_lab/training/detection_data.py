"""Batches of whole images with their hand boxes, for the detection head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hand3r_lab.datasets.samples import SkipLog
from hand3r_lab.training.augmentation import jitter_colors, uniform
from hand3r_lab.training.rendered_data import RenderedData
from hand3r_lab.training.rendered_rows import IMAGE_ARRAYS, SoundRows

FLIP_PROBABILITY = 0.5
WINDOW = (0.65, 1.15)  # side of the part of the image that is shown; above 1 its border is repeated
WINDOW_SHIFT = 0.08  # of the image, beyond what keeps the window inside


@dataclass(frozen=True)
class DetectionBatch:
    """Images and the box of each side's hand; slot 0 is the left hand, slot 1 the right one."""

    image: Tensor  # [B, 3, H, W] in [-1, 1]
    boxes: Tensor  # [B, 2, 4] x1, y1, x2, y2 px, inside the image
    present: Tensor  # [B, 2] bool, a hand that should be found
    ignored: Tensor  # [B, 2] bool, a hand of which too little is visible: finding it is neither right nor wrong


@dataclass(frozen=True)
class ImageWindow:
    """The part of an image to look at: output point ``p`` (-1..1 across the image) shows ``scale * p + shift``.

    A negative horizontal scale mirrors the image, which turns left hands into right ones.
    """

    scale: Tensor  # [B, 2] x, y
    shift: Tensor  # [B, 2] x, y

    @classmethod
    def draw(cls, count: int, generator: torch.Generator) -> ImageWindow:
        """Random windows of the image's aspect."""
        side = uniform((count, 1), *WINDOW, generator)
        slack = (1.0 - side).clamp(min=0.0) + WINDOW_SHIFT
        shift = uniform((count, 2), -1.0, 1.0, generator) * slack
        mirrored = torch.rand((count,), generator=generator) < FLIP_PROBABILITY
        sign = torch.where(mirrored, -1.0, 1.0)
        return cls(side * torch.stack([sign, torch.ones(count)], dim=-1), shift)

    @property
    def mirrored(self) -> Tensor:
        """[B] bool."""
        return self.scale[:, 0] < 0.0

    def show(self, images: Tensor) -> Tensor:
        """Images [B, C, H, W] seen through the windows, same size."""
        theta = torch.cat([torch.diag_embed(self.scale), self.shift[..., None]], dim=-1).to(images.device)  # [B, 2, 3]
        grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
        return functional.grid_sample(images, grid, padding_mode='border', align_corners=False)

    def move_boxes(self, boxes: Tensor, width: int, height: int) -> Tensor:
        """Boxes [B, K, 4] after the change, not clipped to the image."""
        size = boxes.new_tensor([width, height])
        corners = (2.0 * boxes.unflatten(-1, (2, 2)) + 1.0) / size - 1.0  # [B, K, 2, 2]
        corners = (corners - self.shift[:, None, None]) / self.scale[:, None, None]
        corners = ((corners + 1.0) * size - 1.0) / 2.0
        return torch.cat([corners.amin(-2), corners.amax(-2)], dim=-1)


class DetectionDataset:
    """All frames of a data set, with and without hands."""

    def __init__(self, data: RenderedData, smallest_visible: float = 0.25, smallest_box: float = 6.0) -> None:
        """Frames of ``data``.

        Args:
            data: rendered sequences.
            smallest_visible: share of a hand that must be visible for it to count.
            smallest_box: shorter side in pixels below which a hand does not count.

        """
        self.data = data
        self.smallest_visible = smallest_visible
        self.smallest_box = smallest_box
        self.rows = data.finished_rows()
        self.skipped = SkipLog()
        self._sound = SoundRows(data, IMAGE_ARRAYS, self.skipped)
        if not len(self.rows):
            raise ValueError(f'{data.directory} has no finished sequence: render it first')

    def __len__(self) -> int:
        return len(self.rows) * self.data.layout.frames

    def batch(self, size: int, generator: torch.Generator, augment: bool = True) -> DetectionBatch:
        """``size`` random frames."""
        chosen = self._sound.draw(np.repeat(self.rows, self.data.layout.frames), size, generator)
        rows, frames = np.divmod(np.sort(chosen), self.data.layout.frames)
        window = (
            ImageWindow.draw(size, generator) if augment else ImageWindow(torch.ones(size, 2), torch.zeros(size, 2))
        )
        where = (self.rows[rows], frames)
        images = self.data.take('image', where).permute(0, 3, 1, 2).float() / 255.0
        if augment:
            images = jitter_colors(window.show(images), generator)
        return self._labelled(images, where, window)

    def _labelled(self, images: Tensor, where: tuple[np.ndarray, np.ndarray], window: ImageWindow) -> DetectionBatch:
        arrays, layout = self.data.arrays, self.data.layout
        moved = window.move_boxes(torch.from_numpy(arrays['hand_box'][where]), layout.width, layout.height)
        limit = moved.new_tensor([layout.width - 1.0, layout.height - 1.0] * 2)
        boxes = torch.minimum(moved.clamp(min=0.0), limit)
        kept = _area(boxes) / _area(moved).clamp(min=1e-6)  # the share of the box that the window still shows
        visible = torch.from_numpy(arrays['hand_visible'][where]) * kept
        valid = torch.from_numpy(arrays['hand_valid'][where])
        large = (boxes[..., 2:] - boxes[..., :2]).amin(-1) >= self.smallest_box
        present = valid & large & (visible >= self.smallest_visible)
        ignored = valid & ~present & (kept > 0.0)
        swap = window.mirrored[:, None]
        return DetectionBatch(
            images * 2.0 - 1.0,
            torch.where(swap[..., None], boxes.flip(1), boxes),
            torch.where(swap, present.flip(1), present),
            torch.where(swap, ignored.flip(1), ignored),
        )


def _area(boxes: Tensor) -> Tensor:
    return (boxes[..., 2:] - boxes[..., :2]).clamp(min=0.0).prod(-1)
