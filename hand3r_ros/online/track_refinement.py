"""Bundle adjustment: depths of tracked features and poses of the frames that observed them.

A network that judges depth from one image errs by tens of per cent, and by another amount at every feature; a pose that
trusts such depths is dragged along. Several views of the same features tell their depths far better, relative to each
other, as soon as the camera has moved a few centimetres. This is a bundle adjustment over a few past views (Triggs et
al., "Bundle adjustment - a modern synthesis"): every feature has one unknown, its depth in the keyframe in which it
was found, which starts from the network's and is held there loosely, so that the scale stays the network's.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hand3r_ros.geometry import Intrinsics, invert_transform, make_transform, project_points, transform_points

FloatArray = NDArray[np.floating]

_ITERATIONS = 3
_LARGEST_STEP = 0.3  # of a logarithmic depth in one iteration
_NEAREST = 1e-3  # m; keeps features that a wrong step puts behind a camera finite


@dataclass(frozen=True)
class RefinementNoise:
    """How far measurements are off, one standard deviation."""

    pixel: float = 0.5
    """Of a feature's place in an image; larger residuals count less (Huber)."""
    log_depth: float = 0.3
    """Of the logarithm of a depth that the network predicts, beside a factor that all share."""
    measured_log_depth: float = 0.01
    """Of the logarithm of a depth that was measured."""


@dataclass(frozen=True)
class Tracks:
    """N features that are being followed; those of one keyframe lie on rays from its camera."""

    pixels: NDArray[np.float32]  # (N, 2) in the last frame
    centers: FloatArray  # (N, 3) m, world, of the keyframe's camera
    rays: FloatArray  # (N, 3) world axes, one metre deep in the keyframe's camera
    log_depth: FloatArray  # (N,) of metres
    predicted_log_depth: FloatArray  # (N,) as first told by the network or a depth camera
    measured: NDArray[np.bool_]  # (N,) True where that is a reading of a depth camera

    @classmethod
    def none(cls) -> Tracks:
        """No feature."""
        none = np.zeros(0)
        return cls(np.zeros((0, 2), np.float32), np.zeros((0, 3)), np.zeros((0, 3)), none, none, np.zeros(0, bool))

    @classmethod
    def on_rays(
        cls,
        pixels: NDArray[np.float32],
        points_camera: FloatArray,
        T_world_camera: FloatArray,
        measured: NDArray[np.bool_] | None = None,
    ) -> Tracks:
        """New features of a keyframe: ``points_camera`` (N, 3) m in front of the camera, ``measured`` or predicted."""
        depth = np.maximum(points_camera[:, 2:], _NEAREST)
        rays = (points_camera / depth) @ T_world_camera[:3, :3].T
        centers = np.broadcast_to(T_world_camera[:3, 3], rays.shape)
        log_depth = np.log(depth[:, 0])
        known = np.zeros(len(depth), bool) if measured is None else measured
        return cls(pixels, centers.astype(float), rays, log_depth, log_depth, known)

    @property
    def points_world(self) -> FloatArray:
        """(N, 3) m."""
        return self.centers + np.exp(self.log_depth)[:, None] * self.rays

    def only(self, chosen: NDArray) -> Tracks:
        """The tracks of a mask or of indices."""
        return Tracks(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def joined(self, other: Tracks) -> Tracks:
        """These and others."""
        pairs = ((getattr(self, field.name), getattr(other, field.name)) for field in fields(self))
        return Tracks(*(np.concatenate(pair) for pair in pairs))


@dataclass(frozen=True)
class PastViews:
    """Where N tracks were in K earlier frames, and from where those were taken."""

    T_camera_world: FloatArray  # (K, 4, 4)
    pixels: NDArray[np.float32]  # (K, N, 2), NaN where a track was not seen yet

    @classmethod
    def none(cls) -> PastViews:
        """No view of no track."""
        return cls(np.zeros((0, 4, 4)), np.zeros((0, 0, 2), np.float32))

    def only(self, chosen: NDArray) -> PastViews:
        """Of the tracks of a mask or of indices."""
        return replace(self, pixels=self.pixels[:, chosen])

    def with_new_tracks(self, count: int) -> PastViews:
        """The same views with ``count`` more tracks that they did not see."""
        unseen = np.full((len(self.pixels), count, 2), np.nan, np.float32)
        return replace(self, pixels=np.concatenate([self.pixels, unseen], axis=1))

    def with_view(
        self, T_camera_world: FloatArray, pixels: NDArray[np.float32], most: int, least_seen: int
    ) -> PastViews:
        """With one more view, of at most ``most``.

        Views that see fewer than ``least_seen`` tracks go first, then one that was taken close to the next; the
        oldest and the new one stay, because far ones tell depths best.
        """
        poses = np.concatenate([self.T_camera_world, T_camera_world[None]])
        seen = np.concatenate([self.pixels, pixels[None].astype(np.float32)])
        useful = np.isfinite(seen[..., 0]).sum(1) >= least_seen
        useful[-1] = True
        poses, seen = poses[useful], seen[useful]
        if len(poses) > most:
            steps = np.linalg.norm(np.diff(invert_transform(poses)[:, :3, 3], axis=0), axis=1)
            gone = 1 + int(np.argmin(steps[1:]))
            poses, seen = np.delete(poses, gone, axis=0), np.delete(seen, gone, axis=0)
        return PastViews(poses, seen)


def refined(
    tracks: Tracks, views: PastViews, T_camera_world: FloatArray, camera: Intrinsics, noise: RefinementNoise
) -> tuple[Tracks, PastViews, FloatArray]:
    """Depths, past poses and the present pose that together explain where the tracks were seen.

    Args:
        tracks: N features, with their pixels in the present frame.
        views: where they were before.
        T_camera_world: (4, 4) first guess of the present pose.
        camera: of the images that pixels refer to.
        noise: of pixels and predicted depths.

    """
    poses = np.concatenate([views.T_camera_world, T_camera_world[None]])
    seen = np.concatenate([views.pixels, tracks.pixels[None]]).astype(float)  # (V, N, 2)
    log_depth = tracks.log_depth
    if not len(log_depth):
        return tracks, views, T_camera_world
    for _ in range(_ITERATIONS):
        pose_steps, depth_steps = _step(replace(tracks, log_depth=log_depth), poses, seen, camera, noise)
        log_depth = log_depth + np.clip(depth_steps, -_LARGEST_STEP, _LARGEST_STEP)
        poses = make_transform(Rotation.from_rotvec(pose_steps[:, 3:]).as_matrix(), pose_steps[:, :3]) @ poses
    return replace(tracks, log_depth=log_depth), replace(views, T_camera_world=poses[:-1]), poses[-1]


def reprojection_errors(tracks: Tracks, T_camera_world: FloatArray, camera: Intrinsics) -> FloatArray:
    """(N,) pixels between where tracks are and where they should be; infinite behind the camera."""
    points = transform_points(T_camera_world, tracks.points_world)
    error = np.linalg.norm(project_points(points, camera) - tracks.pixels, axis=-1)
    return np.where(points[:, 2] > _NEAREST, error, np.inf)


def _step(
    tracks: Tracks, poses: FloatArray, seen: FloatArray, camera: Intrinsics, noise: RefinementNoise
) -> tuple[FloatArray, FloatArray]:
    """One Gauss-Newton step: twists (V, 6) of the poses, in camera axes, and changes (N,) of the logarithmic depths."""
    relative = tracks.points_world - tracks.centers  # the derivative by the logarithmic depth, too
    points = transform_points(poses, tracks.points_world)  # (V, N, 3)
    residual = np.nan_to_num(project_points(points, camera) - seen)
    # Huber's weights; a track that was not seen has none.
    size = np.linalg.norm(residual, axis=-1)
    weight = np.where(np.isfinite(seen[..., 0]) & (points[..., 2] > _NEAREST), 1.0, 0.0) / noise.pixel**2
    weight = weight / np.maximum(1.0, size / (2.0 * noise.pixel))
    by_point = _projection_derivative(points, camera)  # (V, N, 2, 3)
    by_pose = np.concatenate([by_point, np.cross(points[..., None, :], by_point)], axis=-1)  # (V, N, 2, 6)
    by_depth = (by_point @ (relative @ poses[:, :3, :3].transpose(0, 2, 1))[..., None])[..., 0]  # (V, N, 2)
    weighted_pose, weighted_depth = by_pose * weight[..., None, None], by_depth * weight[..., None]
    prior = 1.0 / np.where(tracks.measured, noise.measured_log_depth, noise.log_depth) ** 2  # (N,)
    depth_hessian = (weighted_depth * by_depth).sum((0, 2)) + prior  # (N,)
    depth_gradient = (weighted_depth * residual).sum((0, 2)) + prior * (tracks.log_depth - tracks.predicted_log_depth)
    pose_hessian = np.einsum('vnki,vnkj->vij', weighted_pose, by_pose)
    pose_gradient = np.einsum('vnki,vnk->vi', weighted_pose, residual).ravel()
    mixed = np.einsum('vnki,vnk->nvi', weighted_pose, by_depth).reshape(len(tracks.log_depth), -1)  # (N, 6 V)
    # Depths are eliminated first (Schur complement): each depends on no other.
    reduced = -mixed.T @ (mixed / depth_hessian[:, None])
    for v, block in enumerate(pose_hessian):
        where = slice(6 * v, 6 * v + 6)
        reduced[where, where] += block + 1e-6 * np.trace(block) * np.eye(6) + 1e-9 * np.eye(6)
    pose_steps = np.linalg.solve(reduced, mixed.T @ (depth_gradient / depth_hessian) - pose_gradient)
    depth_steps = -(depth_gradient + mixed @ pose_steps) / depth_hessian
    return pose_steps.reshape(-1, 6), depth_steps


def _projection_derivative(points: FloatArray, camera: Intrinsics) -> FloatArray:
    """(..., 2, 3) of the projection of points (..., 3)."""
    x, y = points[..., 0], points[..., 1]
    inverse = 1.0 / np.maximum(points[..., 2], _NEAREST)
    zero = np.zeros_like(x)
    u = np.stack([camera.fx * inverse, zero, -camera.fx * x * inverse**2], axis=-1)
    v = np.stack([zero, camera.fy * inverse, -camera.fy * y * inverse**2], axis=-1)
    return np.stack([u, v], axis=-2)
