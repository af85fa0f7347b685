"""A rosbag2 recording (sqlite3 or MCAP) as input of a run: images, calibration, detections and transforms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from rosbags.interfaces import Connection, MessageDefinitionFormat
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from hand3r_ros.imaging.decoder import ImageDecoder
from hand3r_ros.node.calibration import CalibrationError, calibration_from_camera_info
from hand3r_ros.node.depth_alignment import PublishedDepth
from hand3r_ros.node.depth_decoding import decode_depth
from hand3r_ros.node.detections import DEFAULT_SIDES, Sides, detections_from_message
from hand3r_ros.node.frames import FALLBACK_CAMERA_FRAME
from hand3r_ros.node.image_decoding import ImageDecodingError, decode_message
from hand3r_ros.node.lens import Calibration
from hand3r_ros.node.messages import matrix_from_transform
from hand3r_ros.node.names import frame_name, shortened
from hand3r_ros.node.stamps import checked_nanoseconds
from hand3r_ros.offline.bag_files import opened_recording
from hand3r_ros.offline.bag_topics import BagTopics
from hand3r_ros.offline.errors import InputError, UnusableImageError
from hand3r_ros.offline.inputs import Calibrations, Companions, InputImage, RgbImage
from hand3r_ros.offline.recorded_depth import DepthPairing
from hand3r_ros.offline.recorded_detections import RecordedDetections
from hand3r_ros.offline.serialization import type_store
from hand3r_ros.offline.transforms import TransformHistory
from hand3r_ros.online.results import HandDetection

MOST_NOTES = 20
"""Maximum number of different messages about a recording."""


class BagInput:
    """One image topic of a recording, with what was recorded beside it."""

    def __init__(
        self,
        path: Path,
        wanted: BagTopics,
        rectified: bool = False,
        sides: Sides = DEFAULT_SIDES,
        depth_slop_ns: int | None = None,
    ) -> None:
        """Looks at the recording and chooses the topics; without ``depth_slop_ns`` depth is not read.

        Raises:
            InputError: it cannot be read, or it is not clear which topic is meant; lists those there are.

        """
        self._path, self._rectified, self._sides = path, rectified, sides
        self._slop_ns = depth_slop_ns or 0
        with opened_recording(self._path) as reader:
            self.topics = wanted.chosen({c.topic: _kind(c) for c in reader.connections if c.msgcount}, path)
            if depth_slop_ns is None:
                self.topics = replace(self.topics, depth='', depth_info='')
            self._count = sum(c.msgcount for c in reader.connections if c.topic == self.topics.image)

    @property
    def description(self) -> str:
        """Recording and topics."""
        others = [topic for topic in (self.topics.camera_info, self.topics.detections, self.topics.depth) if topic]
        beside = f' with {" and ".join(others)}' if others else ', uncalibrated'
        return f'{self._count} images of topic {self.topics.image}{beside} in recording {self._path}'

    @property
    def identity(self) -> dict[str, Any]:
        """Files with their sizes, and the topics."""
        files = sorted(self._path.iterdir()) if self._path.is_dir() else [self._path]
        sizes = {file.name: file.stat().st_size for file in files if file.is_file()}
        return {'recording': str(self._path.resolve()), 'files': sizes, 'topics': vars(self.topics)}

    @property
    def length(self) -> int | None:
        """Number of messages on the image topic."""
        return self._count

    def images(self) -> Iterator[InputImage]:
        """The messages of the image topic in the order in which they were recorded, with their depth."""
        pairing = DepthPairing(self._slop_ns) if self.topics.depth else None
        index = -1
        for connection, log_ns, data, types in self._messages([self.topics.image, self.topics.depth]):
            if pairing is not None and connection.topic == self.topics.depth:
                with suppress(Exception):  # as below; its image goes on without
                    message: Any = types.deserialize_cdr(data, connection.msgtype)
                    stamp_ns = checked_nanoseconds(message.header.stamp)
                    yield from pairing.add_depth(stamp_ns, partial(_decode_depth, message))
                continue
            index += 1
            name = f'message {index} of {self.topics.image}'
            try:
                message = types.deserialize_cdr(data, connection.msgtype)
                stamp_ns = checked_nanoseconds(message.header.stamp)
                image = InputImage(name, stamp_ns, log_ns, message.header.frame_id, partial(_decode, message))
            except Exception as error:  # rosbags raises whatever its generated code meets in damaged bytes
                image = InputImage(name, log_ns, log_ns, FALLBACK_CAMERA_FRAME, partial(_fail, error))
            yield from [image] if pairing is None else pairing.add_image(image)
        yield from [] if pairing is None else pairing.rest()

    def faults(self) -> tuple[str, ...]:
        """None: a recording that cannot be read on ends the run."""
        return ()

    def companions(self) -> Companions:
        """Reads calibration, detections and transforms at once: they are small."""
        gathered = _Gathered(self._rectified, self._sides)
        handlers: dict[str, Callable[[int, Any], None]] = {}
        if self.topics.camera_info:
            handlers[self.topics.camera_info] = gathered.on_camera_info
        if self.topics.depth_info:
            handlers[self.topics.depth_info] = gathered.on_depth_info
        if self.topics.detections:
            handlers[self.topics.detections] = gathered.on_detections
        for topic in self.topics.transforms:
            handlers[topic] = partial(gathered.on_transforms, static=topic.endswith('_static'))
        for connection, log_ns, data, types in self._messages(list(handlers)):
            try:
                handlers[connection.topic](log_ns, types.deserialize_cdr(data, connection.msgtype))
            except Exception as error:  # as above: one damaged message must not end the run
                gathered.note(f'{connection.topic}: a message was skipped: {error}')
        return gathered.companions(bool(self.topics.detections), bool(self.topics.transforms))

    def _messages(self, names: list[str]) -> Iterator[tuple[Connection, int, bytes, Typestore]]:
        if not names:
            return
        with opened_recording(self._path) as reader:
            chosen = [c for c in reader.connections if c.topic in names]
            types = {c.msgtype: types_of(c) for c in chosen}
            messages = reader.messages(chosen)
            while True:
                try:
                    connection, log_ns, data = next(messages)
                except StopIteration:
                    return
                except Exception as error:
                    raise InputError(f'recording {self._path} cannot be read on: {error}') from error
                yield connection, log_ns, data, types[connection.msgtype]


class _Gathered:
    """What is read beside the images."""

    def __init__(self, rectified: bool, sides: Sides) -> None:
        self._rectified, self._sides = rectified, sides
        self._since: list[int] = []
        self._cameras: list[Any] = []
        self._depth_camera: Calibration | None = None
        self._detections: dict[int, tuple[HandDetection, ...]] = {}
        self._unstamped: dict[int, tuple[HandDetection, ...]] = {}
        self._transforms = TransformHistory()
        self._notes: dict[str, int] = {}

    def note(self, text: str) -> None:
        """Say something once, with how often it happened."""
        if text not in self._notes and len(self._notes) >= MOST_NOTES:
            text = 'more of the kind'
        self._notes[text] = self._notes.get(text, 0) + 1

    def on_camera_info(self, log_ns: int, message: Any) -> None:
        try:
            calibration = calibration_from_camera_info(message, self._rectified)
        except CalibrationError as error:
            self.note(f'camera_info: {error}')
            return
        if not self._since or self._cameras[-1] != calibration:
            self._since.append(log_ns)
            self._cameras.append(calibration)

    def on_depth_info(self, log_ns: int, message: Any) -> None:
        if self._depth_camera is None:
            try:
                self._depth_camera = calibration_from_camera_info(message)
            except CalibrationError as error:
                self.note(f'camera_info of depth: {error}')

    def on_detections(self, log_ns: int, message: Any) -> None:
        stamp_ns = checked_nanoseconds(message.header.stamp)
        hands, problems = detections_from_message(message, self._sides)
        for problem in problems:
            self.note(f'detections: {problem}')
        by_time, time_ns = (self._detections, stamp_ns) if stamp_ns else (self._unstamped, log_ns)
        by_time[time_ns] = hands

    def on_transforms(self, log_ns: int, message: Any, static: bool) -> None:
        for item in message.transforms:
            parent, child = frame_name(item.header.frame_id), frame_name(item.child_frame_id)
            if not parent or not child or parent == child:
                self.note(f"{'/tf_static' if static else '/tf'}: '{shortened(child)}' in '{shortened(parent)}' skipped")
                continue
            stamp = checked_nanoseconds(item.header.stamp)
            self._transforms.add(parent, child, stamp, matrix_from_transform(item.transform), static)

    def companions(self, has_detections: bool, has_transforms: bool) -> Companions:
        return Companions(
            Calibrations(tuple(self._since), tuple(self._cameras)),
            RecordedDetections(self._detections, self._unstamped) if has_detections else None,
            self._transforms if has_transforms else None,
            tuple(text if count == 1 else f'{text} ({count} times)' for text, count in self._notes.items()),
            self._depth_camera,
        )


def _kind(connection: Connection) -> str:
    """The type of a topic; of messages that are not those of ROS 2, with their encoding: fits no type then."""
    encoding = getattr(connection.ext, 'serialization_format', 'cdr')
    return connection.msgtype if encoding == 'cdr' else f'{connection.msgtype}, {encoding}'


def types_of(connection: Connection) -> Typestore:
    """A store that knows the connection's type: as the recording defines it, else the standard one."""
    definition = connection.msgdef
    if definition.format == MessageDefinitionFormat.NONE or not definition.data:
        if connection.msgtype not in type_store().fielddefs:
            raise InputError(f'topic {connection.topic} has the unknown type {connection.msgtype}')
        return type_store()
    store = get_typestore(Stores.EMPTY)
    if definition.format == MessageDefinitionFormat.MSG:
        store.register(get_types_from_msg(definition.data, connection.msgtype))
    else:
        parts = [part.split('\n', 1)[1] for part in definition.data.split('=' * 80 + '\n') if part.startswith('IDL: ')]
        for text in parts or [definition.data]:
            store.register(get_types_from_idl(text))
    return store


def _decode(message: Any, decoder: ImageDecoder | None = None) -> RgbImage:
    try:
        return decode_message(message, decoder)
    except ImageDecodingError as error:
        raise UnusableImageError(str(error)) from error


def _decode_depth(message: Any) -> PublishedDepth:
    try:
        return PublishedDepth(decode_depth(message), message.header.frame_id)
    except ImageDecodingError as error:
        raise UnusableImageError(str(error)) from error


def _fail(error: Exception, decoder: ImageDecoder | None = None) -> RgbImage:
    raise UnusableImageError(f'the message cannot be decoded: {error}')
