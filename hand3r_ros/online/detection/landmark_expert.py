"""Hands in one image by MediaPipe's two networks: palms, then 21 landmarks in a rotated crop around each hand.

The crop of a hand that was seen in the image before comes from its landmarks there; the palm detector is asked only
while fewer hands are followed than are wanted. Nothing is kept between calls: what is followed is passed in.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hand3r_ros.network.landmarks.landmark_network import CROP_SIZE, LandmarkNetwork
from hand3r_ros.network.landmarks.palm_detector import IMAGE_SIZE, PalmDetector
from hand3r_ros.online.detection.hand_regions import (
    HandRegion,
    crop_region,
    region_from_landmarks,
    region_from_palm,
    region_overlap,
)
from hand3r_ros.online.results import HandLandmarks

FloatArray = NDArray[np.float64]

SAME_PALM_OVERLAP = 0.3
SAME_HAND_OVERLAP = 0.5


@dataclass(frozen=True)
class LandmarkConfig:
    """Thresholds of the search. The published palm_score of 0.5 misses 2 % of photographed hands, 0.2 under 1 %."""

    palm_score: float = 0.2  # least probability of a palm; the landmark network judges again
    presence: float = 0.5  # least probability that a crop shows a hand
    max_hands: int = 2


class LandmarkExpert:
    """Both networks, ready to run on one device."""

    def __init__(self, palms: PalmDetector, landmarks: LandmarkNetwork, device: torch.device | str = 'cpu') -> None:
        """Takes over the networks of ``load_landmark_networks``."""
        self._device = torch.device(device)
        self._palms, self._landmarks = palms.to(self._device), landmarks.to(self._device)
        for network in (self._palms, self._landmarks):
            _put_channels_last(network)

    def find(
        self, image: NDArray[np.uint8], followed: tuple[HandRegion, ...], config: LandmarkConfig
    ) -> tuple[HandLandmarks, ...]:
        """Hands in an image, those that are followed first.

        Args:
            image: (H, W, 3) RGB.
            followed: regions from the landmarks of the image before.
            config: thresholds.

        """
        hands = self._read(image, followed[: config.max_hands], config)
        if len(hands) < config.max_hands:
            known = [region_from_landmarks(hand.pixels) for hand in hands]
            new: list[HandRegion] = []
            for region in self.palms(image, config):
                if all(region_overlap(region, other) < SAME_HAND_OVERLAP for other in [*known, *new]):
                    new.append(region)
            hands += self._read(image, tuple(new[: config.max_hands - len(hands)]), config)
        return _without_duplicates(hands)

    def palms(self, image: NDArray[np.uint8], config: LandmarkConfig) -> list[HandRegion]:
        """Regions around the palms in an image (H, W, 3), best first."""
        height, width = image.shape[:2]
        side = max(height, width)
        scale = IMAGE_SIZE / side
        small = cv2.resize(
            image,
            (max(1, round(width * scale)), max(1, round(height * scale))),
            interpolation=cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR,
        )
        top, left = (IMAGE_SIZE - small.shape[0]) // 2, (IMAGE_SIZE - small.shape[1]) // 2
        square = np.zeros((IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
        square[top : top + small.shape[0], left : left + small.shape[1]] = small
        with torch.inference_mode():
            output = self._palms(self._tensor(square[None]))
        scores = output.scores[0].cpu().numpy()
        likely = np.flatnonzero(scores >= config.palm_score)
        to_pixels = np.array([width / small.shape[1], height / small.shape[0]])
        boxes = output.boxes[0].cpu().numpy()[likely].astype(np.float64) * IMAGE_SIZE
        keypoints = output.keypoints[0].cpu().numpy()[likely].astype(np.float64) * IMAGE_SIZE
        boxes[:, :2] = (boxes[:, :2] - (left, top)) * to_pixels - 0.5
        boxes[:, 2:] *= to_pixels
        keypoints = (keypoints - (left, top)) * to_pixels - 0.5
        return _regions(boxes, keypoints, scores[likely])

    def _read(
        self, image: NDArray[np.uint8], regions: tuple[HandRegion, ...], config: LandmarkConfig
    ) -> list[HandLandmarks]:
        regions = tuple(region for region in regions if np.isfinite(region.center).all() and region.size >= 2.0)
        if not regions:
            return []
        crops = np.stack([crop_region(image, region, CROP_SIZE) for region in regions])
        with torch.inference_mode():
            output = self._landmarks(self._tensor(crops))
        keypoints = output.keypoints.cpu().numpy().astype(np.float64)
        metric = output.points_metric.cpu().numpy().astype(np.float64)
        presence, right = output.presence.cpu().numpy(), output.right.cpu().numpy()
        hands = []
        for index, region in enumerate(regions):
            if presence[index] < config.presence:
                continue
            points = metric[index].copy()
            points[:, :2] = points[:, :2] @ region.axes.T
            hands.append(
                HandLandmarks(
                    pixels=region.to_image(keypoints[index, :, :2] / CROP_SIZE),
                    points_metric=points,
                    presence=float(presence[index]),
                    right=float(right[index]),
                )
            )
        return hands

    def _tensor(self, images: NDArray[np.uint8]) -> Tensor:
        tensor = torch.from_numpy(images).to(self._device).permute(0, 3, 1, 2)  # channels stay last in memory
        return tensor.float() / 255.0


def _put_channels_last(network: nn.Module) -> None:
    """Depthwise convolutions are twice as fast on CPUs in this order."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def _regions(boxes: FloatArray, keypoints: FloatArray, scores: NDArray[np.floating]) -> list[HandRegion]:
    """One region per palm: overlapping candidates are averaged, weighted by their scores."""
    regions = []
    remaining = np.argsort(-scores)
    while len(remaining):
        same = _overlaps(boxes[remaining[0]], boxes[remaining]) > SAME_PALM_OVERLAP
        same[0] = True
        chosen, remaining = remaining[same], remaining[~same]
        weights = scores[chosen] / scores[chosen].sum()
        box = np.einsum('n,nk->k', weights, boxes[chosen])
        if (box[2:] > 0.0).all():
            regions.append(region_from_palm(box, np.einsum('n,nkc->kc', weights, keypoints[chosen])))
    return regions


def _overlaps(box: FloatArray, others: FloatArray) -> FloatArray:
    """(n,) intersection over union of boxes given as centre and size."""
    low = np.maximum(box[:2] - box[2:] / 2.0, others[:, :2] - others[:, 2:] / 2.0)
    high = np.minimum(box[:2] + box[2:] / 2.0, others[:, :2] + others[:, 2:] / 2.0)
    common = np.prod(np.clip(high - low, 0.0, None), axis=1)
    union = np.prod(box[2:]) + np.prod(others[:, 2:], axis=1) - common
    return np.asarray(common / np.maximum(union, 1e-12))


def _without_duplicates(hands: list[HandLandmarks]) -> tuple[HandLandmarks, ...]:
    """Two crops may lead to the same hand: the one that is surer stays."""
    kept: list[HandLandmarks] = []
    for hand in sorted(hands, key=lambda hand: -hand.presence):
        size = float(np.linalg.norm(hand.pixels.max(0) - hand.pixels.min(0)))
        apart = [np.linalg.norm(hand.pixels - other.pixels, axis=1).mean() for other in kept]
        if all(distance > 0.25 * size for distance in apart):
            kept.append(hand)
    return tuple(kept)
