"""Finger poses in anatomical angles (flexion, spread, twist) and their conversion to MANO joint rotations.

Angles are radians and count from the rest pose of the open hand, whose fingers are almost straight. Rows per finger
follow the MANO joints: index, middle, little, ring, thumb; columns of flexion go from the base of the finger outwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

FloatArray = NDArray[np.float64]

_FINGER_FLEXION = ((-25.0, 90.0), (-5.0, 105.0), (-5.0, 75.0))
_THUMB_FLEXION = ((-20.0, 45.0), (-15.0, 60.0), (-15.0, 80.0))
FLEXION_LIMITS: FloatArray = np.deg2rad([_FINGER_FLEXION] * 4 + [_THUMB_FLEXION])
"""(5, 3, 2) lowest and highest flexion of each joint."""

SPREAD_LIMITS: FloatArray = np.deg2rad([(-10.0, 20.0), (-12.0, 12.0), (-12.0, 25.0), (-8.0, 15.0), (-20.0, 35.0)])
"""(5, 2) lowest and highest spread at the base of each finger."""

TWIST_LIMITS: FloatArray = np.deg2rad([(-5.0, 5.0)] * 4 + [(-10.0, 40.0)])
"""(5, 2) lowest and highest twist at the base of each finger."""

SPREAD_SIGNS = np.array([1.0, 1.0, -1.0, -1.0, 1.0])  # about the dorsal axis
TWIST_SIGNS = np.array([1.0, 1.0, 1.0, 1.0, -1.0])  # about the bone


@dataclass(frozen=True)
class Articulation:
    """The degrees of freedom of n hands.

    ``spread`` moves index, ring and little away from the middle finger, the middle finger towards the thumb, and the
    thumb out of the plane of the palm. ``twist`` turns a finger about its own length; for the thumb it is the
    pronation that lets its pad face the fingers.
    """

    flexion: FloatArray  # (n, 5, 3)
    spread: FloatArray  # (n, 5)
    twist: FloatArray  # (n, 5)

    def limited(self) -> Articulation:
        """The nearest articulation within the joint limits; bent fingers spread less."""
        flexion = np.clip(self.flexion, FLEXION_LIMITS[..., 0], FLEXION_LIMITS[..., 1])
        freedom = np.ones(flexion.shape[:2])
        freedom[:, :4] = np.clip(1.0 - 0.8 * flexion[:, :4, 0] / FLEXION_LIMITS[:4, 0, 1], 0.2, 1.0)
        spread = np.clip(self.spread, SPREAD_LIMITS[:, 0] * freedom, SPREAD_LIMITS[:, 1] * freedom)
        return Articulation(flexion, spread, np.clip(self.twist, TWIST_LIMITS[:, 0], TWIST_LIMITS[:, 1]))

    def __getitem__(self, index: NDArray) -> Articulation:
        """The articulations that a mask or an index array selects."""
        return Articulation(self.flexion[index], self.spread[index], self.twist[index])


def axis_angle_from_articulation(articulation: Articulation, bone_frames: ArrayLike) -> FloatArray:
    """(n, 15, 3) axis-angle rotations of the joints 1..15 in MANO order, relative to the parent.

    Args:
        articulation: the angles of n hands.
        bone_frames: (16, 3, 3) ``HandRig.bone_frames``.
    """
    frames = np.asarray(bone_frames, float)[1:].reshape(5, 3, 3, 3)
    flexion_axes, dorsal_axes, bone_axes = frames[..., 0], frames[:, 0, :, 1], frames[:, 0, :, 2]
    hands = len(articulation.flexion)
    vectors = articulation.flexion[..., None] * flexion_axes  # (n, 5, 3, 3)
    base = (
        Rotation.from_rotvec(vectors[:, :, 0].reshape(-1, 3))
        * Rotation.from_rotvec(((articulation.spread * SPREAD_SIGNS)[..., None] * dorsal_axes).reshape(-1, 3))
        * Rotation.from_rotvec(((articulation.twist * TWIST_SIGNS)[..., None] * bone_axes).reshape(-1, 3))
    )
    vectors[:, :, 0] = base.as_rotvec().reshape(hands, 5, 3)
    return vectors.reshape(hands, 15, 3)
