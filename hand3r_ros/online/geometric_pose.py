"""Camera pose from feature tracks and the predicted pointmap (OpenCV).

A keyframe gives corner features a place in the world: their position in its predicted pointmap, seen from its pose.
Features are followed from frame to frame (pyramidal Lucas-Kanade, checked backwards); the pose of a frame is the one
under which they project to where they were found (PnP with RANSAC). Hands move by themselves and are masked. When too
few features are left, the frame becomes the next keyframe.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from hand3r_ros.geometry import Intrinsics, invert_transform, make_transform, transform_points
from hand3r_ros.online.camera_pose import PoseEstimate, PoseMemory, PoseObservation, known_transform
from hand3r_ros.online.config import GeometricPoseConfig
from hand3r_ros.online.mapping import depth_edges

FloatArray = NDArray[np.floating]

_NO_DISTORTION = np.zeros(4)

_RANSAC_ITERATIONS = 200
_RANSAC_CONFIDENCE = 0.999
_LARGEST_RETURN_ERROR = 0.7
"""Pixels by which a feature may miss its start when it is tracked forth and back."""

_DEPTH_STEP = 0.1
"""Relative depth step to a neighbouring pixel above which a feature sits on an edge, where its depth is arbitrary."""

_SCALE_MEMORY = 0.9
_LARGEST_LOG_SCALE = 0.7

_GRID = (6, 8)
"""Rows and columns of cells over which features are spread."""

_FRAMES_BEFORE_ANCHORING = 15
"""Lost frames after which tracking starts anew from the last pose."""


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


@dataclass(frozen=True)
class _Tracks:
    """Features that are being followed."""

    pixels: NDArray[np.float32]  # (N, 2) in the last frame
    points_world: FloatArray  # (N, 3) m


class GeometricPose:
    """Visual odometry on predicted geometry; reports a lost pose instead of guessing."""

    def __init__(self, T_world_first: FloatArray, config: GeometricPoseConfig) -> None:
        self._T_world_first = T_world_first
        self.config = config
        self.reset()

    def reset(self) -> None:
        """The next frame is a first one."""
        self._last_gray: NDArray[np.uint8] | None = None
        self._tracks = _Tracks(np.zeros((0, 2), np.float32), np.zeros((0, 3)))
        self._tracks_at_keyframe = 0
        self._T_world_camera = self._T_world_first
        self._lost_frames = 0

    def update(self, observation: PoseObservation) -> PoseEstimate:
        """The pose of the next frame."""
        view = self._view(observation)
        if self._last_gray is None:
            self._start_keyframe(view)
            self._last_gray = view.gray
            return PoseEstimate(self._T_world_camera)
        followed = self._follow(self._last_gray, view)
        solved = self._solve(followed, view)
        if solved is None:
            return self._lost(view)
        self._T_world_camera, self._tracks = solved
        self._lost_frames = 0
        self._last_gray = view.gray
        if len(self._tracks.pixels) < self.config.keyframe_fraction * self._tracks_at_keyframe:
            self._start_keyframe(view)
        return PoseEstimate(self._T_world_camera)

    def move_network_world(self, T_network_camera: FloatArray, T_world_camera: FloatArray) -> None:
        """Nothing: tracks are kept in the published world."""

    def memory(self) -> PoseMemory:
        """The last image and the features that are followed in it."""
        if self._last_gray is None:
            return {}
        return {
            'gray': self._last_gray,
            'pixels': self._tracks.pixels,
            'points_world': self._tracks.points_world,
            'counts': np.array([self._tracks_at_keyframe, self._lost_frames]),
            'T_world_camera': self._T_world_camera,
        }

    def restore(self, memory: PoseMemory) -> None:
        """Goes on from there."""
        T_world_camera = known_transform(memory, 'T_world_camera')
        if T_world_camera is None:
            self.reset()
            return
        expected = {
            'gray': ('uint8', 2),
            'pixels': ('float32', 2),
            'points_world': ('float64', 2),
            'counts': ('int64', 1),
        }
        found = {name: (str(memory[name].dtype), memory[name].ndim) for name in expected if name in memory}
        if found != expected or len(memory['pixels']) != len(memory['points_world']) or len(memory['counts']) != 2:
            raise ValueError('the memory of the camera pose does not hold the tracks of a geometric pose')
        self._last_gray = memory['gray']
        self._tracks = _Tracks(memory['pixels'], memory['points_world'])
        self._tracks_at_keyframe, self._lost_frames = (int(count) for count in memory['counts'])
        self._T_world_camera = T_world_camera

    def _lost(self, view: _View) -> PoseEstimate:
        """Keeps looking for the last good frame's features, which return after a blur or a covering hand."""
        self._lost_frames += 1
        if self._lost_frames >= _FRAMES_BEFORE_ANCHORING:
            self._tracks = replace(
                self._tracks, pixels=self._tracks.pixels[:0], points_world=self._tracks.points_world[:0]
            )
            self._start_keyframe(view)
            self._last_gray = view.gray
            self._lost_frames = 0
        return PoseEstimate(self._T_world_camera, tracked=False)

    def _view(self, observation: PoseObservation) -> _View:
        gray = cv2.cvtColor(observation.image, cv2.COLOR_RGB2GRAY)
        camera = observation.source_intrinsics
        scale = self.config.tracking_long_side / max(gray.shape)
        if scale < 1.0:
            width, height = max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale))
            gray = cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA)
            camera = camera.resized(width, height)
        return _View(np.asarray(gray, np.uint8), camera, observation)

    def _follow(self, last_gray: NDArray[np.uint8], view: _View) -> _Tracks:
        """The tracks that are found again in the new frame, off the hands."""
        if not len(self._tracks.pixels):
            return self._tracks
        start = self._tracks.pixels
        pixels, found = _flow(last_gray, view.gray, start)
        back, returned = _flow(view.gray, last_gray, pixels)
        good = found & returned & (np.linalg.norm(back - start, axis=1) < _LARGEST_RETURN_ERROR)
        good &= ((pixels >= 0) & (pixels <= np.array([view.gray.shape[1] - 1, view.gray.shape[0] - 1]))).all(axis=1)
        good &= ~self._on_moving(view, pixels)
        return _Tracks(pixels[good], self._tracks.points_world[good])

    @staticmethod
    def _on_moving(view: _View, pixels: FloatArray) -> NDArray[np.bool_]:
        """(N,) True for pixels on hands; those outside the network's image count as still."""
        moving = view.observation.moving
        column, row = np.rint(np.nan_to_num(view.to_network(pixels))).astype(int).T
        inside = (column >= 0) & (row >= 0) & (column < moving.shape[1]) & (row < moving.shape[0])
        result = np.zeros(len(pixels), bool)
        result[inside] = moving[row[inside], column[inside]]
        return result

    def _solve(self, tracks: _Tracks, view: _View) -> tuple[FloatArray, _Tracks] | None:
        """Pose and consistent tracks; None when there is no pose that enough tracks agree on."""
        if len(tracks.pixels) < self.config.min_inliers:
            return None
        T_guess = invert_transform(self._T_world_camera)
        rotation, _ = cv2.Rodrigues(T_guess[:3, :3])
        matrix = view.intrinsics.matrix()
        pixels = tracks.pixels.astype(np.float64)
        solved, rotation, translation, inliers = cv2.solvePnPRansac(
            tracks.points_world,
            pixels,
            matrix,
            _NO_DISTORTION,
            rotation,
            T_guess[:3, 3:].copy(),
            useExtrinsicGuess=True,
            iterationsCount=_RANSAC_ITERATIONS,
            reprojectionError=self.config.reprojection_error,
            confidence=_RANSAC_CONFIDENCE,
            flags=cv2.SOLVEPNP_ITERATIVE,
        )
        if not solved or inliers is None or len(inliers) < self.config.min_inliers:
            return None
        chosen = inliers.ravel()
        kept = _Tracks(tracks.pixels[chosen], tracks.points_world[chosen])
        rotation, translation = cv2.solvePnPRefineLM(
            kept.points_world, pixels[chosen], matrix, _NO_DISTORTION, rotation, translation
        )
        T_camera_world = make_transform(cv2.Rodrigues(rotation)[0], translation.ravel())
        if not np.isfinite(T_camera_world).all():
            return None
        return invert_transform(T_camera_world), kept

    def _start_keyframe(self, view: _View) -> None:
        """Adds new features, with their places in the world, to the tracks that are left."""
        pixels = new_features(view.gray, self._tracks.pixels, self.config.max_features)
        if len(pixels):
            points_camera, usable = _points_at(view, pixels)
            scale = self._scale_of_tracks(view)
            points_world = transform_points(self._T_world_camera, scale * points_camera[usable])
            self._tracks = _Tracks(
                np.concatenate([self._tracks.pixels, pixels[usable]]),
                np.concatenate([self._tracks.points_world, points_world]),
            )
        self._tracks_at_keyframe = len(self._tracks.pixels)

    def _scale_of_tracks(self, view: _View) -> float:
        """Factor that brings this frame's predicted distances to those of the tracks that are left.

        A network misjudges the size of the scene by another factor in every frame, which would bend the path at
        every keyframe. Most of the factor is taken out; a little is left in, so that the path follows the
        network's mean scale instead of its first one.
        """
        if len(self._tracks.pixels) < self.config.min_inliers:
            return 1.0
        predicted, usable = _points_at(view, self._tracks.pixels)
        tracked = transform_points(invert_transform(self._T_world_camera), self._tracks.points_world)
        usable &= (predicted[:, 2] > 0.0) & (tracked[:, 2] > 0.0)
        if np.count_nonzero(usable) < self.config.min_inliers:
            return 1.0
        ratio = np.median(np.log(tracked[usable, 2] / predicted[usable, 2]))
        return float(np.exp(_SCALE_MEMORY * np.clip(ratio, -_LARGEST_LOG_SCALE, _LARGEST_LOG_SCALE)))


def new_features(gray: NDArray[np.uint8], taken: NDArray[np.float32], wanted: int) -> NDArray[np.float32]:
    """Corners (N, 2) away from those already ``taken`` (M, 2), so that M + N is about ``wanted``.

    Every cell of a grid gets its share: one richly textured thing, which may be the one that moves, must not
    outnumber the rest of the scene.
    """
    height, width = gray.shape
    spacing = max(3, round(max(height, width) / 80))
    free = np.full(gray.shape, 255, np.uint8)
    for x, y in taken:
        cv2.circle(free, (round(float(x)), round(float(y))), spacing, (0,), -1)
    corners = cv2.goodFeaturesToTrack(gray, 4 * wanted, 0.003, spacing, mask=free)
    if corners is None:
        return np.zeros((0, 2), np.float32)
    pixels = np.asarray(corners, np.float32).reshape(-1, 2)  # strongest first
    share = max(1, round(wanted / (_GRID[0] * _GRID[1]) * 1.5))
    room = np.full(_GRID[0] * _GRID[1], share)
    np.subtract.at(room, _cells(taken, width, height), 1)
    chosen = []
    for index, cell in enumerate(_cells(pixels, width, height)):
        if room[cell] > 0:
            room[cell] -= 1
            chosen.append(index)
    return pixels[chosen[: max(0, wanted - len(taken))]]


def _cells(pixels: NDArray[np.float32], width: int, height: int) -> NDArray[np.int64]:
    """(N,) grid cell of each pixel (N, 2)."""
    rows, columns = _GRID
    column = np.clip(pixels[:, 0] * columns / width, 0, columns - 1).astype(np.int64)
    row = np.clip(pixels[:, 1] * rows / height, 0, rows - 1).astype(np.int64)
    return row * columns + column


def _flow(
    first: NDArray[np.uint8], second: NDArray[np.uint8], pixels: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Where pixels (N, 2) of the first image are in the second (N, 2), and which of them (N,) were found."""
    guess = pixels.reshape(-1, 1, 2).copy()
    moved, found, _ = cv2.calcOpticalFlowPyrLK(
        first, second, pixels.reshape(-1, 1, 2), guess, winSize=(21, 21), maxLevel=4
    )
    return np.asarray(moved, np.float32).reshape(-1, 2), np.asarray(found).ravel() == 1


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
