"""Per-frame pipeline: prepare the image, detect hands, network step, camera pose, hands in the world, map.

Whatever is wrong with a frame shows before the new session is returned, so a refused frame leaves the old one valid.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hand3r_ros.geometry import Intrinsics, invert_transform, unproject_depth
from hand3r_ros.hand_model.keypoint_objective import HandFit
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.network.hand.crop import HandCrop
from hand3r_ros.network.types import HandBoxes, SceneState
from hand3r_ros.online import measured_depth
from hand3r_ros.online.camera_pose import PoseEstimate, PoseObservation
from hand3r_ros.online.config import MapConfig, ReconstructorConfig
from hand3r_ros.online.detection.boxes import select_hands
from hand3r_ros.online.errors import FrameRejected
from hand3r_ros.online.hand_mask import box_mask, forearm_mask, hand_mask
from hand3r_ros.online.hand_prediction import View, predicted_hands, with_velocities
from hand3r_ros.online.inference import EncodedImage, NetworkOutput, NetworkRunner
from hand3r_ros.online.intrinsics import CameraResolver, FrameCameras
from hand3r_ros.online.landmark_fitting import UNEXPLAINED, LandmarkFitting, SeenLandmarks
from hand3r_ros.online.mapping import VoxelMap, mappable_pixels, world_points
from hand3r_ros.online.measured_depth import SceneDepth, SeenDepth, scene_depth
from hand3r_ros.online.placement import PlacedHand, SceneView, hand_faces, hand_result, on_readings, place_hands
from hand3r_ros.online.preparation import ImageGeometry, resize_and_crop
from hand3r_ros.online.results import (
    CameraFrame,
    FrameResult,
    HandDetection,
    HandResult,
    ScaleSource,
    StageSeconds,
    TrackingState,
)
from hand3r_ros.online.session import Session
from hand3r_ros.online.session_parts import SessionParts
from hand3r_ros.online.stage_clock import StageClock
from hand3r_ros.online.tracking import HandObservation, HandTracker, SettledSide

_REHEARSAL_NS = 33_000_000
"""From the last image to one that only shows whether a session can go on."""


@dataclass(frozen=True)
class _PreparedFrame:
    """A frame with its network image and the hands to look at."""

    frame: CameraFrame
    encoded: EncodedImage
    detections: tuple[HandDetection, ...]
    crops: list[HandCrop]
    boxes: HandBoxes

    @property
    def geometry(self) -> ImageGeometry:
        """Where the network's image lies in the source image."""
        return self.encoded.geometry


class FramePipeline:
    """Takes a session one frame further; keeps nothing between frames."""

    def __init__(self, runner: NetworkRunner, hand_layer: HandLayer) -> None:
        self._runner = runner
        self._hand_layer = hand_layer.to(runner.device).eval()
        self._faces = hand_faces(hand_layer)
        self._fitting = LandmarkFitting(self._hand_layer)
        self._has_head = runner.config.detection is not None

    def run(
        self, frame: CameraFrame, session: Session, parts: SessionParts, config: ReconstructorConfig
    ) -> tuple[Session, FrameResult]:
        """The session after ``frame``, and what the frame showed.

        Raises:
            FrameRejected: the frame cannot be used; ``session`` stays the valid one.

        """
        clock = StageClock()
        height, width = frame.image.shape[:2]
        with clock.stage('prepare'):
            image, geometry = self._network_image(frame)
            readings = measured_depth.look_at(frame.depth, geometry, config.use_depth)
        with clock.stage('network'):
            encoded = self._runner.encode(image, geometry)
        with clock.stage('detect'):
            wants_head = self._has_head and parts.detector.wants_head(frame, session.previous_hands)
            head = self._runner.find_hands(encoded) if wants_head else None
            found = parts.detector.detect(frame, session.previous_hands, head)
            chosen = select_hands(found, width, height, config.max_hands, config.detection)
            sides = parts.tracker.settle_sides(chosen, frame.stamp_ns)
            detections = tuple(replace(hand, side=settled.side) for hand, settled in zip(chosen, sides, strict=True))
        with clock.stage('prepare'):
            prepared = self._prepare(frame, encoded, detections)
        with clock.stage('network'):
            known = _known_camera(parts.cameras, prepared)
            output = self._step(session.scene, prepared, known, config)
            new_chunk = self._begin_chunk(session, prepared, known, config)
        with clock.stage('hands'):
            cameras = _resolve_cameras(parts.cameras, prepared, output)
            depth = _scene_depth(prepared, output, readings, session, config)
            scene = _scene_view(depth, cameras)
            placed = self._place(prepared, output, scene, config)
            prepared, placed, fits = self._fit_landmarks(prepared, sides, placed, cameras, session)
            placed = on_readings(placed, scene, self._faces, config.placement)
            moving = _moving(prepared, placed, cameras, config.map.hand_margin)
        with clock.stage('pose'):
            points, confidence = _points_camera(output, depth, cameras), depth.confidence(output.confidence)
            observation = _pose_observation(prepared, output, points, confidence, cameras, moving)
            scale_found = depth.measured is not None and session.depth_scale is None and session.frame_index > 0
            pose = parts.pose_source.update(replace(observation, measured=depth.measured, scale_found=scale_found))
        with clock.stage('hands'):
            seen = _hand_results(prepared, sides, placed, fits, pose.T_world_camera, cameras.source, parts, config)
            view = View(pose.T_world_camera, cameras.source)
            hands = _with_predicted(seen, session, frame.stamp_ns, view, parts.tracker, config)
            mask = hand_mask([hand.vertices_camera for hand in hands], self._faces, cameras.network)
        with clock.stage('mapping'):
            if scale_found:
                parts.map.clear()  # what a guess has put there does not fit what is measured
            if config.map.enabled and pose.tracked:
                left_out = moving | mask if config.map.exclude_hands else np.zeros_like(mask)
                if depth.measured is not None:
                    left_out = left_out | ~depth.measured
                _add_to_map(parts.map, points, confidence, image, left_out, pose, config.map)
        result = FrameResult(
            stamp_ns=frame.stamp_ns,
            frame_index=session.frame_index,
            session_id=session.session_id,
            state=_tracking_state(pose, cameras),
            T_world_camera=pose.T_world_camera,
            hands=hands,
            points_camera=points,
            confidence=confidence,
            colors=image,
            hand_mask=mask,
            intrinsics=cameras.network,
            scale_source=depth.source,
            measured=depth.measured,
            depth_refused=depth.refused,
            seconds=StageSeconds(**clock.seconds),
        )
        after = replace(
            session,
            scene=output.state,
            frame_index=session.frame_index + 1,
            last_stamp_ns=frame.stamp_ns,
            resolution=(width, height),
            previous_hands=hands,
            depth_scale=depth.scale,
            chunk_frames=session.chunk_frames + 1,
            resumed=False,
        )
        if new_chunk is not None:
            parts.pose_source.move_network_world(new_chunk.T_network_camera, pose.T_world_camera)
            after = replace(after, scene=new_chunk.state, chunk_frames=0)
        return after, result

    def _step(
        self, state: SceneState, prepared: _PreparedFrame, camera: Intrinsics | None, config: ReconstructorConfig
    ) -> NetworkOutput:
        return self._runner.step(state, prepared.encoded, prepared.boxes, config.state_update, camera)

    def _begin_chunk(
        self, session: Session, prepared: _PreparedFrame, camera: Intrinsics | None, config: ReconstructorConfig
    ) -> NetworkOutput | None:
        """This frame once more, as the first one of a new chunk, if one is due; None if not, or if that fails.

        The network's worlds before and after are chained by this frame, which both have measured. A failure (values
        that are not finite) keeps the old chunk going until the next frame.
        """
        if not 0 < config.reset_interval <= session.chunk_frames + 1:
            return None
        try:
            return self._step(self._runner.init_state(), prepared, camera, config)
        except FrameRejected:
            return None

    def warm_up(self, width: int, height: int, config: ReconstructorConfig) -> None:
        """One step on a blank image with one hand, outside of any session: compiles and allocates what is needed."""
        image = np.zeros((height, width, 3), np.uint8)
        box = np.array([0.4 * width, 0.4 * height, 0.6 * width, 0.6 * height])
        hand = (HandDetection(box, HandSide.RIGHT, score=1.0),)
        frame = CameraFrame(image, 0, detections=hand)
        encoded = self._runner.encode(*self._network_image(frame))
        if self._has_head:
            self._runner.find_hands(encoded)
        prepared = self._prepare(frame, encoded, hand)
        camera = Intrinsics.from_field_of_view(60.0, width, height)
        cameras = FrameCameras(camera, prepared.geometry.intrinsics_to_network(camera), True)
        output = self._step(self._runner.init_state(), prepared, cameras.network, config)
        scene = SceneView(output.points_camera[..., 2], cameras.network, cameras.source)
        placed = [hand for hand in self._place(prepared, output, scene, config) if hand is not None]
        hand_mask([hand.vertices_camera for hand in placed], self._faces, cameras.network)
        self._fitting.warm_up()
        if config.use_depth != 'off':
            measured_depth.warm_up(prepared.geometry)

    def rehearse(self, session: Session, parts: SessionParts, config: ReconstructorConfig) -> None:
        """Takes ``parts`` one blank image further, with hands where they were last; shows whether that is possible.

        Raises:
            Exception: whatever stands in the way of the next image.

        """
        width, height = session.resolution or (640, 480)
        stamp_ns = (session.last_stamp_ns or 0) + _REHEARSAL_NS
        hands = [HandDetection(hand.box, hand.side, hand.score) for hand in session.previous_hands]
        frame = CameraFrame(
            np.zeros((height, width, 3), np.uint8),
            stamp_ns,
            Intrinsics.from_field_of_view(60.0, width, height),
            tuple(hands),
            np.eye(4),
        )
        self.run(frame, session, parts, config)

    def _network_image(self, frame: CameraFrame) -> tuple[NDArray[np.uint8], ImageGeometry]:
        """The image (h, w, 3) that the network gets, and where it lies in the source image."""
        network = self._runner.config
        height, width = frame.image.shape[:2]
        try:
            geometry = ImageGeometry.for_image(width, height, network.image_long_side, network.scene.patch_size)
        except ValueError as error:
            raise FrameRejected(str(error)) from error
        return resize_and_crop(frame.image, geometry), geometry

    def _prepare(
        self, frame: CameraFrame, encoded: EncodedImage, detections: tuple[HandDetection, ...]
    ) -> _PreparedFrame:
        crops = self._runner.cut_crops(frame.image, detections)
        boxes = self._runner.hand_boxes(detections, crops, encoded.geometry)
        return _PreparedFrame(frame, encoded, detections, crops, boxes)

    def _place(
        self, prepared: _PreparedFrame, output: NetworkOutput, scene: SceneView, config: ReconstructorConfig
    ) -> list[PlacedHand | None]:
        sides = [hand.side for hand in prepared.detections]
        return place_hands(output.hands, prepared.crops, sides, self._hand_layer, scene, config.placement)

    def _fit_landmarks(
        self,
        prepared: _PreparedFrame,
        sides: tuple[SettledSide, ...],
        placed: list[PlacedHand | None],
        cameras: FrameCameras,
        session: Session,
    ) -> tuple[_PreparedFrame, list[PlacedHand | None], list[HandFit | None]]:
        """Hands with landmarks as fitted to them; those that cannot be keep the network's pose and a lower score."""
        frame, detections = prepared.frame, prepared.detections
        seen = [
            SeenLandmarks(found.landmarks, settled.side, settled.track_id)
            for found, settled in zip(detections, sides, strict=True)
        ]
        seconds = _seconds_since(session, frame.stamp_ns)
        fitted = self._fitting.fit(seen, cameras.source, session.previous_hands, seconds)
        judged = tuple(
            replace(found, score=found.score * UNEXPLAINED) if hand is None and found.landmarks is not None else found
            for found, hand in zip(detections, fitted, strict=True)
        )
        placed = [other if hand is None else hand.placed for hand, other in zip(fitted, placed, strict=True)]
        fits = [None if hand is None else hand.fit for hand in fitted]
        return replace(prepared, detections=judged), placed, fits


def _resolve_cameras(resolver: CameraResolver, prepared: _PreparedFrame, output: NetworkOutput) -> FrameCameras:
    given = prepared.frame.intrinsics
    try:
        return resolver.resolve(given, prepared.geometry, output.points_camera, output.confidence)
    except ValueError as error:
        raise FrameRejected(f'the camera is not calibrated and its focal length stays unknown: {error}') from error


def _known_camera(resolver: CameraResolver, prepared: _PreparedFrame) -> Intrinsics | None:
    """The camera of the network's image as far as it is known before the network has looked."""
    source = resolver.known(prepared.frame.intrinsics, prepared.geometry)
    return None if source is None else prepared.geometry.intrinsics_to_network(source)


def _scene_depth(
    prepared: _PreparedFrame,
    output: NetworkOutput,
    readings: SeenDepth,
    session: Session,
    config: ReconstructorConfig,
) -> SceneDepth:
    """The frame's depth, with what was measured of it."""
    geometry = prepared.geometry
    boxes = np.array([hand.box for hand in prepared.detections]).reshape(-1, 4)
    hands = box_mask(geometry.boxes_to_network(boxes), config.map.hand_margin, geometry.width, geometry.height)
    earlier = None if config.use_depth == 'off' else session.depth_scale
    return scene_depth(output.points_camera[..., 2], prepared.encoded.pixels, readings, hands, earlier)


def _scene_view(depth: SceneDepth, cameras: FrameCameras) -> SceneView:
    """What hands are placed on: readings where there are any, else the prediction."""
    measured = depth.measured is not None
    return SceneView(depth.readings if measured else depth.depth, cameras.network, cameras.source, measured)


def _points_camera(output: NetworkOutput, depth: SceneDepth, cameras: FrameCameras) -> NDArray[np.float32]:
    """(h, w, 3) the points at the frame's depth on the camera's rays; where both are a guess, as they are predicted."""
    if not cameras.calibrated and depth.source == ScaleSource.NETWORK:
        return output.points_camera
    return unproject_depth(depth.depth, cameras.network).astype(np.float32)


def _moving(
    prepared: _PreparedFrame, placed: list[PlacedHand | None], cameras: FrameCameras, margin: float
) -> NDArray[np.bool_]:
    """(h, w) True in and around hand boxes and along forearms, where things move."""
    geometry = prepared.geometry
    boxes = np.array([hand.box for hand in prepared.detections]).reshape(-1, 4)
    near = box_mask(geometry.boxes_to_network(boxes), margin, geometry.width, geometry.height)
    return near | forearm_mask([hand.keypoints_camera for hand in placed if hand is not None], cameras.network)


def _pose_observation(
    prepared: _PreparedFrame,
    output: NetworkOutput,
    points: NDArray[np.float32],
    confidence: NDArray[np.float32],
    cameras: FrameCameras,
    moving: NDArray[np.bool_],
) -> PoseObservation:
    return PoseObservation(
        image=prepared.frame.image,
        geometry=prepared.geometry,
        T_network_camera=output.T_network_camera,
        points_camera=points,
        confidence=confidence,
        source_intrinsics=cameras.source,
        moving=moving,
        T_world_camera=prepared.frame.T_world_camera,
    )


def _hand_results(
    prepared: _PreparedFrame,
    sides: tuple[SettledSide, ...],
    placed: list[PlacedHand | None],
    fits: list[HandFit | None],
    T_world_camera: NDArray[np.floating],
    camera: Intrinsics,
    parts: SessionParts,
    config: ReconstructorConfig,
) -> tuple[HandResult, ...]:
    """Identities, smoothing, world coordinates."""
    stamp_ns = prepared.frame.stamp_ns
    together = zip(prepared.detections, sides, placed, fits, strict=True)
    reconstructed = [(detection, settled, hand, fit) for detection, settled, hand, fit in together if hand is not None]
    observations = [
        HandObservation(d.side, d.box, (T_world_camera @ hand.T_camera_wrist)[:3, 3], d.track_id, settled)
        for d, settled, hand, _ in reconstructed
    ]
    track_ids = parts.tracker.update(observations, stamp_ns)
    parts.smoother.keep_only(parts.tracker.track_ids)
    results = []
    for (detection, settled, hand, fit), track_id in zip(reconstructed, track_ids, strict=True):
        if settled.changed:
            parts.smoother.forget(track_id)  # the wrist's axes are those of the other hand
        if config.smoothing.enabled:
            T_world_wrist = parts.smoother.update(track_id, T_world_camera @ hand.T_camera_wrist, stamp_ns)
            hand = hand.moved_to(invert_transform(T_world_camera) @ T_world_wrist)
        results.append(hand_result(detection, hand, track_id, T_world_camera, camera, fit))
    return tuple(results)


def _with_predicted(
    seen: tuple[HandResult, ...],
    session: Session,
    stamp_ns: int,
    view: View,
    tracker: HandTracker,
    config: ReconstructorConfig,
) -> tuple[HandResult, ...]:
    """The hands of an image, then those that were not found in it but just before, where there is room for them."""
    seconds = _seconds_since(session, stamp_ns)
    seen = with_velocities(seen, session.previous_hands, seconds)
    longest = config.tracking.max_prediction
    missed = predicted_hands(session.previous_hands, seen, tracker.track_ids, seconds, longest, view, config.detection)
    return seen + missed[: max(0, config.max_hands - len(seen))]


def _seconds_since(session: Session, stamp_ns: int) -> float:
    """Between the image before and this one; 0 for the first one."""
    return 0.0 if session.last_stamp_ns is None else (stamp_ns - session.last_stamp_ns) * 1e-9


def _add_to_map(
    voxels: VoxelMap,
    points: NDArray[np.float32],
    confidence: NDArray[np.float32],
    colors: NDArray[np.uint8],
    left_out: NDArray[np.bool_],
    pose: PoseEstimate,
    settings: MapConfig,
) -> None:
    keep = mappable_pixels(points, confidence, settings) & ~left_out
    voxels.add(world_points(points, pose.T_world_camera, keep), colors[keep])


def _tracking_state(pose: PoseEstimate, cameras: FrameCameras) -> TrackingState:
    if not pose.tracked:
        return TrackingState.LOST
    return TrackingState.OK if cameras.calibrated else TrackingState.UNCALIBRATED
