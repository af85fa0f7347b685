"""Data of a hand for drawing, and colors of hands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hand3r_ros.hand_model.sides import HandSide

SIDE_COLORS: dict[HandSide, tuple[float, float, float]] = {
    HandSide.LEFT: (86.0, 164.0, 255.0),
    HandSide.RIGHT: (255.0, 158.0, 74.0),
}
"""RGB of left and right hands, 0..255."""


@dataclass(frozen=True, eq=False)
class DrawnHand:
    """A hand in the optical frame of the camera whose image is drawn on."""

    side: HandSide
    score: float  # 0..1
    box: NDArray[np.floating]  # (4,) x1, y1, x2, y2 px
    vertices: NDArray[np.floating]  # (778, 3) m; (0, 3) when they are not known
    keypoints: NDArray[np.floating]  # (21, 3) m, OpenPose order
    keypoints_image: NDArray[np.floating]  # (21, 2) px
    faces: NDArray[np.integer]  # (F, 3)
