"""Penetration depth of the fingers of a posed hand into each other and the palm, with capsules around the bones.

Fast and approximate: good enough to reject impossible poses, not to resolve contact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hand3r_ros.hand_model.joints import JOINT_PARENTS, NUM_JOINTS
from hand3r_ros.hand_model.rig import HandRig

FloatArray = NDArray[np.float64]

_WEB_SLACK = 0.004  # m by which the roots of neighbouring fingers may overlap: they share skin
_PALM = (1, 4, 10, 7)  # knuckles; a capsule runs from the wrist towards each
_PALM_LENGTH = 0.75  # of the way to the knuckle, which the finger itself covers


def posed_points(axis_angle: FloatArray, rig: HandRig) -> FloatArray:
    """(n, 21, 3) joints in MANO order and fingertips (index, middle, little, ring, thumb) of the mean hand.

    ``axis_angle`` is (n, 15, 3); the global rotation is the identity.
    """
    local = Rotation.from_rotvec(axis_angle.reshape(-1, 3)).as_matrix().reshape(-1, 15, 3, 3)
    rotations = np.zeros((len(local), NUM_JOINTS, 3, 3))
    points = np.zeros((len(local), NUM_JOINTS + 5, 3))
    rotations[:, 0], points[:, 0] = np.eye(3), rig.joints[0]
    for joint in range(1, NUM_JOINTS):
        parent = JOINT_PARENTS[joint]
        rotations[:, joint] = rotations[:, parent] @ local[:, joint - 1]
        points[:, joint] = points[:, parent] + rotations[:, parent] @ (rig.joints[joint] - rig.joints[parent])
    for finger in range(5):
        joint = 3 * finger + 3
        points[:, 16 + finger] = points[:, joint] + rotations[:, joint] @ (rig.fingertips[finger] - rig.joints[joint])
    return points


def penetration_depth(axis_angle: FloatArray, rig: HandRig) -> FloatArray:
    """(n,) metres of the deepest penetration between different fingers or finger and palm; negative: a gap.

    ``axis_angle`` is (n, 15, 3), MANO order.
    """
    points = posed_points(axis_angle, rig)
    start, end, radii = _capsules(points, rig)
    first, second, slack = _PAIRS
    distance = segment_distance(start[:, first], end[:, first], start[:, second], end[:, second])
    return (radii[first] + radii[second] - slack - distance).max(axis=1)


def segment_distance(a0: FloatArray, a1: FloatArray, b0: FloatArray, b1: FloatArray) -> FloatArray:
    """(...) smallest distances between the segments a0-a1 and b0-b1, all (..., 3).

    The closest points lie inside both segments or at one of the four ends, so the least of those five is exact.
    """
    u, v, w = a1 - a0, b1 - b0, a0 - b0
    uu, uv, vv = _dot(u, u), _dot(u, v), _dot(v, v)
    uw, vw = _dot(u, w), _dot(v, w)
    determinant = np.maximum(uu * vv - uv * uv, 1e-18)
    s = np.clip((uv * vw - vv * uw) / determinant, 0.0, 1.0)[..., None]
    t = np.clip((uu * vw - uv * uw) / determinant, 0.0, 1.0)[..., None]
    inside = np.linalg.norm(w + s * u - t * v, axis=-1)
    ends = [
        _point_segment(a0, b0, b1),
        _point_segment(a1, b0, b1),
        _point_segment(b0, a0, a1),
        _point_segment(b1, a0, a1),
    ]
    return np.minimum.reduce([inside, *ends])


def _point_segment(point: FloatArray, start: FloatArray, end: FloatArray) -> FloatArray:
    along = end - start
    fraction = np.clip(_dot(point - start, along) / np.maximum(_dot(along, along), 1e-18), 0.0, 1.0)
    return np.linalg.norm(point - start - fraction[..., None] * along, axis=-1)


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    return (a * b).sum(-1)


def _capsules(points: FloatArray, rig: HandRig) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Axes (n, 19, 3) twice and radii (19,): 15 finger bones in MANO order, then four of the palm."""
    start = np.concatenate([points[:, 1:16], np.repeat(points[:, :1], len(_PALM), axis=1)], axis=1)
    ends = [16 + (joint - 1) // 3 if joint % 3 == 0 else joint + 1 for joint in range(1, NUM_JOINTS)]
    end = points[:, [*ends, *_PALM]].copy()
    end[:, 15:] = start[:, 15:] + _PALM_LENGTH * (end[:, 15:] - start[:, 15:])
    radii = np.concatenate([rig.bone_radii[1:], np.full(len(_PALM), rig.bone_radii[0])])
    for finger in range(5):  # the round end of the capsule is the fingertip
        last = 3 * finger + 2
        along = end[:, last] - start[:, last]
        length = np.linalg.norm(along, axis=-1, keepdims=True)
        end[:, last] -= along / length * np.minimum(radii[last], 0.8 * length)
    return start, end, radii


def _candidate_pairs() -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]:
    """Pairs of capsules that can meet, and the overlap each pair is allowed."""
    pairs = []
    for a in range(15):
        for b in range(a + 1, 15):
            if a // 3 == b // 3 or (a == 12 and b % 3 == 0) or (b == 12 and a % 3 == 0):
                continue  # same finger, or the root of the thumb, which is part of the palm
            both_roots = a % 3 == 0 and b % 3 == 0
            pairs.append((a, b, 2.0 * _WEB_SLACK if both_roots else _WEB_SLACK / 2.0))
        if a % 3 == 2 or (a % 3 == 1 and a < 12):
            pairs.extend((a, 15 + palm, _WEB_SLACK) for palm in range(len(_PALM)))
    first, second, slack = zip(*pairs, strict=True)
    return np.array(first), np.array(second), np.array(slack)


_PAIRS = _candidate_pairs()
