"""Mirroring between left and right hands: x -> -x on points, M R M on rotations with M = diag(-1, 1, 1).

The network always sees right-looking hands; a left hand is the mirror image of the right hand it predicts. Every
function works on numpy arrays and on torch tensors, keeps the type and shape, and is its own inverse. Betas need no
change; triangle winding must be reversed (``HandModelData.faces`` does it).
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hand3r_ros.device_constants import constant

ArrayOrTensor = TypeVar('ArrayOrTensor', NDArray[np.floating], Tensor)

_POINT_SIGNS = (-1.0, 1.0, 1.0)
_AXIS_ANGLE_SIGNS = (1.0, -1.0, -1.0)
_ROTATION_SIGNS = ((1.0, -1.0, -1.0), (-1.0, 1.0, 1.0), (-1.0, 1.0, 1.0))


def mirror_points(points: ArrayOrTensor) -> ArrayOrTensor:
    """Mirror images (..., 3) of points (..., 3) across the plane x = 0."""
    return _times(points, _POINT_SIGNS)


def mirror_rotations(rotations: ArrayOrTensor) -> ArrayOrTensor:
    """M R M for rotation matrices (..., 3, 3): the rotations that act on mirrored points as R does on points."""
    return _times(rotations, _ROTATION_SIGNS)


def mirror_axis_angle(axis_angle: ArrayOrTensor) -> ArrayOrTensor:
    """Axis-angle vectors (..., 3) of ``mirror_rotations``: (a, b, c) -> (a, -b, -c)."""
    return _times(axis_angle, _AXIS_ANGLE_SIGNS)


def _times(values: ArrayOrTensor, signs: tuple) -> ArrayOrTensor:
    matrix = np.asarray(signs)
    if isinstance(values, Tensor):
        return values * constant(matrix.ravel().tolist(), values).reshape(matrix.shape)
    values = np.asarray(values)
    dtype = values.dtype if np.issubdtype(values.dtype, np.floating) else np.float64
    return values * matrix.astype(dtype)
