"""Rotated square regions around hands: from palms, from the landmarks of the image before, and how crops are cut.

Formulas and constants are those of the published MediaPipe Hands pipeline (palm: wrist to middle knuckle points up,
2.6 times the palm's box, moved half a box towards the fingers; landmarks: twice the box of palm and proximal joints).
Positions are OpenCV pixels (centres at integers).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

PALM_SCALE, PALM_SHIFT = 2.6, -0.5
LANDMARK_SCALE, LANDMARK_SHIFT = 2.0, -0.1
WRIST, MIDDLE_KNUCKLE_OF_PALM = 0, 2
_STEADY = (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)
"""Landmarks that give the next region: without the two outer joints of each finger, which move too much."""

_INDEX, _MIDDLE, _RING = 5, 9, 13


@dataclass(frozen=True)
class HandRegion:
    """A square in the image, turned so that the hand in it points up."""

    center: FloatArray  # (2,) px
    size: float  # px
    angle: float  # radians; 0: the hand points up in the image, positive: clockwise

    @property
    def axes(self) -> FloatArray:
        """(2, 2) columns: the region's x and y axis in the image."""
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        return np.array([[cosine, -sine], [sine, cosine]])

    def to_image(self, points: FloatArray) -> FloatArray:
        """Pixels (..., 2) of points (..., 2) given as fractions of the region, 0..1 from its left and upper side."""
        return (np.asarray(points) - 0.5) * self.size @ self.axes.T + self.center

    def corners(self) -> FloatArray:
        """(4, 2) px."""
        return self.to_image(np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]))


def region_from_palm(box: FloatArray, keypoints: FloatArray) -> HandRegion:
    """The region of the hand that a palm belongs to.

    Args:
        box: (4,) centre x, y, width, height in pixels.
        keypoints: (7, 2) px, of the palm detector.

    """
    angle = _angle_that_points_up(keypoints[WRIST], keypoints[MIDDLE_KNUCKLE_OF_PALM])
    return _region(box[:2], box[2:], angle, PALM_SHIFT, PALM_SCALE)


def region_from_landmarks(pixels: FloatArray) -> HandRegion:
    """Where to look for the hand in the next image, from its 21 landmarks (21, 2) in pixels."""
    towards = ((pixels[_INDEX] + pixels[_RING]) / 2.0 + pixels[_MIDDLE]) / 2.0
    angle = _angle_that_points_up(pixels[WRIST], towards)
    steady = pixels[list(_STEADY)]
    middle = (steady.min(0) + steady.max(0)) / 2.0
    axes = HandRegion(middle, 1.0, angle).axes
    upright = (steady - middle) @ axes
    low, high = upright.min(0), upright.max(0)
    return _region(middle + axes @ ((low + high) / 2.0), high - low, angle, LANDMARK_SHIFT, LANDMARK_SCALE)


def crop_region(image: NDArray[np.uint8], region: HandRegion, size: int) -> NDArray[np.uint8]:
    """(size, size, 3) pixels of a region, sampled bilinearly; the border of the image continues outside."""
    columns = region.axes * (region.size / size)  # image pixels per crop pixel
    first = region.to_image(np.array([0.0, 0.0])) + columns @ np.array([0.5, 0.5])
    matrix = np.column_stack([columns, first])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    crop = cv2.warpAffine(image, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, np.uint8)


def region_overlap(first: HandRegion, second: HandRegion) -> float:
    """Intersection over union of the upright boxes around two regions."""
    low_a, high_a = first.corners().min(0), first.corners().max(0)
    low_b, high_b = second.corners().min(0), second.corners().max(0)
    common = float(np.prod(np.clip(np.minimum(high_a, high_b) - np.maximum(low_a, low_b), 0.0, None)))
    return common / (float(np.prod(high_a - low_a) + np.prod(high_b - low_b)) - common)


def _angle_that_points_up(start: FloatArray, end: FloatArray) -> float:
    x, y = end - start
    angle = np.pi / 2.0 - np.arctan2(-y, x)
    return float(np.mod(angle + np.pi, 2.0 * np.pi) - np.pi)


def _region(center: FloatArray, extent: FloatArray, angle: float, shift: float, scale: float) -> HandRegion:
    axes = HandRegion(np.asarray(center, float), 1.0, angle).axes
    moved = np.asarray(center, float) + axes @ np.array([0.0, shift * extent[1]])
    return HandRegion(moved, float(scale * max(extent)), angle)
