"""From one image of the input to its messages: the counterpart of the node between mailbox and publishers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tf2_msgs.msg import TFMessage

from hand3r_ros.geometry import Array
from hand3r_ros.imaging.decoder import ImageDecoder
from hand3r_ros.node import messages, messages_scene, topics
from hand3r_ros.node.calibration import going_on_uncalibrated, size_problem
from hand3r_ros.node.configuration import decoding_options
from hand3r_ros.node.depth_alignment import DepthRefusedError, aligned_depth
from hand3r_ros.node.detections import boxes_in_image, why_unmatched
from hand3r_ros.node.frames import camera_frame
from hand3r_ros.node.image_correction import ImageCorrection, ImageCorrections
from hand3r_ros.node.lens import Calibration
from hand3r_ros.node.parameters import DETECTORS_WITH_TOPIC, NodeParameters
from hand3r_ros.node.result_messages import Moment, ResultMessages
from hand3r_ros.node.stamps import NANOSECONDS, NO_STAMPS, StampError, StampGuard
from hand3r_ros.node.tf_tree import Parents
from hand3r_ros.node.topics import OutputTopic
from hand3r_ros.offline.checkpoint import RunMemory
from hand3r_ros.offline.errors import UnusableImageError
from hand3r_ros.offline.inputs import Companions, InputImage, RgbImage
from hand3r_ros.offline.tally import Tally
from hand3r_ros.online.errors import FrameRejected
from hand3r_ros.online.factory import load_hand_model
from hand3r_ros.online.reconstructor import OnlineReconstructor
from hand3r_ros.online.results import CameraFrame, DepthImage, FrameResult, HandDetection, ScaleSource

TF_TOPIC = '/tf'
NO_CALIBRATION = 'the input has no usable calibration (--calibration FILE gives one)'


@dataclass(frozen=True, eq=False)
class Step:
    """What came of one image."""

    image: RgbImage  # neither mirrored nor distorted, like everything here but the messages
    frame: CameraFrame
    result: FrameResult
    messages: list[tuple[str, Any]]  # full topic name and message, in the order in which they are written
    new_session: bool


class FrameStepper:
    """Takes images in order."""

    def __init__(
        self,
        reconstructor: OnlineReconstructor,
        companions: Companions,
        parameters: NodeParameters,
        node_name: str,
        map_seconds: float,
    ) -> None:
        self.reconstructor = reconstructor
        self.stamps = StampGuard()
        self.builder = ResultMessages(load_hand_model(reconstructor.config), self._base, self._parents)
        self.map_due_ns = 0  # log time
        self.session_id = reconstructor.session_id
        self._companions = companions
        self._parameters = parameters
        self._namespace = f'/{node_name.strip("/")}'
        self._map_ns = round(map_seconds * NANOSECONDS)
        self._stamp_ns, self._by_arrival = 0, False  # of the image at hand
        self._decoder = ImageDecoder(decoding_options(parameters))
        self._corrections = ImageCorrections(parameters.mirrored_image)

    @property
    def publishes_map(self) -> bool:
        """False when the user turned the map off."""
        return self._parameters.map.publish and self._parameters.map.enabled

    def topic_name(self, topic: OutputTopic) -> str:
        """The full name, as the node of this name has it."""
        return topic.name.replace('~', self._namespace, 1)

    def process(self, image: InputImage, tally: Tally) -> Step | None:
        """None when the image cannot be used; ``tally`` says why."""
        began = time.monotonic()
        try:
            pixels = image.decode(self._decoder)
            if self._decoder.note:
                tally.warn(self._decoder.note)
            image = self._admitted(image, tally)
            correction = self._corrections.of(self._calibration(image, pixels, tally), pixels.shape[1])
            frame = self._camera_frame(image, pixels, correction, tally)
            decoded = time.monotonic()
            result = self.reconstructor.process(frame)
        except StampError as error:
            tally.skip(image.name, error.cause, str(error))
            return None
        except (UnusableImageError, FrameRejected) as error:
            tally.skip(image.name, _CAUSES[type(error)], getattr(error, 'reason', str(error)))
            return None
        new_session = self.session_id != self.reconstructor.session_id
        if result.depth_refused:
            tally.warn(result.depth_refused)
        tally.with_depth += result.scale_source == ScaleSource.DEPTH
        published = correction.result_as_published(result)
        found = list(self._messages(image, published, new_session, decoded - began, tally))
        return Step(frame.image, frame, result, found, new_session)

    def topology(self, stamp_ns: int) -> tuple[str, Any]:
        """The message that comes first."""
        return self.topic_name(topics.HAND_TOPOLOGY), self.builder.topology(messages.time_from_nanoseconds(stamp_ns))

    def has_map_of(self, log_ns: int) -> bool:
        """Whether the map was written with the image of this log time."""
        return self._map_ns > 0 and self.map_due_ns == log_ns + self._map_ns

    def map_message(self, stamp_ns: int) -> tuple[str, Any]:
        """The whole map as of now."""
        header = messages.header(messages.time_from_nanoseconds(stamp_ns), self._parameters.world_frame)
        cloud = self.reconstructor.map.snapshot()
        return self.topic_name(topics.MAP), messages_scene.point_cloud(header, cloud.points, cloud.colors)

    def remember(self, memory: RunMemory) -> None:
        """Adds what the next image depends on, apart from the reconstruction."""
        memory.stamps = self.stamps.memory()
        memory.used_bits = self._decoder.used_bits.memory()
        memory.path, memory.markers_at = self.builder.memory()
        memory.map_due_ns, memory.session_id = self.map_due_ns, self.session_id

    def restore(self, memory: RunMemory) -> None:
        """Go on from there, after the reconstruction went on from its own file."""
        self.stamps.restore(memory.stamps)
        self._decoder.used_bits.restore(*memory.used_bits)
        self.builder.restore(memory.path, memory.markers_at)
        self.map_due_ns, self.session_id = memory.map_due_ns, memory.session_id

    def _admitted(self, image: InputImage, tally: Tally) -> InputImage:
        """The image with the stamp and the frame that it is served by."""
        admission = self.stamps.admit(
            image.stamp_ns, image.log_ns, self._parameters.reset_on_time_jump, self._parameters.reset_after_gap
        )
        if admission.by_arrival:
            tally.warn(NO_STAMPS)
        name, problem = camera_frame(image.frame_id, self._parameters.world_frame)
        if problem is not None:
            tally.warn(problem)
        self._stamp_ns, self._by_arrival = admission.stamp_ns, admission.by_arrival
        return replace(image, stamp_ns=admission.stamp_ns, frame_id=name)

    def _camera_frame(
        self, image: InputImage, pixels: RgbImage, correction: ImageCorrection, tally: Tally
    ) -> CameraFrame:
        return CameraFrame(
            image=correction.image(pixels),
            stamp_ns=image.stamp_ns,
            intrinsics=correction.intrinsics,
            detections=correction.detections(self._detections(image, pixels, tally)),
            T_world_camera=self._known_pose(image, tally),
            depth=self._depth(image, correction, tally),
        )

    def _depth(self, image: InputImage, correction: ImageCorrection, tally: Tally) -> DepthImage | None:
        """What was measured with the image, None where nothing was or it cannot be used; ``tally`` says why."""
        if image.depth is None or self._parameters.use_depth == 'off':
            return None
        try:
            depth = replace(image.depth(), calibration=self._companions.depth_camera)
            return aligned_depth(depth, image.frame_id, correction, self._lookup)
        except (UnusableImageError, DepthRefusedError) as error:
            tally.warn(str(error))
            return None

    def _calibration(self, image: InputImage, pixels: RgbImage, tally: Tally | None = None) -> Calibration | None:
        """The camera that the image was taken with, None when it is not known; ``tally`` is told of a wrong one."""
        if not self._parameters.use_camera_info:
            return None
        calibrations = self._companions.calibrations
        calibration = calibrations.at(image.log_ns)
        if calibration is None:
            problem = 'camera_info says that the camera is uncalibrated' if calibrations.since else NO_CALIBRATION
        else:
            problem = size_problem(calibration, pixels.shape[1], pixels.shape[0])
        if problem and tally is not None:
            tally.warn(going_on_uncalibrated(problem, self._parameters.fallback_focal_px))
        return None if problem else calibration

    def _detections(self, image: InputImage, pixels: RgbImage, tally: Tally) -> tuple[HandDetection, ...] | None:
        if self._parameters.detector == 'none':
            return ()
        if self._parameters.detector not in DETECTORS_WITH_TOPIC:
            return None
        recorded = self._companions.detections
        if recorded is None:  # the input has no such topic: none is missing
            return None
        if self._by_arrival:
            found = recorded.recorded_after(image.log_ns, self._parameters.detections.wait)
        else:
            found = recorded.of_stamp(image.stamp_ns)
        if found is None:
            tally.miss_detections(why_unmatched(image.stamp_ns, recorded.nearest_stamp(image.stamp_ns)))
            return None
        smallest = self.reconstructor.config.detection.smallest_box
        found, problems = boxes_in_image(found, pixels.shape[1], pixels.shape[0], smallest)
        if problems:
            tally.note_boxes(len(problems), problems[0])
        return found

    def _known_pose(self, image: InputImage, tally: Tally) -> Array | None:
        if self.reconstructor.pose_source != 'tf':
            return None
        try:
            return self._lookup(self._parameters.world_frame, image.frame_id)
        except LookupError as error:
            tally.warn(f'pose_source is tf: {error}')
            return None

    def _base(self, camera_frame: str, base_frame: str) -> Array:
        return self._lookup(camera_frame, base_frame)

    def _parents(self) -> Parents:
        return {} if self._companions.transforms is None else self._companions.transforms.parents()

    def _lookup(self, target: str, source: str) -> Array:
        if self._companions.transforms is None:
            raise LookupError('the input has no /tf')
        return self._companions.transforms.lookup(target, source, self._stamp_ns)

    def _messages(
        self, image: InputImage, result: FrameResult, new_session: bool, decode_seconds: float, tally: Tally
    ) -> Iterator[tuple[str, Any]]:
        header = messages.header(messages.time_from_nanoseconds(image.stamp_ns), image.frame_id)
        if new_session:
            self.session_id = self.reconstructor.session_id
            tally.sessions += 1
            self.builder.forget_session()
            self.map_due_ns = 0
        transforms = self.builder.transforms(result, header, self._parameters)
        for problem in (transforms.missing, transforms.changed):
            if problem is not None:
                tally.warn(f'/tf: {problem}')
        if transforms.messages:
            yield TF_TOPIC, TFMessage(transforms=transforms.messages)
        now = Moment(header.stamp, image.log_ns / NANOSECONDS)
        for topic, message in self.builder.of_frame(result, header, self._parameters, now, _everything):
            yield self.topic_name(topic), message
        if self.publishes_map and self._map_is_due(image.log_ns):
            yield self.map_message(image.stamp_ns)
        tally.processed += 1
        tally.hands += len(result.seen_hands)
        tally.frames_with_hands += bool(result.seen_hands)
        yield (
            self.topic_name(topics.STATUS),
            messages.status(messages.frame_report(result, header, decode_seconds), tally.counters()),
        )

    def _map_is_due(self, log_ns: int) -> bool:
        if self._map_ns == 0 or log_ns < self.map_due_ns:
            return False
        self.map_due_ns = log_ns + self._map_ns
        return True


_CAUSES: dict[type[Exception], str] = {
    UnusableImageError: 'cannot be decoded',
    FrameRejected: 'refused by the reconstruction',
}


def _everything(topic: OutputTopic) -> bool:
    return True
