"""From heat maps to hands: local maxima."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from hand3r_ros.device_constants import constant
from hand3r_ros.network.detection.head import HandMaps

NEIGHBOURHOOD = 3  # cells; of two peaks that touch, only the higher one is a hand


class DetectedHands(NamedTuple):
    """Hands found in a batch of images, best first within each image."""

    boxes: Tensor  # [N, 4] x1, y1, x2, y2 in pixels of the image, inside of it
    is_right: Tensor  # [N] bool
    scores: Tensor  # [N] 0..1
    batch_index: Tensor  # [N] int64, which image of the batch


def find_peaks(maps: HandMaps, per_side: int = 8, lowest_score: float = 0.05) -> DetectedHands:
    """The hands that the maps show; boxes of one hand may still overlap those of another, or of the other side.

    Args:
        maps: from ``DetectionHead``.
        per_side: left and right hands per image at most.
        lowest_score: peaks below it are left out.

    """
    scores = maps.logits.sigmoid()  # [B, 2, h, w]
    highest = functional.max_pool2d(scores, NEIGHBOURHOOD, stride=1, padding=NEIGHBOURHOOD // 2)
    peaks = torch.where(scores == highest, scores, torch.zeros_like(scores)).flatten(2)  # [B, 2, h w]
    best, cells = peaks.topk(min(per_side, peaks.shape[-1]), dim=-1)  # [B, 2, K]
    boxes = maps.boxes.flatten(2, 3).gather(2, cells[..., None].expand(-1, -1, -1, 4))  # [B, 2, K, 4]
    batch, side, slot = (best >= lowest_score).nonzero(as_tuple=True)
    found = best[batch, side, slot]
    order = torch.argsort(batch.to(found.dtype) - 0.5 * found, stable=True)  # by image, then by falling score
    batch, side, slot = batch[order], side[order], slot[order]
    return DetectedHands(_inside(boxes[batch, side, slot], maps), side == 1, found[order], batch)


def _inside(boxes: Tensor, maps: HandMaps) -> Tensor:
    """The parts of boxes [N, 4] inside the image, as the boxes of the training data."""
    rows, columns = maps.logits.shape[2:]
    limit = constant([columns * maps.stride - 1.0, rows * maps.stride - 1.0], boxes)
    return torch.minimum(boxes.clamp(min=0.0), torch.cat([limit, limit]))
