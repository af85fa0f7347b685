"""Pose blend shapes: what linear blend skinning lacks to keep the volume of bent joints.

The target is dual-quaternion skinning. Its difference to linear blending depends, for every vertex, only on the
rotations of the joints that move it, so each vertex is fitted to those alone: a bent index finger never moves the
little one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hand3r_lab.open_hand.skinning import dual_quaternion_blend, linear_blend, skinning_transforms
from hand3r_ros.hand_model.joints import NUM_JOINTS

FloatArray = NDArray[np.float64]
_RIDGE = 1e-3
_INFLUENCE = 1e-3  # weights below this move a vertex by micrometres


@dataclass(frozen=True)
class SkinningProblem:
    """A hand at rest and the poses (n, 15, 3) to look at it in."""

    vertices: FloatArray  # (V, 3)
    weights: FloatArray  # (V, 16)
    joints: FloatArray  # (16, 3)
    poses: FloatArray  # (n, 15, 3) axis-angle

    def rotations(self) -> FloatArray:
        """(n, 16, 3, 3) with the identity for the wrist."""
        matrices = Rotation.from_rotvec(self.poses.reshape(-1, 3)).as_matrix().reshape(-1, 15, 3, 3)
        identity = np.broadcast_to(np.eye(3), (len(matrices), 1, 3, 3))
        return np.concatenate([identity, matrices], axis=1)


def fit_pose_blend_shapes(problem: SkinningProblem) -> FloatArray:
    """(V, 3, 135) offsets per entry of R - I, joints 1..15 row-major."""
    rotations = problem.rotations()
    features = (rotations[:, 1:] - np.eye(3)).reshape(len(rotations), 15, 9)
    offsets = np.stack([_rest_offsets(problem, rotation) for rotation in rotations])  # (n, V, 3)
    blend_shapes = np.zeros((len(problem.vertices), 3, 15, 9))
    moved_by = problem.weights[:, 1:] > _INFLUENCE
    for joints in np.unique(moved_by, axis=0):
        if not joints.any():
            continue
        vertices = np.flatnonzero((moved_by == joints).all(1))
        design = features[:, joints].reshape(len(features), -1)
        targets = offsets[:, vertices].reshape(len(features), -1)
        normal = design.T @ design + _RIDGE * np.eye(design.shape[1])
        solution = np.linalg.solve(normal, design.T @ targets).reshape(-1, 9, len(vertices), 3)
        blend_shapes[np.ix_(vertices, np.arange(3), np.flatnonzero(joints))] = solution.transpose(2, 3, 0, 1)
    return blend_shapes.reshape(len(problem.vertices), 3, 135)


def _rest_offsets(problem: SkinningProblem, rotations: FloatArray) -> FloatArray:
    """(V, 3) what to add at rest so that linear blending lands where dual quaternions do."""
    transforms = skinning_transforms(problem.joints, rotations)
    linear, blended = linear_blend(problem.vertices, problem.weights, transforms)
    target = dual_quaternion_blend(problem.vertices, problem.weights, transforms)
    return np.linalg.solve(blended, (target - linear)[..., None])[..., 0]


def skinning_errors(problem: SkinningProblem, blend_shapes: FloatArray | None) -> FloatArray:
    """(n, V) metres between linear blending with ``blend_shapes`` and dual quaternions, for every pose and vertex."""
    errors = np.empty((len(problem.poses), len(problem.vertices)))
    for index, rotations in enumerate(problem.rotations()):
        transforms = skinning_transforms(problem.joints, rotations)
        vertices = problem.vertices
        if blend_shapes is not None:
            vertices = vertices + blend_shapes @ (rotations[1:] - np.eye(3)).reshape(NUM_JOINTS * 9 - 9)
        posed, _ = linear_blend(vertices, problem.weights, transforms)
        target = dual_quaternion_blend(problem.vertices, problem.weights, transforms)
        errors[index] = np.linalg.norm(posed - target, axis=1)
    return errors
