"""Accuracy of hands, cameras and depth: every number the tables report, each with its alignment.

Keypoints are (T, 21, 3) in metres, joint 0 is the wrist; errors are returned per frame in metres unless said
otherwise. Definitions follow the evaluations of HaMeR (PA, root-relative), DexYCB (AUC) and SLAHMR as used by HaWoR
(W, WA); see docs/evaluation.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hand3r_ros.geometry import invert_transform, rotation_angle

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Similarity:
    """Maps points p to ``scale * rotation @ p + translation``."""

    scale: float
    rotation: Array  # (3, 3), determinant +1
    translation: Array  # (3,)

    def apply(self, points: ArrayLike) -> Array:
        """Transformed points (..., 3)."""
        return self.scale * np.asarray(points, float) @ self.rotation.T + self.translation


def fit_similarity(source: ArrayLike, target: ArrayLike, with_scale: bool = True) -> Similarity:
    """Least-squares similarity from ``source`` to ``target``, both (N, 3) (Umeyama 1991); never a reflection."""
    source, target = np.asarray(source, float).reshape(-1, 3), np.asarray(target, float).reshape(-1, 3)
    if source.shape != target.shape or len(source) < 2:
        raise ValueError(f'source and target must be two equal sets of points, got {source.shape} and {target.shape}')
    source_mean, target_mean = source.mean(0), target.mean(0)
    source_centred, target_centred = source - source_mean, target - target_mean
    U, singular, Vt = np.linalg.svd(target_centred.T @ source_centred / len(source))
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(U) * np.linalg.det(Vt)) or 1.0])
    rotation = U @ np.diag(signs) @ Vt
    variance = (source_centred**2).sum() / len(source)
    scale = float((singular * signs).sum() / variance) if with_scale and variance > 0.0 else 1.0
    return Similarity(scale, rotation, target_mean - scale * rotation @ source_mean)


def keypoint_errors(predicted: ArrayLike, truth: ArrayLike) -> Array:
    """C-MPJPE per frame (T,): mean distance in the camera frame without any alignment."""
    return np.linalg.norm(np.asarray(predicted, float) - np.asarray(truth, float), axis=-1).mean(-1)


def root_relative_errors(predicted: ArrayLike, truth: ArrayLike) -> Array:
    """MPJPE per frame (T,) after moving both wrists to the origin."""
    predicted, truth = np.asarray(predicted, float), np.asarray(truth, float)
    return keypoint_errors(predicted - predicted[:, :1], truth - truth[:, :1])


def procrustes_errors(predicted: ArrayLike, truth: ArrayLike) -> Array:
    """PA-MPJPE per frame (T,) after the best similarity of each frame (rotation without reflection)."""
    predicted, truth = np.asarray(predicted, float), np.asarray(truth, float)
    aligned = np.stack([fit_similarity(p, t).apply(p) for p, t in zip(predicted, truth, strict=True)])
    return keypoint_errors(aligned, truth)


def world_errors(predicted: ArrayLike, truth: ArrayLike, first_frames: int = 2) -> Array:
    """W-MPJPE per frame (T,): one similarity fitted on the first frames, applied to the whole clip."""
    predicted, truth = np.asarray(predicted, float), np.asarray(truth, float)
    return keypoint_errors(fit_similarity(predicted[:first_frames], truth[:first_frames]).apply(predicted), truth)


def world_aligned_errors(predicted: ArrayLike, truth: ArrayLike) -> Array:
    """WA-MPJPE per frame (T,): one similarity fitted on all frames of the clip."""
    predicted, truth = np.asarray(predicted, float), np.asarray(truth, float)
    return keypoint_errors(fit_similarity(predicted, truth).apply(predicted), truth)


def area_under_curve(predicted: ArrayLike, truth: ArrayLike, largest: float = 0.05, thresholds: int = 100) -> float:
    """DexYCB's AUC (0..1) of correct keypoints over thresholds 0..``largest`` metres, averaged over the keypoints."""
    distances = np.linalg.norm(np.asarray(predicted, float) - np.asarray(truth, float), axis=-1)
    levels = np.linspace(0.0, largest, thresholds)
    curves = (distances[..., None] <= levels).mean(0)  # (21, thresholds)
    areas = ((curves[:, 1:] + curves[:, :-1]) / 2.0 * np.diff(levels)).sum(-1) / largest
    return float(areas.mean())


def acceleration_errors(predicted: ArrayLike, truth: ArrayLike) -> Array:
    """Difference of second differences per inner frame (T - 2,), metres per frame squared."""
    difference = np.asarray(predicted, float) - np.asarray(truth, float)
    return np.linalg.norm(difference[:-2] - 2.0 * difference[1:-1] + difference[2:], axis=-1).mean(-1)


def trajectory_errors(
    predicted: ArrayLike, truth: ArrayLike, with_scale: bool = False
) -> tuple[float, float, Similarity]:
    """Absolute trajectory error (root mean square, m), mean rotation error (rad) and the alignment used.

    Both are (T, 4, 4) ``T_world_camera``. Positions are aligned by a rigid motion (a similarity with ``with_scale``).
    Rotations are compared relative to the first frame, so that the choice of world does not matter.
    """
    predicted, truth = np.asarray(predicted, float), np.asarray(truth, float)
    alignment = fit_similarity(predicted[:, :3, 3], truth[:, :3, 3], with_scale)
    residual = alignment.apply(predicted[:, :3, 3]) - truth[:, :3, 3]
    relative_predicted = invert_transform(predicted[0]) @ predicted
    relative_truth = invert_transform(truth[0]) @ truth
    difference = np.swapaxes(relative_predicted[:, :3, :3], -1, -2) @ relative_truth[:, :3, :3]
    return float(np.sqrt((residual**2).sum(-1).mean())), float(rotation_angle(difference).mean()), alignment


def relative_pose_errors(predicted: ArrayLike, truth: ArrayLike, delta: int) -> tuple[Array, Array]:
    """Errors of the motion over ``delta`` frames (RPE): distances (T - delta,) in m and angles (T - delta,) in rad.

    Both are (T, 4, 4) ``T_world_camera``; the choice of world does not matter.
    """
    predicted, truth = np.asarray(predicted, float), np.asarray(truth, float)
    motion = invert_transform(predicted[:-delta]) @ predicted[delta:]
    true_motion = invert_transform(truth[:-delta]) @ truth[delta:]
    error = invert_transform(true_motion) @ motion
    return np.linalg.norm(error[:, :3, 3], axis=-1), rotation_angle(error[:, :3, :3])


def depth_errors(predicted: ArrayLike, truth: ArrayLike) -> tuple[float, float]:
    """AbsRel and delta1 (share within a factor of 1.25) over the pixels whose true depth is positive; no alignment."""
    predicted, truth = np.asarray(predicted, float), np.asarray(truth, float)
    valid = truth > 0.0
    predicted, truth = np.maximum(predicted[valid], 1e-6), truth[valid]
    ratio = np.maximum(predicted / truth, truth / predicted)
    return float((np.abs(predicted - truth) / truth).mean()), float((ratio < 1.25).mean())
