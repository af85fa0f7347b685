"""Rigid transforms, quaternions, pinhole projection and the optical/body axis constants.

Naming: ``T_a_b`` is a 4x4 matrix that maps points of frame ``b`` to frame ``a``. Cameras use the optical axes of
REP-103 (x right, y down, z forward); bodies and worlds use x forward, y left, z up. Pixel centres lie at integers
(OpenCV). Everything is numpy; batch dimensions come first and are written ``...``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

Array = NDArray[np.float64]

R_BODY_OPTICAL: Array = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""Rotates optical axes (x right, y down, z forward) to body axes (x forward, y left, z up), REP-103."""


@dataclass(frozen=True)
class Intrinsics:
    """Pinhole camera without distortion, in pixels of an image of ``width`` x ``height``."""

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    @classmethod
    def from_field_of_view(cls, degrees: float, width: int, height: int) -> Intrinsics:
        """Square pixels, principal point in the image centre, horizontal field of view in degrees."""
        focal = width / 2.0 / float(np.tan(np.deg2rad(degrees) / 2.0))
        return cls(focal, focal, (width - 1) / 2.0, (height - 1) / 2.0, width, height)

    def matrix(self) -> Array:
        """(3, 3) matrix K."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def resized(self, width: int, height: int) -> Intrinsics:
        """The same camera after the image was resized to ``width`` x ``height`` (pixel areas map to pixel areas)."""
        sx, sy = width / self.width, height / self.height
        return Intrinsics(
            self.fx * sx, self.fy * sy, (self.cx + 0.5) * sx - 0.5, (self.cy + 0.5) * sy - 0.5, width, height
        )

    def cropped(self, left: int, top: int, width: int, height: int) -> Intrinsics:
        """The same camera after cutting out the window that starts at pixel (``left``, ``top``)."""
        return Intrinsics(self.fx, self.fy, self.cx - left, self.cy - top, width, height)


def make_transform(rotation: ArrayLike, translation: ArrayLike) -> Array:
    """(..., 4, 4) transform from rotations (..., 3, 3) and translations (..., 3)."""
    rotation, translation = np.asarray(rotation, float), np.asarray(translation, float)
    T = np.zeros((*rotation.shape[:-2], 4, 4))
    T[..., :3, :3], T[..., :3, 3], T[..., 3, 3] = rotation, translation, 1.0
    return T


def invert_transform(T_a_b: ArrayLike) -> Array:
    """``T_b_a`` of shape (..., 4, 4)."""
    T = np.asarray(T_a_b, float)
    rotation = np.swapaxes(T[..., :3, :3], -1, -2)
    return make_transform(rotation, -(rotation @ T[..., :3, 3:])[..., 0])


def transform_points(T_a_b: ArrayLike, points_b: ArrayLike) -> Array:
    """Points (..., N, 3) of frame ``b`` in frame ``a``; ``T_a_b`` is (..., 4, 4)."""
    T, points = np.asarray(T_a_b, float), np.asarray(points_b, float)
    return points @ np.swapaxes(T[..., :3, :3], -1, -2) + T[..., None, :3, 3]


def quaternion_from_matrix(rotation: ArrayLike) -> Array:
    """Unit quaternions (..., 4) in ROS order x, y, z, w with w >= 0."""
    rotation = np.asarray(rotation, float)
    flat = Rotation.from_matrix(rotation.reshape(-1, 3, 3)).as_quat()
    flat = np.where(flat[:, 3:] < 0.0, -flat, flat)
    return flat.reshape(*rotation.shape[:-2], 4)


def matrix_from_quaternion(quaternion_xyzw: ArrayLike) -> Array:
    """Rotations (..., 3, 3) from quaternions (..., 4) in ROS order x, y, z, w (any non-zero length)."""
    quaternion = np.asarray(quaternion_xyzw, float)
    return Rotation.from_quat(quaternion.reshape(-1, 4)).as_matrix().reshape(*quaternion.shape[:-1], 3, 3)


def transform_from_pose7(pose: ArrayLike) -> Array:
    """(4, 4) transform from tx, ty, tz, qx, qy, qz, qw (the order of the ``initial_camera_pose`` parameter).

    Raises:
        ValueError: not 7 finite numbers, or a quaternion of zero length.

    """
    pose = np.asarray(pose, float)
    if pose.shape != (7,):
        raise ValueError(f'pose must be 7 numbers tx ty tz qx qy qz qw, got shape {pose.shape}')
    if not np.isfinite(pose).all() or np.linalg.norm(pose[3:]) < 1e-9:
        raise ValueError(f'pose must be finite with a quaternion that is not zero, got {pose.tolist()}')
    return make_transform(matrix_from_quaternion(pose[3:]), pose[:3])


def project_points(points_camera: ArrayLike, intrinsics: Intrinsics) -> Array:
    """Pixels (..., 2) of points (..., 3) in optical axes; points at or behind the camera plane give NaN."""
    points = np.asarray(points_camera, float)
    depth = np.where(points[..., 2] > 1e-9, points[..., 2], np.nan)
    return np.stack(
        [
            intrinsics.fx * points[..., 0] / depth + intrinsics.cx,
            intrinsics.fy * points[..., 1] / depth + intrinsics.cy,
        ],
        axis=-1,
    )


def unproject_depth(depth: ArrayLike, intrinsics: Intrinsics) -> Array:
    """Points (H, W, 3) in optical axes from a depth map (H, W) in metres along z."""
    depth = np.asarray(depth, float)
    if depth.shape != (intrinsics.height, intrinsics.width):
        raise ValueError(
            f'depth must have the shape of its camera ({intrinsics.height}, {intrinsics.width}), got {depth.shape}'
        )
    v, u = np.indices(depth.shape)
    return np.stack(
        [(u - intrinsics.cx) / intrinsics.fx * depth, (v - intrinsics.cy) / intrinsics.fy * depth, depth], axis=-1
    )


def rotation_angle(rotation: ArrayLike) -> Array:
    """Angles (...) in radians, 0..pi, of rotations (..., 3, 3)."""
    rotation = np.asarray(rotation, float)
    return Rotation.from_matrix(rotation.reshape(-1, 3, 3)).magnitude().reshape(rotation.shape[:-2])
