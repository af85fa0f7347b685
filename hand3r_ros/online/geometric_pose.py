"""Camera pose from feature tracks and the predicted pointmap (OpenCV).

A keyframe gives corner features a place in the world: their position in its predicted pointmap, seen from its pose.
Features are followed from frame to frame (``image_features``, after a jump with the help of ``image_motion``); the pose
of a frame is the one under which they project to where they were found (PnP with RANSAC). Then their depths and the
last poses are brought into agreement (``track_refinement``), because predicted depths are far less exact than tracks.
Hands move by themselves and are masked. When too few features are left, the frame becomes the next keyframe.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from hand3r_ros.geometry import Intrinsics, invert_transform, make_transform, transform_points
from hand3r_ros.online.camera_pose import PoseEstimate, PoseMemory, PoseObservation, known_transform
from hand3r_ros.online.config import GeometricPoseConfig
from hand3r_ros.online.image_features import follow, new_features
from hand3r_ros.online.image_motion import expected_places
from hand3r_ros.online.mapping import depth_edges
from hand3r_ros.online.track_refinement import (
    PastViews,
    RefinementNoise,
    Tracks,
    refined,
    reprojection_errors,
)

FloatArray = NDArray[np.floating]

_NO_DISTORTION = np.zeros(4)

_RANSAC_ITERATIONS = 200
_RANSAC_CONFIDENCE = 0.999
_UNREFINED_SHARE = 1.5
"""Of ``reprojection_error``: what a track may be off before its depth is refined."""

_PAST_VIEWS = 8
_VIEW_EVERY = 3
"""Past views that take part in the refinement, and frames between them; keyframes are views too."""

_DEPTH_STEP = 0.1
"""Relative depth step to a neighbouring pixel above which a feature sits on an edge, where its depth is arbitrary."""

_SCALE_MEMORY = 0.9
_LARGEST_LOG_SCALE = 0.7

_SURE_SHARE = 0.3
"""Of the tracks: where fewer agree on a pose, some may have been mistaken for others that look alike nearby."""

_FRAMES_BEFORE_ANCHORING = 15
"""Lost frames after which tracking restarts from the last pose."""


_Solution = tuple[Tracks, PastViews, FloatArray]
"""Consistent tracks, views and ``T_camera_world``."""


@dataclass(frozen=True)
class _View:
    """One frame as features see it: a grey image of moderate size and what the network says about its pixels."""

    gray: NDArray[np.uint8]  # (H', W')
    intrinsics: Intrinsics  # of ``gray``
    observation: PoseObservation

    def to_network(self, pixels: FloatArray) -> FloatArray:
        """Network pixels of grey-image pixels (N, 2)."""
        geometry = self.observation.geometry
        scale = np.array([geometry.source_width / self.gray.shape[1], geometry.source_height / self.gray.shape[0]])
        return geometry.to_network((pixels + 0.5) * scale - 0.5)


class GeometricPose:
    """Visual odometry on predicted geometry; reports a lost pose instead of guessing."""

    def __init__(self, T_world_first: FloatArray, config: GeometricPoseConfig) -> None:
        self._T_world_first = T_world_first
        self.config = config
        self.reset()

    def reset(self) -> None:
        """The next frame is a first one."""
        self._last_gray: NDArray[np.uint8] | None = None
        self._tracks, self._views = Tracks.none(), PastViews.none()
        self._tracks_at_keyframe = 0
        self._frames_since_view = 0
        self._T_world_camera = self._T_world_first
        self._lost_frames = 0

    def update(self, observation: PoseObservation) -> PoseEstimate:
        """The pose of the next frame."""
        view = self._view(observation)
        if self._last_gray is None:
            self._start_keyframe(view)
            self._last_gray = view.gray
            return PoseEstimate(self._T_world_camera)
        solved = self._solve_from(self._last_gray, view)
        if solved is None:
            return self._lost(view)
        self._tracks, self._views, T_camera_world = solved
        self._T_world_camera = invert_transform(T_camera_world)
        self._lost_frames = 0
        self._last_gray = view.gray
        self._frames_since_view += 1
        if observation.scale_found:
            self._start_from_here(view)
        elif len(self._tracks.pixels) < self.config.keyframe_fraction * self._tracks_at_keyframe:
            self._start_keyframe(view)
        elif self._frames_since_view >= _VIEW_EVERY:
            self._keep_view()
        return PoseEstimate(self._T_world_camera)

    def move_network_world(self, T_network_camera: FloatArray, T_world_camera: FloatArray) -> None:
        """Nothing: tracks are kept in the published world."""

    def memory(self) -> PoseMemory:
        """The last image, the features that are followed in it, and where they were before."""
        if self._last_gray is None:
            return {}
        return {
            'gray': self._last_gray,
            **{f.name: getattr(self._tracks, f.name) for f in fields(Tracks)},
            'past_poses': self._views.T_camera_world,
            'past_pixels': self._views.pixels,
            'counts': np.array([self._tracks_at_keyframe, self._lost_frames, self._frames_since_view]),
            'T_world_camera': self._T_world_camera,
        }

    def restore(self, memory: PoseMemory) -> None:
        """Restores what ``memory`` gave."""
        T_world_camera = known_transform(memory, 'T_world_camera')
        if T_world_camera is None:
            self.reset()
            return
        _check_memory(memory)
        self._last_gray = memory['gray']
        self._tracks = Tracks(*(memory[f.name] for f in fields(Tracks)))
        self._views = PastViews(memory['past_poses'], memory['past_pixels'])
        self._tracks_at_keyframe, self._lost_frames, self._frames_since_view = map(int, memory['counts'])
        self._T_world_camera = T_world_camera

    def _lost(self, view: _View) -> PoseEstimate:
        """Keeps looking for the last good frame's features, which return after a blur or a covering hand."""
        self._lost_frames += 1
        if self._lost_frames >= _FRAMES_BEFORE_ANCHORING or view.observation.scale_found:
            self._start_from_here(view)
            self._last_gray = view.gray
            self._lost_frames = 0
        return PoseEstimate(self._T_world_camera, tracked=False)

    def _start_from_here(self, view: _View) -> None:
        """Features of this frame alone, seen from the last pose."""
        self._tracks, self._views = Tracks.none(), PastViews.none()
        self._start_keyframe(view)

    def _view(self, observation: PoseObservation) -> _View:
        gray = cv2.cvtColor(observation.image, cv2.COLOR_RGB2GRAY)
        camera = observation.source_intrinsics
        scale = self.config.tracking_long_side / max(gray.shape)
        if scale < 1.0:
            width, height = max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale))
            gray = cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA)
            camera = camera.resized(width, height)
        return _View(np.asarray(gray, np.uint8), camera, observation)

    def _solve_from(self, last_gray: NDArray[np.uint8], view: _View) -> _Solution | None:
        """From tracks that did not move far, as from one frame to the next; if few agree, also from anywhere."""
        near = self._solve(*self._follow(last_gray, view), view)
        if near is not None and len(near[0].pixels) >= _SURE_SHARE * len(self._tracks.pixels):
            return near
        found = [solution for solution in (near, self._solve_far(last_gray, view)) if solution is not None]
        return max(found, key=lambda solution: len(solution[0].pixels), default=None)

    def _solve_far(self, last_gray: NDArray[np.uint8], view: _View) -> _Solution | None:
        """From tracks that may be anywhere: after dropped frames, a fast turn, or a time without a pose."""
        places = expected_places(last_gray, view.gray, self._tracks.pixels)
        return None if places is None else self._solve(*self._follow(last_gray, view, places), view)

    def _follow(
        self, last_gray: NDArray[np.uint8], view: _View, places: NDArray[np.float32] | None = None
    ) -> tuple[Tracks, PastViews]:
        """The tracks that are found again in the new frame, near the given places, off the hands."""
        pixels, good = follow(last_gray, view.gray, self._tracks.pixels, places)
        good &= ~self._on_moving(view, pixels)
        return replace(self._tracks, pixels=pixels).only(good), self._views.only(good)

    @staticmethod
    def _on_moving(view: _View, pixels: FloatArray) -> NDArray[np.bool_]:
        """(N,) True for pixels on hands; those outside the network's image count as still."""
        moving = view.observation.moving
        column, row = np.rint(np.nan_to_num(view.to_network(pixels))).astype(int).T
        inside = (column >= 0) & (row >= 0) & (column < moving.shape[1]) & (row < moving.shape[0])
        result = np.zeros(len(pixels), bool)
        result[inside] = moving[row[inside], column[inside]]
        return result

    def _solve(self, tracks: Tracks, views: PastViews, view: _View) -> _Solution | None:
        """None when there is no pose that enough tracks agree on."""
        found = self._consensus(tracks.only(tracks.measured), view) if tracks.measured.any() else None
        if found is not None:  # depths that were measured decide; the others may join
            limit = _UNREFINED_SHARE * self.config.reprojection_error
            found = found[0], np.nonzero(reprojection_errors(tracks, found[0], view.intrinsics) < limit)[0]
        found = found or self._consensus(tracks, view)
        if found is None:
            return None
        T_camera_world, chosen = found
        tracks, views = tracks.only(chosen), views.only(chosen)
        tracks, views, T_camera_world = refined(tracks, views, T_camera_world, view.intrinsics, RefinementNoise())
        kept = reprojection_errors(tracks, T_camera_world, view.intrinsics) < self.config.reprojection_error
        if np.count_nonzero(kept) < self.config.min_inliers or not np.isfinite(T_camera_world).all():
            return None
        return tracks.only(kept), views.only(kept), T_camera_world

    def _consensus(self, tracks: Tracks, view: _View) -> tuple[FloatArray, NDArray[np.intp]] | None:
        """``T_camera_world`` that most tracks agree on, and those; whatever moves by itself is not among them."""
        if len(tracks.pixels) < self.config.min_inliers:
            return None
        T_guess = invert_transform(self._T_world_camera)
        rotation, _ = cv2.Rodrigues(T_guess[:3, :3])
        solved, rotation, translation, inliers = cv2.solvePnPRansac(
            tracks.points_world,
            tracks.pixels.astype(np.float64),
            view.intrinsics.matrix(),
            _NO_DISTORTION,
            rotation,
            T_guess[:3, 3:].copy(),
            useExtrinsicGuess=True,
            iterationsCount=_RANSAC_ITERATIONS,
            reprojectionError=_UNREFINED_SHARE * self.config.reprojection_error,
            confidence=_RANSAC_CONFIDENCE,
            flags=cv2.SOLVEPNP_ITERATIVE,
        )
        if not solved or inliers is None or len(inliers) < self.config.min_inliers:
            return None
        return make_transform(cv2.Rodrigues(rotation)[0], translation.ravel()), inliers.ravel().astype(np.intp)

    def _start_keyframe(self, view: _View) -> None:
        """Adds new features, with their places in the world, to the tracks that are left."""
        pixels = new_features(view.gray, self._tracks.pixels, self.config.max_features)
        if len(pixels):
            points_camera, usable = _points_at(view, pixels)
            scale = self._scale_of_tracks(view)
            known = _measured_at(view, pixels)[usable]
            added = Tracks.on_rays(pixels[usable], scale * points_camera[usable], self._T_world_camera, known)
            self._tracks = self._tracks.joined(added)
            self._views = self._views.with_new_tracks(len(added.pixels))
        self._tracks_at_keyframe = len(self._tracks.pixels)
        self._keep_view()

    def _keep_view(self) -> None:
        """Makes the present frame a past view."""
        T_camera_world = invert_transform(self._T_world_camera)
        self._views = self._views.with_view(
            T_camera_world, self._tracks.pixels, _PAST_VIEWS, least_seen=self.config.min_inliers
        )
        self._frames_since_view = 0

    def _scale_of_tracks(self, view: _View) -> float:
        """Factor that brings this frame's predicted distances to those of the tracks that are left.

        A network misjudges the size of the scene by another factor in every frame, which would bend the path at
        every keyframe. Most of the factor is taken out; a little is left in, so that the path follows the
        network's mean scale instead of its first one. Where depth was measured there is nothing to bring anywhere.
        """
        if view.observation.measured is not None or len(self._tracks.pixels) < self.config.min_inliers:
            return 1.0
        predicted, usable = _points_at(view, self._tracks.pixels)
        tracked = transform_points(invert_transform(self._T_world_camera), self._tracks.points_world)
        usable &= (predicted[:, 2] > 0.0) & (tracked[:, 2] > 0.0)
        if np.count_nonzero(usable) < self.config.min_inliers:
            return 1.0
        ratio = np.median(np.log(tracked[usable, 2] / predicted[usable, 2]))
        return float(np.exp(_SCALE_MEMORY * np.clip(ratio, -_LARGEST_LOG_SCALE, _LARGEST_LOG_SCALE)))


def _check_memory(memory: PoseMemory) -> None:
    """Raises ValueError for a memory that is not that of a geometric pose, or is damaged."""
    shapes: dict[str, tuple[str, tuple[int | str, ...]]] = {
        'gray': ('uint8', ('H', 'W')),
        'pixels': ('float32', ('N', 2)),
        'centers': ('float64', ('N', 3)),
        'rays': ('float64', ('N', 3)),
        'log_depth': ('float64', ('N',)),
        'predicted_log_depth': ('float64', ('N',)),
        'measured': ('bool', ('N',)),
        'past_poses': ('float64', ('K', 4, 4)),
        'past_pixels': ('float32', ('K', 'N', 2)),
        'counts': ('int64', (3,)),
    }
    sizes: dict[int | str, int] = {}
    for name, (dtype, shape) in shapes.items():
        array = memory.get(name)
        if array is None or str(array.dtype) != dtype or array.ndim != len(shape):
            raise ValueError(f'the memory of the camera pose does not hold the {name} of a geometric pose')
        for wanted, found in zip(shape, array.shape, strict=True):
            if found != (wanted if isinstance(wanted, int) else sizes.setdefault(wanted, found)):
                raise ValueError(f'{name} in the memory of the camera pose has the wrong shape {array.shape}')
        if name != 'past_pixels' and not np.isfinite(array).all():  # past pixels are unknown where nothing was seen
            raise ValueError(f'{name} in the memory of the camera pose is not finite')
    if not memory['gray'].size or memory['counts'].min() < 0:
        raise ValueError('the memory of the camera pose has no last image, or counts below zero')


def _points_at(view: _View, pixels: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Predicted points (N, 3) at grey-image pixels on the ray of the camera, and which of them (N,) can be used."""
    observation = view.observation
    depth = observation.points_camera[..., 2].astype(np.float32)
    at = view.to_network(pixels)
    height, width = depth.shape
    inside = (at[:, 0] >= 1) & (at[:, 1] >= 1) & (at[:, 0] <= width - 2) & (at[:, 1] <= height - 2)
    column, row = np.rint(np.where(inside[:, None], at, 0.0)).astype(int).T
    bad = observation.moving | depth_edges(depth, _DEPTH_STEP) | ~np.isfinite(depth) | (depth <= 0.0)
    sure = observation.confidence >= np.percentile(observation.confidence, 10)
    usable = inside & ~bad[row, column] & sure[row, column]
    z = cv2.remap(np.nan_to_num(depth), at[:, 0].astype(np.float32), at[:, 1].astype(np.float32), cv2.INTER_LINEAR)
    rays = (pixels - np.array([view.intrinsics.cx, view.intrinsics.cy])) / np.array(
        [view.intrinsics.fx, view.intrinsics.fy]
    )
    return np.column_stack([rays, np.ones(len(pixels))]) * z.reshape(-1, 1).astype(float), usable


def _measured_at(view: _View, pixels: FloatArray) -> NDArray[np.bool_]:
    """(N,) True for grey-image pixels inside the network's image whose depth, neighbours included, was measured."""
    measured = view.observation.measured
    if measured is None:
        return np.zeros(len(pixels), bool)
    column, row = np.floor(view.to_network(pixels)).astype(int).T
    height, width = measured.shape
    inside = (column >= 0) & (row >= 0) & (column < width - 1) & (row < height - 1)
    column, row = np.where(inside, column, 0), np.where(inside, row, 0)
    whole = measured[row, column] & measured[row + 1, column] & measured[row, column + 1]
    return np.asarray(inside & whole & measured[row + 1, column + 1])
