"""One camera frame in, everything known about it out: the online reconstruction, which owns all state.

The order of a frame: prepare the image, find hands, one step of the network, camera pose, place hands in the world and
give them ids, add the scene to the map. Whatever is wrong with a frame shows before any state changes, so a refused
frame leaves the session as it was.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hand3r_ros.geometry import Intrinsics, invert_transform, unproject_depth
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.network.hand.crop import HandCrop
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.online.camera_pose import PoseEstimate, PoseObservation, make_pose_source
from hand3r_ros.online.config import REBUILD_FIELDS, ReconstructorConfig, changed_fields
from hand3r_ros.online.detection.base import HandDetector
from hand3r_ros.online.detection.boxes import select_hands
from hand3r_ros.online.detection.registry import make_detector
from hand3r_ros.online.errors import FrameRejected
from hand3r_ros.online.frame_checks import check_frame
from hand3r_ros.online.hand_mask import box_mask, forearm_mask, hand_mask
from hand3r_ros.online.inference import NetworkOutput, NetworkRunner
from hand3r_ros.online.intrinsics import CameraResolver, FrameCameras
from hand3r_ros.online.mapping import VoxelMap, mappable_pixels, world_points
from hand3r_ros.online.placement import PlacedHand, SceneView, check_translation, hand_faces, hand_result, place_hands
from hand3r_ros.online.preparation import ImageGeometry, resize_and_crop
from hand3r_ros.online.results import (
    CameraFrame,
    FrameResult,
    HandDetection,
    HandResult,
    StageSeconds,
    TrackingState,
)
from hand3r_ros.online.smoothing import HandSmoother
from hand3r_ros.online.stage_clock import StageClock
from hand3r_ros.online.tracking import HandObservation, HandTracker


@dataclass(frozen=True)
class _PreparedFrame:
    """A frame with its network image and the hands to look at."""

    frame: CameraFrame
    geometry: ImageGeometry
    image: NDArray[np.uint8]  # (h, w, 3) RGB, network image
    detections: tuple[HandDetection, ...]
    crops: list[HandCrop]


class OnlineReconstructor:
    """Camera pose, metric scene and hands, frame by frame. Methods may be called from several threads."""

    def __init__(
        self, network: Hand3R, hand_layer: HandLayer, detector: HandDetector, config: ReconstructorConfig
    ) -> None:
        """Starts session 1.

        Args:
            network: ``Hand3R`` or anything with its ``config``, ``init_state`` and ``step``.
            hand_layer: the hand model the network was trained for.
            detector: finds hands; ``detection.registry.make_detector`` gives the configured one.
            config: all settings.

        Raises:
            ValueError: the device is not there, or the settings ask for what these weights do not have.

        """
        self._runner = NetworkRunner(network, config.device, config.precision)
        check_translation(config.placement, self._runner.config.fusion)
        self._hand_layer = hand_layer.to(self._runner.device).eval()
        self._faces = hand_faces(hand_layer)
        self._lock = threading.RLock()
        self._detector = detector
        self._config = config
        self._tracker = HandTracker(config.tracking, config.max_hands)
        self._session_id = 1
        self._reset_reason = 'started'
        self._pose_source = make_pose_source(config)
        self._map = VoxelMap(config.map.voxel_size, config.map.max_points)
        self._cameras = CameraResolver(config.fallback_focal)
        self._smoother = HandSmoother(config.smoothing)
        self._start_session()

    @property
    def config(self) -> ReconstructorConfig:
        """The settings in use."""
        return self._config

    @property
    def session_id(self) -> int:
        """Starts at 1 and grows with every reset; results of different sessions share no world frame."""
        return self._session_id

    @property
    def reset_reason(self) -> str:
        """Why the current session began."""
        return self._reset_reason

    @property
    def map(self) -> VoxelMap:
        """The map of the current session."""
        return self._map

    def process(self, frame: CameraFrame) -> FrameResult:
        """Reconstructs the next frame.

        Raises:
            FrameRejected: the frame cannot be used; all state is as before. A frame that starts a new session
                (another resolution, stamps that went back, a long gap) starts it even if it is refused itself.

        """
        with self._lock:
            check_frame(frame)
            self._keep_or_restart_session(frame)
            return self._process(frame)

    def reset(self, reason: str) -> None:
        """Starts a new session with an empty state and map; ``reason`` is kept for reports."""
        with self._lock:
            self._session_id += 1
            self._reset_reason = reason
            self._start_session()

    def reconfigure(self, config: ReconstructorConfig) -> None:
        """Applies other settings; a new session starts where they change the world frame, a new map with its voxels.

        Raises:
            ValueError: a setting changed that needs ``factory.build_reconstructor``; nothing was applied.
            DetectorUnavailableError: the new detector cannot be used; nothing was applied.

        """
        with self._lock:
            changed = changed_fields(self._config, config)
            fixed = [name for name in changed if name in REBUILD_FIELDS]
            if fixed:
                raise ValueError(f'{", ".join(fixed)} cannot change while running; build a new reconstructor')
            check_translation(config.placement, self._runner.config.fusion)
            if {'detection', 'max_hands', 'tracking'} & set(changed):
                self._detector = make_detector(config)
            self._config = config
            self._remake_parts(changed)

    def _remake_parts(self, changed: tuple[str, ...]) -> None:
        config = self._config
        self._tracker.config, self._tracker.max_hands = config.tracking, config.max_hands
        if 'smoothing' in changed:
            self._smoother = HandSmoother(config.smoothing)
        if 'fallback_focal' in changed:
            self._cameras = CameraResolver(config.fallback_focal)
        if (config.map.voxel_size, config.map.max_points) != (self._map.voxel_size, self._map.max_points):
            self._map = VoxelMap(config.map.voxel_size, config.map.max_points)
        if {'pose_source', 'initial_camera_pose', 'geometric_pose'} & set(changed):
            self._pose_source = make_pose_source(config)
            self.reset('settings changed: ' + ', '.join(changed))

    def warm_up(self, width: int = 640, height: int = 480) -> None:
        """One step on a blank image with one hand, outside of any session: compiles and allocates what is needed."""
        with self._lock:
            image = np.zeros((height, width, 3), np.uint8)
            box = np.array([0.4 * width, 0.4 * height, 0.6 * width, 0.6 * height])
            hand = (HandDetection(box, HandSide.RIGHT, score=1.0),)
            prepared = self._prepare(CameraFrame(image, 0, detections=hand), hand)
            boxes = self._runner.hand_boxes(hand, prepared.crops, prepared.geometry)
            output = self._runner.step(self._runner.init_state(), prepared.image, boxes)
            camera = Intrinsics.from_field_of_view(60.0, width, height)
            cameras = FrameCameras(camera, prepared.geometry.intrinsics_to_network(camera), True)
            placed = [hand for hand in self._place(prepared, output, cameras) if hand is not None]
            hand_mask([hand.vertices_camera for hand in placed], self._faces, cameras.network)

    def _start_session(self) -> None:
        self._state = self._runner.init_state()
        self._frame_index = 0
        self._last_stamp_ns: int | None = None
        self._resolution: tuple[int, int] | None = None
        self._previous_hands: tuple[HandResult, ...] = ()
        self._detector.reset()
        self._pose_source.reset()
        self._tracker.reset()
        self._smoother.reset()
        self._cameras.reset()
        self._map.clear()

    def _keep_or_restart_session(self, frame: CameraFrame) -> None:
        height, width = frame.image.shape[:2]
        if self._resolution is not None and self._resolution != (width, height):
            old = self._resolution
            self.reset(f'resolution changed from {old[0]} x {old[1]} to {width} x {height}')
        if self._last_stamp_ns is None:
            return
        seconds = (frame.stamp_ns - self._last_stamp_ns) * 1e-9
        if seconds < 0.0:
            if not self._config.reset_on_time_jump:
                raise FrameRejected(f'its stamp is {-seconds:.3f} s older than that of the frame before')
            self.reset(f'time jumped back by {-seconds:.3f} s')
        elif 0.0 < self._config.reset_after_gap < seconds:
            self.reset(f'no frame for {seconds:.3f} s')

    def _process(self, frame: CameraFrame) -> FrameResult:
        clock = StageClock()
        height, width = frame.image.shape[:2]
        with clock.stage('detect'):
            found = self._detector.detect(frame, self._previous_hands)
            detections = select_hands(found, width, height, self._config.max_hands, self._config.detection)
        with clock.stage('prepare'):
            prepared = self._prepare(frame, detections)
        with clock.stage('network'):
            boxes = self._runner.hand_boxes(detections, prepared.crops, prepared.geometry)
            output = self._runner.step(self._state, prepared.image, boxes)
        with clock.stage('hands'):
            cameras = self._resolve_cameras(prepared, output)
            placed = self._place(prepared, output, cameras)
            moving = self._moving(prepared, placed, cameras)
        with clock.stage('pose'):
            points = self._points_camera(output, cameras)
            pose = self._pose_source.update(self._pose_observation(prepared, output, points, cameras, moving))
        with clock.stage('hands'):
            hands = self._hand_results(prepared, placed, pose.T_world_camera, cameras.source)
            mask = hand_mask([hand.vertices_camera for hand in hands], self._faces, cameras.network)
        with clock.stage('mapping'):
            self._add_to_map(points, output.confidence, prepared.image, moving | mask, pose)
        result = FrameResult(
            stamp_ns=frame.stamp_ns,
            frame_index=self._frame_index,
            session_id=self._session_id,
            state=_tracking_state(pose, cameras),
            T_world_camera=pose.T_world_camera,
            hands=hands,
            points_camera=points,
            confidence=output.confidence,
            colors=prepared.image,
            hand_mask=mask,
            intrinsics=cameras.network,
            seconds=StageSeconds(**clock.seconds),
        )
        self._state = output.state
        self._frame_index += 1
        self._last_stamp_ns, self._resolution = frame.stamp_ns, (width, height)
        self._previous_hands = hands
        return result

    def _prepare(self, frame: CameraFrame, detections: tuple[HandDetection, ...]) -> _PreparedFrame:
        network = self._runner.config
        height, width = frame.image.shape[:2]
        try:
            geometry = ImageGeometry.for_image(width, height, network.image_long_side, network.scene.patch_size)
        except ValueError as error:
            raise FrameRejected(str(error)) from error
        crops = self._runner.cut_crops(frame.image, detections)
        return _PreparedFrame(frame, geometry, resize_and_crop(frame.image, geometry), detections, crops)

    def _resolve_cameras(self, prepared: _PreparedFrame, output: NetworkOutput) -> FrameCameras:
        given = prepared.frame.intrinsics
        try:
            return self._cameras.resolve(given, prepared.geometry, output.points_camera, output.confidence)
        except ValueError as error:
            raise FrameRejected(f'the camera is not calibrated and its focal length stays unknown: {error}') from error

    def _points_camera(self, output: NetworkOutput, cameras: FrameCameras) -> NDArray[np.float32]:
        """(h, w, 3) the predicted points; those of a calibrated camera lie on its rays, at the predicted depth."""
        if not cameras.calibrated:
            return output.points_camera
        return unproject_depth(output.points_camera[..., 2], cameras.network).astype(np.float32)

    def _moving(
        self, prepared: _PreparedFrame, placed: list[PlacedHand | None], cameras: FrameCameras
    ) -> NDArray[np.bool_]:
        """(h, w) True in and around hand boxes and along forearms, where things move."""
        geometry = prepared.geometry
        boxes = np.array([hand.box for hand in prepared.detections]).reshape(-1, 4)
        margin = self._config.map.hand_margin
        near = box_mask(geometry.boxes_to_network(boxes), margin, geometry.width, geometry.height)
        return near | forearm_mask([hand.keypoints_camera for hand in placed if hand is not None], cameras.network)

    def _pose_observation(
        self,
        prepared: _PreparedFrame,
        output: NetworkOutput,
        points: NDArray[np.float32],
        cameras: FrameCameras,
        moving: NDArray[np.bool_],
    ) -> PoseObservation:
        return PoseObservation(
            image=prepared.frame.image,
            geometry=prepared.geometry,
            T_network_camera=output.T_network_camera,
            points_camera=points,
            confidence=output.confidence,
            source_intrinsics=cameras.source,
            moving=moving,
            T_world_camera=prepared.frame.T_world_camera,
        )

    def _place(self, prepared: _PreparedFrame, output: NetworkOutput, cameras: FrameCameras) -> list[PlacedHand | None]:
        sides = [hand.side for hand in prepared.detections]
        scene = SceneView(output.points_camera[..., 2], cameras.network, cameras.source)
        return place_hands(output.hands, prepared.crops, sides, self._hand_layer, scene, self._config.placement)

    def _hand_results(
        self,
        prepared: _PreparedFrame,
        placed: list[PlacedHand | None],
        T_world_camera: NDArray[np.floating],
        camera: Intrinsics,
    ) -> tuple[HandResult, ...]:
        """Identities, smoothing, world coordinates."""
        stamp_ns = prepared.frame.stamp_ns
        pairs = [(d, hand) for d, hand in zip(prepared.detections, placed, strict=True) if hand is not None]
        observations = [
            HandObservation(d.side, d.box, (T_world_camera @ hand.T_camera_wrist)[:3, 3], d.track_id)
            for d, hand in pairs
        ]
        track_ids = self._tracker.update(observations, stamp_ns)
        self._smoother.keep_only(self._tracker.track_ids)
        results = []
        for (detection, hand), track_id in zip(pairs, track_ids, strict=True):
            if self._config.smoothing.enabled:
                T_world_wrist = self._smoother.update(track_id, T_world_camera @ hand.T_camera_wrist, stamp_ns)
                hand = hand.moved_to(invert_transform(T_world_camera) @ T_world_wrist)
            results.append(hand_result(detection, hand, track_id, T_world_camera, camera))
        return tuple(results)

    def _add_to_map(
        self,
        points: NDArray[np.float32],
        confidence: NDArray[np.float32],
        colors: NDArray[np.uint8],
        hands: NDArray[np.bool_],
        pose: PoseEstimate,
    ) -> None:
        settings = self._config.map
        if not settings.enabled or not pose.tracked:
            return
        keep = mappable_pixels(points, confidence, settings)
        if settings.exclude_hands:
            keep &= ~hands
        self._map.add(world_points(points, pose.T_world_camera, keep), colors[keep])


def _tracking_state(pose: PoseEstimate, cameras: FrameCameras) -> TrackingState:
    if not pose.tracked:
        return TrackingState.LOST
    return TrackingState.OK if cameras.calibrated else TrackingState.UNCALIBRATED
