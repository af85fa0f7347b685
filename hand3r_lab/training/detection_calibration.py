"""After training, the score of one half is put where hands are told best: users' thresholds then mean the same."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from hand3r_lab.training.detection_data import DetectionBatch
from hand3r_lab.training.detection_losses import overlap
from hand3r_lab.training.sources import ImageSource
from hand3r_lab.training.tensor_tree import to_device
from hand3r_ros.network.detection.head import HandMaps
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.types import Frame

MATCHING_OVERLAP = 0.5


class Operation(NamedTuple):
    """Where on the precision-recall curve a threshold lies."""

    threshold: float
    f1: float
    precision: float
    recall: float


class BestPeaks(NamedTuple):
    """The strongest peak of every side of every image; sides whose hand is ignored are left out."""

    scores: Tensor  # [M]
    correct: Tensor  # [M] bool, its box is that of the hand
    hands: int  # how many hands there are to find

    @classmethod
    def of(cls, maps: HandMaps, batch: DetectionBatch) -> BestPeaks:
        """One image has one hand of a side at most in the training data, so only its strongest peak can be right."""
        scores, cells = maps.logits.flatten(2).sigmoid().max(-1)  # [B, 2]
        boxes = maps.boxes.flatten(2, 3).gather(2, cells[..., None, None].expand(-1, -1, 1, 4))[:, :, 0]
        correct = batch.present & (overlap(boxes, batch.boxes) >= MATCHING_OVERLAP)
        counted = ~batch.ignored
        return cls(scores[counted], correct[counted], int(batch.present.sum()))


def best_operation(peaks: list[BestPeaks]) -> Operation | None:
    """The threshold of the best F1; None when no peak is right."""
    scores = torch.cat([part.scores for part in peaks])
    order = scores.argsort(descending=True)
    hits = torch.cat([part.correct for part in peaks])[order].double().cumsum(0)
    found = torch.arange(1, len(scores) + 1, dtype=torch.float64)
    hands = sum(part.hands for part in peaks)
    if not len(scores) or not hands or float(hits[-1]) == 0.0:
        return None
    f1 = 2.0 * hits / (found + hands)
    best = int(f1.argmax())
    return Operation(
        float(scores[order[best]]), float(f1[best]), float(hits[best] / found[best]), float(hits[best] / hands)
    )


@torch.no_grad()
def calibrate_scores(network: Hand3R, frames: ImageSource, images: int, batch: int = 16) -> Operation | None:
    """Shifts the scores of both sides so that the threshold of the best F1 on unchanged training images is 0.5.

    Returns where that threshold was and what it reaches there (on training images, so not a measure of accuracy);
    None, and nothing shifted, when the head finds no hand at all.
    """
    head = network.detection_head
    if head is None or head.heat.bias is None:
        raise ValueError('the network has no detection head')
    training = network.training
    network.eval()
    generator = torch.Generator().manual_seed(0)
    peaks = []
    for _ in range(math.ceil(images / batch)):
        sample = to_device(frames.batch(batch, generator, augment=False), head.heat.bias.device)
        frame = Frame(sample.image)
        peaks.append(BestPeaks.of(network.detect(frame, network.encode_scene(frame)), sample))
    network.train(training)
    operation = best_operation(peaks)
    if operation is not None:
        head.heat.bias -= torch.logit(torch.tensor(operation.threshold), eps=1e-4)
    return operation
