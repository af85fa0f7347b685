"""Processes one image message from the mailbox to the published results, on the worker thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rclpy.clock import Clock
from std_msgs.msg import Header

from hand3r_msgs.msg import Hand3RStatus
from hand3r_ros.files import FilePlace
from hand3r_ros.geometry import Array
from hand3r_ros.heap import HeapTrimmer
from hand3r_ros.imaging.decoder import ImageDecoder
from hand3r_ros.node import messages
from hand3r_ros.node.accounting import Accounting
from hand3r_ros.node.calibration import going_on_uncalibrated, size_problem
from hand3r_ros.node.configuration import decoding_options
from hand3r_ros.node.detections import boxes_in_image, told
from hand3r_ros.node.frames import camera_frame
from hand3r_ros.node.image_correction import ImageCorrection, ImageCorrections
from hand3r_ros.node.image_decoding import ImageDecodingError, RgbImage, decode_message
from hand3r_ros.node.inputs import Inputs, ReceivedImage
from hand3r_ros.node.lens import Calibration
from hand3r_ros.node.outputs import Outputs
from hand3r_ros.node.parameters import DETECTORS_WITH_TOPIC, NodeParameters
from hand3r_ros.node.stamps import (
    NANOSECONDS,
    NO_STAMPS,
    Admission,
    StampError,
    StampGuard,
    checked_nanoseconds,
    stamp_nanoseconds,
)
from hand3r_ros.online.config import ReconstructorConfig
from hand3r_ros.online.errors import FrameRejected
from hand3r_ros.online.mapping import MapCloud
from hand3r_ros.online.reconstructor import OnlineReconstructor
from hand3r_ros.online.results import CameraFrame, DepthImage, FrameResult, HandDetection
from hand3r_ros.online.session import Session

MISSES_TO_TELL = 3
"""Consecutive images without boxes before a warning: a single one is a detector that was late once."""


class _RejectedError(Exception):
    """The image is skipped."""

    def __init__(self, topic: str, cause: str, message: str) -> None:
        super().__init__(message)
        self.topic, self.cause, self.message = topic, cause, message


class FrameProcessor:
    """Checks, reconstructs and publishes image by image, and owns everything that belongs to a session.

    Its methods may be called from any thread; they exclude each other.
    """

    def __init__(
        self,
        reconstructor: OnlineReconstructor,
        inputs: Inputs,
        outputs: Outputs,
        accounting: Accounting,
        parameters: Callable[[], NodeParameters],
        clock: Clock,
        log: Callable[[str], object],
    ) -> None:
        self._reconstructor = reconstructor
        self._inputs = inputs
        self._outputs = outputs
        self._accounting = accounting
        self._parameters = parameters
        self._clock = clock
        self._log = log
        self._lock = threading.RLock()
        self._decoder = ImageDecoder(decoding_options(parameters()))
        self._stamps = StampGuard()
        self._session_id = reconstructor.session_id
        self._image_size: tuple[int, int] | None = None
        self._said_uncalibrated = False
        self._corrections = ImageCorrections(parameters().mirrored_image)
        self._world_header = Header(frame_id=parameters().world_frame)
        self._map_changed = False
        self._map_published_at = -float('inf')
        self._heap = HeapTrimmer()
        self._report = messages.FrameReport(header=Header(), session_id=self._session_id)

    @property
    def report(self) -> messages.FrameReport:
        """About the image that was processed last."""
        return self._report

    def status(self) -> Hand3RStatus:
        """hand3r_msgs/Hand3RStatus as of now."""
        return messages.status(self._report, self._accounting.counters())

    def process(self, received: ReceivedImage) -> None:
        """Process one image; unusable input is counted, reported and skipped."""
        with self._lock:
            try:
                self._process(received, self._parameters())
            except _RejectedError as rejected:
                self._accounting.reject(rejected.topic, rejected.cause, rejected.message)
            self.publish_map_if_due()
            self._outputs.publish_status(self.status())
        self._heap.trim_if_due()

    def reset(self, reason: str) -> int:
        """Starts a new session with an empty map; returns its id."""
        with self._lock:
            self._reconstructor.reset(reason)
            self._decoder.used_bits.forget()
            self._stamps.forget()
            self._image_size = None
            self._note_session()
            self._report = messages.FrameReport(header=Header(), session_id=self._session_id)
            self._outputs.publish_status(self.status())
            return self._session_id

    def save_state(self, place: FilePlace) -> Session:
        """Write the session to a file and give it; raises OSError."""
        return self._reconstructor.save_state(place)

    def load_state(self, place: FilePlace) -> Session:
        """Resumes a saved session and returns it; raises ``StateFileError``, nothing has changed then."""
        with self._lock:
            session = self._reconstructor.load_state(place)
            self._stamps.forget()
            self._image_size = None
            self._note_session()
            self._map_changed = True
            self._report = messages.FrameReport(header=Header(), session_id=self._session_id)
            self._outputs.publish_status(self.status())
            return session

    def reconfigure(self, config: ReconstructorConfig) -> None:
        """Apply changed settings; raises ValueError for those that cannot be applied."""
        with self._lock:
            if config != self._reconstructor.config:
                self._reconstructor.reconfigure(config)
                self._note_session()

    def map_snapshot(self) -> MapCloud:
        """A copy of the scene map."""
        return self._reconstructor.map.snapshot()

    def publish_map_if_due(self) -> None:
        """Publish ~/map when it changed and the last time is long enough ago."""
        with self._lock:
            parameters = self._parameters()
            now = time.monotonic()
            waited = now - self._map_published_at
            if self._map_changed and parameters.map.publish and waited >= 1.0 / parameters.map.rate_hz:
                self._map_changed, self._map_published_at = False, now
                self._outputs.publish_map(self.map_snapshot(), self._world_header)

    def _process(self, received: ReceivedImage, parameters: NodeParameters) -> None:
        began = time.monotonic()
        message, own_stamp_ns = received.message, self._own_stamp(received.message)
        if self._is_too_old(own_stamp_ns or received.arrival_ns, parameters):
            self._accounting.count('too_old')
            return
        image = self._decode(message, parameters)
        admission = self._admitted(own_stamp_ns, received.arrival_ns, parameters)
        stamp_ns = admission.stamp_ns
        decode_seconds = time.monotonic() - began
        header = self._camera_header(message.header.frame_id, stamp_ns, parameters)
        correction = self._corrections.of(self._calibration(image, parameters), image.shape[1])
        detections, bad_boxes = self._detections(admission, image, parameters)
        frame = CameraFrame(
            image=correction.image(image),
            stamp_ns=stamp_ns,
            intrinsics=correction.intrinsics,
            detections=correction.detections(detections),
            T_world_camera=self._known_pose(header.frame_id, stamp_ns, parameters),
            depth=self._depth(stamp_ns, header.frame_id, correction, parameters),
        )
        result = correction.result_as_published(self._reconstruct(frame))
        if result.depth_refused and self._inputs.depth is not None:
            self._accounting.reject(self._inputs.depth.topic, 'unusable depth', result.depth_refused)
        if bad_boxes:
            self._accounting.reject(self._inputs.detections_topic, 'bad box', told(bad_boxes))
        self._publish(result, header, parameters, decode_seconds)

    def _is_too_old(self, stamp_ns: int, parameters: NodeParameters) -> bool:
        age = (self._clock.now().nanoseconds - stamp_ns) / NANOSECONDS
        return 0.0 < parameters.max_image_age < age

    def _decode(self, message: Any, parameters: NodeParameters) -> RgbImage:
        self._decoder.options = decoding_options(parameters)
        said = self._decoder.note
        try:
            image = decode_message(message, self._decoder)
        except ImageDecodingError as error:
            raise _RejectedError(self._inputs.image_topic, error.cause, str(error)) from error
        if self._decoder.note and self._decoder.note != said:
            self._log(f'{self._inputs.image_topic}: {self._decoder.note}')
        return image

    def _own_stamp(self, message: Any) -> int:
        try:
            return checked_nanoseconds(message.header.stamp)
        except StampError as error:
            raise _RejectedError(self._inputs.image_topic, error.cause, str(error)) from error

    def _admitted(self, own_stamp_ns: int, arrival_ns: int, parameters: NodeParameters) -> Admission:
        try:
            admission = self._stamps.admit(
                own_stamp_ns, arrival_ns, parameters.reset_on_time_jump, parameters.reset_after_gap
            )
        except StampError as error:
            raise _RejectedError(self._inputs.image_topic, error.cause, str(error)) from error
        if admission.by_arrival:
            self._accounting.warn_once(self._inputs.image_topic, NO_STAMPS)
        if admission.went_back:
            if self._inputs.depth is not None:
                self._inputs.depth.buffer.clear()
            self._inputs.transforms.clear()  # the reconstruction begins a new session by itself
        return admission

    def _camera_header(self, frame_id: str, stamp_ns: int, parameters: NodeParameters) -> Header:
        name, problem = camera_frame(frame_id, parameters.world_frame)
        if problem is not None:
            self._accounting.warn_once(self._inputs.image_topic, problem)
        return messages.header(messages.time_from_nanoseconds(stamp_ns), name)

    def _calibration(self, image: RgbImage, parameters: NodeParameters) -> Calibration | None:
        if not parameters.use_camera_info:
            return None
        height, width = image.shape[:2]
        may_wait = self._image_size != (width, height) and self._is_published(self._inputs.calibration_topic)
        self._image_size = (width, height)
        timeout = parameters.calibration_wait if may_wait else 0.0
        calibration = self._inputs.calibration.wait_for(width, height, timeout)
        if calibration is None:
            self._say_uncalibrated(parameters)
            return None
        self._said_uncalibrated = False
        if problem := size_problem(calibration, width, height):
            text = going_on_uncalibrated(problem, parameters.fallback_focal_px)
            self._accounting.reject(self._inputs.calibration_topic, 'calibration of another size', text)
            return None
        return calibration

    def _say_uncalibrated(self, parameters: NodeParameters) -> None:
        """Once, until there is a calibration: many cameras have none."""
        if self._said_uncalibrated:
            return
        self._said_uncalibrated = True
        topic = self._inputs.calibration_topic
        why = self._inputs.calibration.why_none if self._is_published(topic) else 'this topic has no publisher'
        self._accounting.warn(topic, 'uncalibrated', going_on_uncalibrated(why, parameters.fallback_focal_px))

    def _detections(
        self, admission: Admission, image: RgbImage, parameters: NodeParameters
    ) -> tuple[tuple[HandDetection, ...] | None, list[str]]:
        """Boxes for the image, None where the topic says nothing about it, and what is wrong with those left out."""
        if parameters.detector == 'none':
            return (), []
        if parameters.detector not in DETECTORS_WITH_TOPIC:
            return None, []
        topic, buffer = self._inputs.detections_topic, self._inputs.detections
        own_stamp_ns = 0 if admission.by_arrival else admission.stamp_ns
        may_wait = self._is_published(topic)
        timeout = parameters.detections.wait if may_wait else 0.0
        detections = buffer.wait_for(own_stamp_ns, timeout, arrived_after_ns=admission.stamp_ns)
        if detections is None:
            if may_wait or parameters.detector == 'topic':
                self._accounting.count('without_detections')
                if buffer.missed >= MISSES_TO_TELL:
                    why = buffer.why_missed(own_stamp_ns, timeout) if may_wait else 'it has no publisher'
                    self._accounting.warn(topic, 'no boxes for the images', f'images have no hand boxes: {why}')
            return None, []
        smallest = self._reconstructor.config.detection.smallest_box
        return boxes_in_image(detections, image.shape[1], image.shape[0], smallest)

    def _depth(
        self, stamp_ns: int, camera_frame: str, correction: ImageCorrection, parameters: NodeParameters
    ) -> DepthImage | None:
        source = self._inputs.depth
        if source is None:
            return None

        def lookup(target: str, other: str) -> Array:
            return self._inputs.transforms.lookup(target, other, None, parameters.tf_timeout)

        wait, slop = parameters.depth.wait, parameters.depth.slop
        return source.of_image(stamp_ns, camera_frame, correction, lookup, wait, slop, self._is_published(source.topic))

    def _known_pose(self, camera_frame: str, stamp_ns: int, parameters: NodeParameters) -> Any:
        if parameters.pose_source != 'tf':
            return None
        try:
            return self._inputs.transforms.lookup(parameters.world_frame, camera_frame, stamp_ns, parameters.tf_timeout)
        except LookupError as error:
            self._accounting.warn('/tf', 'no camera pose', f'pose_source is tf, but there is {error}')
            return None

    def _reconstruct(self, frame: CameraFrame) -> FrameResult:
        try:
            return self._reconstructor.process(frame)
        except FrameRejected as rejected:
            raise _RejectedError(self._inputs.image_topic, 'unusable', rejected.reason) from rejected
        finally:
            self._note_session()  # a frame may begin a new session even if it is refused

    def _publish(self, result: FrameResult, header: Header, parameters: NodeParameters, decode_seconds: float) -> None:
        began = time.monotonic()
        transforms = self._outputs.publish_result(result, header, parameters)
        if transforms.missing is not None:
            self._accounting.warn('/tf', 'base_frame', transforms.missing)
        if transforms.changed is not None:
            self._accounting.warn_once('/tf', transforms.changed)
        self._accounting.count('processed')
        self._world_header = messages.header(header.stamp, parameters.world_frame)
        self._map_changed = True
        self._report = replace(
            messages.frame_report(result, header, decode_seconds),
            publish_seconds=time.monotonic() - began,
            image_age_seconds=(self._clock.now().nanoseconds - stamp_nanoseconds(header.stamp)) / NANOSECONDS,
        )

    def _note_session(self) -> None:
        """If a new session began, tell everybody that the world frame is another one from now on."""
        if self._session_id == self._reconstructor.session_id:
            return
        self._session_id = self._reconstructor.session_id
        self._log(f'session {self._session_id} begins: {self._reconstructor.reset_reason}')
        self._outputs.forget_session()
        self._map_changed, self._map_published_at = True, -float('inf')
        self.publish_map_if_due()

    def _is_published(self, topic: str) -> bool:
        return self._inputs.publisher_count(topic) > 0
