"""Boxes x1, y1, x2, y2 in pixels: overlap, clipping, suppression of duplicates and of unusable ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hand3r_ros.online.config import DetectionConfig
from hand3r_ros.online.results import HandDetection

FloatArray = NDArray[np.floating]

WRIST = 0
KNUCKLES = (5, 9, 13, 17)  # index to little finger
HEEL = 0.4  # how far the hand reaches behind the wrist joint, in distances from wrist to knuckles
FLESH = 0.06  # around the keypoints, in palm lengths

OTHER_SIDE_OVERLAP = 0.8
"""A left and a right hand whose boxes overlap more than this are one hand of which the side is in doubt. Clasped
hands overlap less."""


def intersection_over_union(first: FloatArray, second: FloatArray) -> float:
    """0 for separate boxes, 1 for equal ones; 0 as well when both are without area."""
    low = np.maximum(first[:2], second[:2])
    high = np.minimum(first[2:], second[2:])
    common = float(np.prod(np.clip(high - low, 0.0, None)))
    areas = float(np.prod(first[2:] - first[:2]) + np.prod(second[2:] - second[:2]))
    return common / (areas - common) if areas > common else 0.0


def clip_box(box: FloatArray, width: int, height: int) -> FloatArray:
    """The part of a box inside the image; may be without area."""
    return np.clip(np.asarray(box, float), 0.0, np.array([width - 1, height - 1, width - 1, height - 1], float))


def box_around_keypoints(pixels: FloatArray) -> FloatArray:
    """The box (4,) that a hand's surface fills, from its 21 keypoints (21, 2) in OpenPose order.

    Keypoints lie inside the flesh and end at the wrist joint, while the hand, and the boxes the network is trained
    with, reach further. Both margins are fitted to rendered hands (overlap 0.87 instead of 0.68 without them).
    """
    wrist, knuckles = pixels[WRIST], pixels[list(KNUCKLES)]
    heel = wrist + HEEL * (wrist - knuckles.mean(axis=0))
    palm = max(np.linalg.norm(knuckles - wrist, axis=1).max(), float(np.linalg.norm(knuckles[0] - knuckles[-1])))
    points = np.vstack([pixels, heel])
    return np.concatenate([points.min(axis=0) - FLESH * palm, points.max(axis=0) + FLESH * palm])


def is_usable_box(box: FloatArray, width: int, height: int, smallest: float) -> bool:
    """Four finite numbers whose part inside the image is at least ``smallest`` pixels wide and high."""
    box = np.asarray(box, float)
    if box.shape != (4,) or not np.isfinite(box).all() or np.abs(box).max() > 1e6:
        return False
    visible = clip_box(box, width, height)
    return bool((visible[2:] - visible[:2] >= smallest).all())


def select_hands(
    detections: Iterable[HandDetection], width: int, height: int, max_hands: int, config: DetectionConfig
) -> tuple[HandDetection, ...]:
    """The detections worth looking at, best first.

    Leaves out weak, unusable and duplicate ones (of two that overlap the weaker one goes) and keeps ``max_hands`` at
    most. Boxes may still reach outside the image: a crop around the whole hand is what the network was trained on.
    Boxes are limited to one image size outside on every side, so that absurd ones cannot ask for absurd crops.
    """
    limit = np.array([-width, -height, 2 * width, 2 * height], float)
    usable = [
        replace(found, box=np.clip(np.asarray(found.box, float), np.tile(limit[:2], 2), np.tile(limit[2:], 2)))
        for found in detections
        if np.isfinite(found.score)
        and found.score >= config.min_score
        and is_usable_box(found.box, width, height, config.smallest_box)
    ]
    chosen: list[HandDetection] = []
    for candidate in sorted(usable, key=lambda found: -found.score):
        if len(chosen) == max_hands:
            break
        if not any(_is_same_hand(candidate, other, config.overlap) for other in chosen):
            chosen.append(candidate)
    return tuple(chosen)


def _is_same_hand(first: HandDetection, second: HandDetection, overlap: float) -> bool:
    limit = overlap if first.side == second.side else max(overlap, OTHER_SIDE_OVERLAP)
    return intersection_over_union(first.box, second.box) > limit
