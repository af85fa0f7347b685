"""Photos whose hands are labelled with a box and the number of stretched fingers, and that number from 21 keypoints.

The labels say nothing about depth or side, but a wrong finger shows in them, and they are easily made for one's own
photos. ``labels.csv`` lies in the folder of the photos: columns ``file, fingers, x1, y1, x2, y2``, one row per hand,
boxes in pixels.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from hand3r_ros.media import IMAGE_SUFFIXES
from hand3r_ros.online.detection.boxes import intersection_over_union

FloatArray = NDArray[np.floating]

LABELS = 'labels.csv'
COLUMNS = ('file', 'fingers', 'x1', 'y1', 'x2', 'y2')
MATCHING_OVERLAP = 0.2
"""Least overlap (intersection over union) of a hand with a labelled box: people draw boxes in many ways."""

STRETCHED = 140.0
"""Degrees at the middle joint from which on a finger counts as stretched."""
STRETCHED_THUMB = 150.0
THUMB_REACH = 1.1
"""A stretched thumb's tip is farther from the base of the little finger than its own base, by this factor at least."""

_FINGER_BASES = (5, 9, 13, 17)
_THUMB_ROOT, _THUMB_BASE, _THUMB_TIP, _LITTLE_BASE = 1, 2, 4, 17


@dataclass(frozen=True, eq=False)
class LabelledHand:
    """What a person says about a hand in a photo."""

    fingers: int  # stretched ones, 0 to 5
    box: FloatArray  # (4,) x1, y1, x2, y2 px


@dataclass(frozen=True)
class LabelledPhoto:
    """A photo with all of its labelled hands."""

    path: Path
    hands: tuple[LabelledHand, ...]


def read_labels(folder: Path) -> tuple[LabelledPhoto, ...]:
    """The photos of a folder with their labelled hands, in the order of the file.

    Raises:
        ValueError: there is no file of labels, or a line of it cannot be meant so; the message names it.

    """
    path = folder / LABELS
    try:
        with path.open(newline='', encoding='utf-8-sig') as file:
            reader = csv.DictReader(file)
            if not set(COLUMNS) <= set(reader.fieldnames or ()):
                raise ValueError(f'{path} has the columns {reader.fieldnames}, expected {", ".join(COLUMNS)}')
            rows = [_labelled(row, folder, f'{path}, line {reader.line_num}') for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f'{path} cannot be read: {error}') from error
    photos: dict[Path, list[LabelledHand]] = {}
    for photo, hand in rows:
        photos.setdefault(photo, []).append(hand)
    if not photos:
        raise ValueError(f'{path} names no hand')
    return tuple(LabelledPhoto(photo, tuple(hands)) for photo, hands in photos.items())


def _labelled(row: dict[str, str], folder: Path, where: str) -> tuple[Path, LabelledHand]:
    name = row['file'] or ''
    photo = folder / name
    if Path(name).name != name or photo.suffix.lower() not in IMAGE_SUFFIXES or not photo.is_file():
        raise ValueError(f'{where}: {name!r} is no image in this folder')
    try:
        fingers, box = int(row['fingers']), np.array([float(row[column]) for column in COLUMNS[2:]])
    except (TypeError, ValueError) as error:
        raise ValueError(f'{where}: {error}') from error
    if not 0 <= fingers <= 5:
        raise ValueError(f'{where}: fingers is {fingers}, expected 0 to 5')
    if not np.isfinite(box).all() or (box[2:] <= box[:2]).any():
        raise ValueError(f'{where}: the box {box.tolist()} is empty; x1, y1 is its upper left corner')
    return photo, LabelledHand(fingers, box)


def stretched_fingers(keypoints: ArrayLike) -> int:
    """How many fingers of a hand are stretched, from its 21 keypoints (21, 3) in OpenPose order, in any unit."""
    points = np.asarray(keypoints, float)
    fingers = sum(_angle(points[base], points[base + 1], points[base + 3]) > STRETCHED for base in _FINGER_BASES)
    away = _distance(points[_THUMB_TIP], points[_LITTLE_BASE]) > THUMB_REACH * _distance(
        points[_THUMB_BASE], points[_LITTLE_BASE]
    )
    straight = _angle(points[_THUMB_ROOT], points[_THUMB_BASE], points[_THUMB_TIP]) > STRETCHED_THUMB
    return int(fingers) + int(away and straight)


def matched(labels: Sequence[LabelledHand], boxes: Sequence[FloatArray]) -> list[int | None]:
    """For each labelled hand the index of the box that is on it; every box counts once, overlaps are largest."""
    found: list[int | None] = [None] * len(labels)
    if not labels or not boxes:
        return found
    overlaps = np.array([[intersection_over_union(hand.box, box) for box in boxes] for hand in labels])
    overlaps[overlaps < MATCHING_OVERLAP] = 0.0
    for hand, box in zip(*linear_sum_assignment(-overlaps), strict=True):
        if overlaps[hand, box] > 0.0:
            found[hand] = int(box)
    return found


def _angle(first: FloatArray, middle: FloatArray, last: FloatArray) -> float:
    """Degrees."""
    inwards, outwards = first - middle, last - middle
    cosine = float(inwards @ outwards) / max(float(np.linalg.norm(inwards) * np.linalg.norm(outwards)), 1e-12)
    return math.degrees(math.acos(min(max(cosine, -1.0), 1.0)))


def _distance(first: FloatArray, second: FloatArray) -> float:
    return float(np.linalg.norm(first - second))
