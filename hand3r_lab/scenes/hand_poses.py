"""Articulations of the hand: hinge axes of the finger joints for closing grasps, and a pool of poses per split.

All poses are right hands in MANO's joint order.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hand3r_lab.scenes.splits import POOLS
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.joints import FINGERS, FINGERTIP_VERTICES, OPENPOSE_FINGERS
from hand3r_ros.hand_model.pose_prior import sample_poses

Array = NDArray[np.float64]

POOL_SIZE = 2000
PALM_NORMAL: Array = np.array([0.0, -1.0, 0.0])
_THUMB_CLOSES_TOWARDS: Array = np.array([0.0, -0.5, -0.87])


@lru_cache(maxsize=1)
def flexion_axes() -> Array:
    """(15, 3) unit axes of joints 1..15 at rest; a positive angle closes the finger (right hand)."""
    data = load_open_hand()
    joints = data.J_regressor @ data.v_template
    tips = {name: data.v_template[vertex] for name, vertex in zip(OPENPOSE_FINGERS, FINGERTIP_VERTICES, strict=True)}
    axes = np.zeros((15, 3))
    for number, finger in enumerate(FINGERS):
        chain = np.vstack([joints[1 + 3 * number : 4 + 3 * number], tips[finger]])
        closing = _THUMB_CLOSES_TOWARDS if finger == 'thumb' else PALM_NORMAL
        for link in range(3):
            axis = np.cross(chain[link + 1] - chain[link], closing)
            axes[3 * number + link] = axis / np.linalg.norm(axis)
    return axes


def articulation(flexion: Array, spread: Array, opposition: Array) -> Array:
    """Axis-angle rotations of joints 1..15.

    Args:
        flexion: (N, 5, 3) angles in radians of the fingers in MANO order (thumb last), base to end joint.
        spread: (N, 5) sideways angle of the base joint in radians, positive towards the thumb.
        opposition: (N,) rotation of the thumb around the hand's long axis towards the palm, radians.

    Returns:
        (N, 15, 3) axis-angle.
    """
    axes = flexion_axes().reshape(5, 3, 3)
    rotations = Rotation.from_rotvec((flexion[..., None] * axes).reshape(-1, 3))
    angles = rotations.as_rotvec().reshape(-1, 5, 3, 3)
    base = Rotation.from_rotvec((flexion[:, :, 0, None] * axes[:, 0]).reshape(-1, 3))
    sideways = Rotation.from_rotvec(spread.reshape(-1, 1) * np.array([0.0, 1.0, 0.0]))
    angles[:, :, 0] = (sideways * base).as_rotvec().reshape(-1, 5, 3)
    thumb = Rotation.from_rotvec(angles[:, 4, 0])
    opposed = Rotation.from_rotvec(opposition[:, None] * np.array([1.0, 0.0, 0.0])) * thumb
    angles[:, 4, 0] = opposed.as_rotvec()
    return angles.reshape(-1, 15, 3)


@lru_cache(maxsize=POOLS)
def articulation_pool(seed: int) -> Array:
    """(POOL_SIZE, 15, 3) articulations that the pool seed ``seed`` draws."""
    return sample_poses(np.random.default_rng([seed, 23]), POOL_SIZE)
