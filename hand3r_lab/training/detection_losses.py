"""Losses of the detection head: penalty-reduced focal loss of the heat maps (CenterNet), overlap and edges of boxes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from hand3r_lab.training.detection_data import DetectionBatch
from hand3r_ros.device_constants import constant
from hand3r_ros.network.detection.head import HandMaps, cell_centres

PEAK_WIDTH = 0.1  # standard deviation of a peak over the side of its box
SMALLEST_PEAK = 0.5  # cells
BOX_CELLS = 0.3  # a cell answers for a box where the peak's height is at least this


class DetectionTargets(NamedTuple):
    """What the maps should say."""

    heat: Tensor  # [B, 2, h, w] 1 at the cell of a hand's centre, falling off around it
    counted: Tensor  # [B, 2, h, w] bool, False where neither answer would be wrong
    box_weight: Tensor  # [B, 2, h, w] how much a cell's box counts


def detection_targets(batch: DetectionBatch, stride: int) -> DetectionTargets:
    """Targets on cells of ``stride`` pixels.

    Around hands that are ignored both maps are left alone: such a hand may look like one of the other side.
    """
    rows, columns = batch.image.shape[2] // stride, batch.image.shape[3] // stride
    centres = cell_centres(rows, columns, stride, batch.boxes.device)  # [h, w, 2]
    middle = (batch.boxes[..., :2] + batch.boxes[..., 2:]) / 2.0  # [B, 2, 2]
    limit = constant([columns - 1, rows - 1], middle)
    cell = torch.minimum(((middle + 0.5) / stride).floor().clamp(min=0.0), limit)
    peak = cell * stride + (stride - 1) / 2.0
    deviation = ((batch.boxes[..., 2:] - batch.boxes[..., :2]) * PEAK_WIDTH).clamp(min=SMALLEST_PEAK * stride)
    offset = (centres - peak[:, :, None, None]) / deviation[:, :, None, None]  # [B, 2, h, w, 2]
    heat = (-0.5 * offset.square().sum(-1)).exp() * batch.present[..., None, None]
    low, high = batch.boxes[:, :, None, None, :2], batch.boxes[:, :, None, None, 2:]
    inside = ((centres >= low) & (centres <= high)).all(-1)  # [B, 2, h, w]
    near_ignored = (inside & batch.ignored[..., None, None]).any(1, keepdim=True)
    return DetectionTargets(
        heat,
        ~near_ignored | (heat > BOX_CELLS),
        torch.where(inside & (heat >= BOX_CELLS), heat, torch.zeros_like(heat)),
    )


def heat_loss(logits: Tensor, targets: DetectionTargets) -> Tensor:
    """Focal loss per hand (CenterNet eq. 1, alpha 2, beta 4)."""
    score = logits.sigmoid()
    positive = targets.heat > 0.999
    found = -(1.0 - score).square() * functional.logsigmoid(logits)
    silent = -(1.0 - targets.heat).pow(4) * score.square() * functional.logsigmoid(-logits)
    loss = torch.where(positive, found, silent) * targets.counted
    return loss.sum() / positive.sum().clamp(min=1)


def box_losses(maps: HandMaps, batch: DetectionBatch, targets: DetectionTargets) -> tuple[Tensor, Tensor]:
    """1 - GIoU (arXiv 1902.09630) and the mean distance of the edges over the box side, of cells near a centre."""
    weight = targets.box_weight / targets.box_weight.sum().clamp(min=1e-6)
    truth = batch.boxes[:, :, None, None].expand_as(maps.boxes)
    size = (truth[..., 2:] - truth[..., :2]).clamp(min=1.0)
    edges = ((maps.boxes - truth).abs() / torch.cat([size, size], dim=-1)).mean(-1)
    apart = 1.0 - generalised_overlap(maps.boxes, truth)
    return (apart * weight).sum(), (edges * weight).sum()


def overlap(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of boxes [..., 4]: 0 apart, 1 equal."""
    common = _area(torch.maximum(first[..., :2], second[..., :2]), torch.minimum(first[..., 2:], second[..., 2:]))
    union = _area(first[..., :2], first[..., 2:]) + _area(second[..., :2], second[..., 2:]) - common
    return common / union.clamp(min=1e-6)


def generalised_overlap(first: Tensor, second: Tensor) -> Tensor:
    """Generalised intersection over union of boxes [..., 4]: -1 far apart, 1 equal."""
    common = _area(torch.maximum(first[..., :2], second[..., :2]), torch.minimum(first[..., 2:], second[..., 2:]))
    hull = _area(torch.minimum(first[..., :2], second[..., :2]), torch.maximum(first[..., 2:], second[..., 2:]))
    union = _area(first[..., :2], first[..., 2:]) + _area(second[..., :2], second[..., 2:]) - common
    return common / union.clamp(min=1e-6) - (hull - union) / hull.clamp(min=1e-6)


def _area(low: Tensor, high: Tensor) -> Tensor:
    width, height = (high - low).clamp(min=0.0).unbind(-1)
    return width * height  # not prod(), whose gradient asks the device whether anything is zero
