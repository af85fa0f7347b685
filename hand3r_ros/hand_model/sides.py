"""Left and right: one enum for the whole project, with the values of ``hand3r_msgs/HandMesh``."""

from __future__ import annotations

from enum import IntEnum


class HandSide(IntEnum):
    """Anatomical side of a hand (not the side on which it appears in the image)."""

    LEFT = 0
    RIGHT = 1
