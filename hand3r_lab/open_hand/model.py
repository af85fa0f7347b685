"""Puts the open hand together: simplified mesh, rig, shape space, regressor, pose space, blend shapes, quality."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hand3r_lab.open_hand.anthropometry import fit_joint_regressor, random_shapes, shape_space
from hand3r_lab.open_hand.correctives import SkinningProblem, fit_pose_blend_shapes, skinning_errors
from hand3r_lab.open_hand.rigging import make_rig
from hand3r_lab.open_hand.simplification import simplify
from hand3r_lab.open_hand.source import read_source
from hand3r_ros.hand_model.joints import JOINT_PARENTS, NUM_JOINTS
from hand3r_ros.hand_model.pose_prior import INDEPENDENT, sample_poses
from hand3r_ros.hand_model.rig import RIG_PREFIX, HandRig

_SHAPES = 1500
_POSES_FOR_PCA = 20000
_POSES_FOR_BLEND_SHAPES = 1200
_POSES_FOR_TEST = 400
_FLOAT16 = ('shapedirs', 'posedirs')  # offsets of millimetres: rounding costs micrometres


@dataclass(frozen=True)
class OpenHand:
    """Everything that ``open_hand.npz`` holds, and how good it is."""

    arrays: dict[str, NDArray]
    quality: dict[str, float]


def build_open_hand(source: Path, seed: int = 0) -> OpenHand:
    """Builds the open hand from the pinned source file; the same seed gives the same arrays."""
    hand, quality = simplify(read_source(source))
    rng = np.random.default_rng(seed)
    vertices, joints = random_shapes(hand, _SHAPES, rng)
    shapes = shape_space(vertices)
    regressor, errors = fit_joint_regressor(hand, vertices, joints)
    mean_hand = replace(hand, vertices=shapes.template, joints=regressor @ shapes.template)
    rig = make_rig(mean_hand)

    def problem(count: int) -> SkinningProblem:
        half = count // 2
        poses = np.concatenate([sample_poses(rng, half, rig=rig), sample_poses(rng, half, [INDEPENDENT], rig)])
        return SkinningProblem(mean_hand.vertices, mean_hand.weights, mean_hand.joints, poses)

    blend_shapes = fit_pose_blend_shapes(problem(_POSES_FOR_BLEND_SHAPES))
    held_out = problem(_POSES_FOR_TEST)
    before, after = skinning_errors(held_out, None), skinning_errors(held_out, blend_shapes)
    poses = sample_poses(rng, _POSES_FOR_PCA, rig=rig).reshape(_POSES_FOR_PCA, 45)
    mean_pose, components, explained = _principal_components(poses)
    measured = {
        'joint_regressor_error_mean_mm': 1e3 * errors.mean(),
        'joint_regressor_error_max_mm': 1e3 * errors.max(),
        'shape_variance_explained_by_10': shapes.explained,
        'pose_variance_explained_by_6': explained[5],
        'pose_variance_explained_by_12': explained[11],
        'skinning_error_without_blend_shapes_mean_mm': 1e3 * before.mean(),
        'skinning_error_without_blend_shapes_max_mm': 1e3 * before.max(),
        'skinning_error_mean_mm': 1e3 * after.mean(),
        'skinning_error_p99.9_mm': 1e3 * np.quantile(after, 0.999),
        'skinning_error_max_mm': 1e3 * after.max(),
    }
    quality |= {name: float(value) for name, value in measured.items()}
    arrays = {
        'v_template': mean_hand.vertices,
        'shapedirs': shapes.shapedirs,
        'posedirs': blend_shapes,
        'J_regressor': regressor,
        'weights': mean_hand.weights,
        'kintree_table': np.array([[2**32 - 1, *JOINT_PARENTS[1:]], range(NUM_JOINTS)]),
        'f': mean_hand.faces,
        'hands_components': components,
        'hands_mean': mean_pose,
        **{RIG_PREFIX + field.name: getattr(rig, field.name) for field in fields(HandRig)},
    }
    return OpenHand({name: _compact(name, array) for name, array in arrays.items()}, quality)


def _principal_components(poses: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Mean (45,), components in rows (45, 45) with fixed signs, and the cumulated share of the variance (45,)."""
    mean = poses.mean(0)
    _, singular, components = np.linalg.svd(poses - mean, full_matrices=False)
    largest = components[np.arange(45), np.abs(components).argmax(1)]
    return mean, components * np.sign(largest)[:, None], np.cumsum(singular**2) / (singular**2).sum()


def _compact(name: str, array: NDArray) -> NDArray:
    if np.issubdtype(array.dtype, np.integer):
        return array.astype(np.int64 if name == 'kintree_table' else np.uint16)
    return array.astype(np.float16 if name in _FLOAT16 else np.float32)
