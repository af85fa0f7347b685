"""Values of the segmentation image. Everything from ``FIRST_MOVING`` on moves during a sequence."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hand3r_ros.hand_model.sides import HandSide

NOTHING = 0
ROOM = 1
FURNITURE = 2
TABLE = 3
FIRST_OBJECT = 10
FIRST_MOVING = 128
BODY = 128

_FIRST_OF_SIDE = {HandSide.LEFT: 140, HandSide.RIGHT: 160}


def hand_instance(side: HandSide) -> int:
    """Segmentation value of a hand's mesh; also ``HandTruth.instance_id``."""
    return _FIRST_OF_SIDE[side]


def arm_instance(side: HandSide) -> int:
    """Segmentation value of a bare arm (the wrist belongs to the hand)."""
    return _FIRST_OF_SIDE[side] + 1


def sleeve_instance(side: HandSide) -> int:
    """Segmentation value of a sleeve or bracelet."""
    return _FIRST_OF_SIDE[side] + 2


def held_instance(side: HandSide) -> int:
    """Segmentation value of an object held in a hand."""
    return _FIRST_OF_SIDE[side] + 3


def is_static(segmentation: ArrayLike) -> NDArray[np.bool_]:
    """True where a pixel shows something that never moves."""
    segmentation = np.asarray(segmentation)
    return (segmentation != NOTHING) & (segmentation < FIRST_MOVING)
