"""Left and right: one enum for all packages, with the values of ``hand3r_msgs/HandMesh``; side of a template."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

_CLEAR = 0.5
_WRIST, _KNUCKLES, _THUMB = 0, [1, 4, 7, 10], [13, 14, 15]


class HandSide(IntEnum):
    """Anatomical side of a hand (not the side on which it appears in the image)."""

    LEFT = 0
    RIGHT = 1


def template_side(rest_joints: NDArray[np.floating]) -> HandSide | None:
    """Which hand a template in MANO's axes is: the back of either hand faces +y, left and right are mirrored in x.

    Args:
        rest_joints: (16, 3) joints of the template, in MANO's order.

    Returns:
        The side on which the thumb lies, seen from the back with the fingers up; None where that is not clear.

    """
    fingers = rest_joints[_KNUCKLES].mean(0) - rest_joints[_WRIST]
    thumb = rest_joints[_THUMB].mean(0) - rest_joints[_WRIST]
    normal = np.cross(fingers, thumb)
    length = float(np.linalg.norm(normal))
    if not length or abs(normal[1]) < _CLEAR * length:
        return None
    return HandSide.RIGHT if normal[1] > 0 else HandSide.LEFT
