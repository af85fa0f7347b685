"""Linear blend skinning of the open hand in numpy, several times faster on a CPU core than the differentiable layer.

Same surface as ``HandLayer`` for right hands (a test compares them); one person's shape serves all poses of a call.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.joints import FINGERTIP_VERTICES, JOINT_PARENTS, NUM_JOINTS, OPENPOSE_FROM_MANO

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SkinnedHands:
    """Right hands with the wrist joint at the origin, metres."""

    vertices: Array  # (N, 778, 3)
    keypoints: Array  # (N, 21, 3) OpenPose order


def skin_hands(rotations: NDArray, betas: NDArray) -> SkinnedHands:
    """Poses N right hands of one shape.

    Args:
        rotations: (N, 16, 3, 3) global orientation and joint rotations relative to the parent, MANO order.
        betas: (10,) shape coefficients.
    """
    tables = _tables()
    rotations = np.asarray(rotations, np.float32)
    count = len(rotations)
    rest = tables.template + tables.shapes @ np.asarray(betas, np.float32)  # (778, 3)
    joints = tables.regressor @ rest  # (16, 3)
    bend: NDArray[np.float32] = (rotations[:, 1:] - np.eye(3, dtype=np.float32)).reshape(count, -1)
    shaped = (bend @ tables.bends).reshape(count, -1, 3) + (rest - joints[0])
    turn, place = _chain(rotations, joints - joints[0])
    # one affine map per vertex: the joints' maps mixed by the skinning weights
    moves = np.concatenate([turn.reshape(count, NUM_JOINTS, 9), place], axis=-1)
    mixed = tables.weights @ moves  # (N, 778, 12)
    vertices = np.empty(shaped.shape, np.float64)
    _apply(mixed, shaped, vertices)
    own = (joints - joints[0])[None]
    posed_joints = np.einsum('njab,njb->nja', turn, np.broadcast_to(own, place.shape)) + place
    points = np.concatenate([posed_joints, vertices[:, FINGERTIP_VERTICES]], axis=1)
    return SkinnedHands(vertices, points[:, OPENPOSE_FROM_MANO].astype(float))


@dataclass(frozen=True, eq=False)
class _Tables:
    template: NDArray[np.float32]  # (778, 3)
    shapes: NDArray[np.float32]  # (778, 3, 10)
    bends: NDArray[np.float32]  # (135, 2334)
    regressor: NDArray[np.float32]  # (16, 778)
    weights: NDArray[np.float32]  # (778, 16)


@lru_cache(maxsize=1)
def _tables() -> _Tables:
    data = load_open_hand()
    bends = np.ascontiguousarray(data.posedirs.reshape(-1, data.posedirs.shape[-1]).T)
    return _Tables(data.v_template, data.shapedirs, bends, data.J_regressor, data.weights)


def _chain(rotations: NDArray[np.float32], joints: NDArray[np.float32]) -> tuple[NDArray, NDArray]:
    """Maps of the joints from rest to pose: rotations (N, 16, 3, 3) and translations (N, 16, 3)."""
    turn = np.empty_like(rotations)
    origin = np.zeros((len(rotations), NUM_JOINTS, 3), np.float32)  # of the posed joints
    turn[:, 0] = rotations[:, 0]
    for joint in range(1, NUM_JOINTS):
        parent = JOINT_PARENTS[joint]
        turn[:, joint] = turn[:, parent] @ rotations[:, joint]
        origin[:, joint] = origin[:, parent] + turn[:, parent] @ (joints[joint] - joints[parent])
    return turn, origin - (turn @ joints[:, :, None])[..., 0]


@njit(cache=True, fastmath=True)
def _apply(moves: NDArray, points: NDArray, out: NDArray) -> None:
    """Writes (N, V, 3) points after the affine maps (N, V, 12): nine entries of the matrix by rows, translation."""
    for n in range(points.shape[0]):
        for i in range(points.shape[1]):
            x, y, z = points[n, i, 0], points[n, i, 1], points[n, i, 2]
            for k in range(3):
                row = moves[n, i, 3 * k] * x + moves[n, i, 3 * k + 1] * y + moves[n, i, 3 * k + 2] * z
                out[n, i, k] = row + moves[n, i, 9 + k]
