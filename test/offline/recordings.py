"""Recordings of a camera that plays the rendered stream, and reading recordings back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import StoragePlugin, Writer
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import BoundingBox2D, Detection2D, Detection2DArray, ObjectHypothesis, ObjectHypothesisWithPose

from hand3r_lab.scenes.sequence import RenderedFrame
from hand3r_ros.geometry import Array
from hand3r_ros.node import messages, messages_scene
from hand3r_ros.offline.serialization import to_cdr, type_name, type_store
from hand3r_ros.online.results import HandDetection

FRAMES = 6
FRAME_NS = 100_000_000
FIRST_NS = 1_700_000_000_000_000_000


def stamp_ns(index: int) -> int:
    return FIRST_NS + index * FRAME_NS


def header(index: int, frame_id: str = 'camera_optical') -> Header:
    return messages.header(messages.time_from_nanoseconds(stamp_ns(index)), frame_id)


def raw_image(frame: RenderedFrame, index: int) -> Image:
    height, width = frame.image.shape[:2]
    data = messages.packed('B', frame.image)
    return Image(header=header(index), height=height, width=width, encoding='rgb8', step=3 * width, data=data)


def png_image(frame: RenderedFrame, index: int) -> CompressedImage:
    _, data = cv2.imencode('.png', cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
    return CompressedImage(header=header(index), format='png', data=messages.packed('B', data))


def boxes(frame: RenderedFrame) -> tuple[HandDetection, ...]:
    return tuple(HandDetection(hand.box, hand.side, 0.9) for hand in frame.hands)


def detections(frame: RenderedFrame, index: int) -> Detection2DArray:
    result = Detection2DArray(header=header(index))
    for hand in boxes(frame):
        x1, y1, x2, y2 = (float(value) for value in hand.box)
        detection = Detection2D(header=result.header)
        box = BoundingBox2D(size_x=x2 - x1, size_y=y2 - y1)
        box.center.position.x, box.center.position.y = (x1 + x2) / 2.0, (y1 + y2) / 2.0
        detection.bbox = box
        hypothesis = ObjectHypothesis(class_id=hand.side.name.lower(), score=hand.score)
        detection.results = [ObjectHypothesisWithPose(hypothesis=hypothesis)]
        result.detections = [*result.detections, detection]
    return result


def transform(index: int, parent: str, child: str, T_parent_child: Array) -> TFMessage:
    return TFMessage(transforms=[messages.transform_stamped(header(index, parent), child, T_parent_child)])


def recording(rendered: list[RenderedFrame], compressed: bool = False) -> list[tuple[str, int, Any]]:
    """Image, camera_info and detections of every frame; recorded 5 ms after they were taken."""
    found: list[tuple[str, int, Any]] = []
    for index, frame in enumerate(rendered):
        log_ns = stamp_ns(index) + 5_000_000
        image = png_image(frame, index) if compressed else raw_image(frame, index)
        name = '/cam/image_raw/compressed' if compressed else '/cam/image_raw'
        found.append(('/cam/camera_info', log_ns, messages_scene.camera_info(header(index), frame.intrinsics)))
        found.append((name, log_ns, image))
        found.append(('/boxes', log_ns, detections(frame, index)))
    return found


def write_bag(path: Path, messages: list[tuple[str, int, Any]], storage: StoragePlugin = StoragePlugin.MCAP) -> Path:
    """A recording of topic, log time and message; bytes are written as they are, under the type of the topic."""
    with Writer(path, version=9, storage_plugin=storage) as writer:
        connections: dict[str, Any] = {}
        for topic, _, message in messages:
            if topic not in connections and not isinstance(message, bytes):
                name = type_name(type(message))
                connections[topic] = writer.add_connection(topic, name, typestore=type_store())
        for topic, log_ns, message in messages:
            writer.write(connections[topic], log_ns, message if isinstance(message, bytes) else to_cdr(message))
    return path


def read_bag(path: Path) -> dict[str, list[tuple[int, Any]]]:
    """Log times and messages by topic; only the definitions in the file are used."""
    found: dict[str, list[tuple[int, Any]]] = {}
    with AnyReader([path]) as reader:
        for connection, log_ns, data in reader.messages():
            message = reader.deserialize(data, connection.msgtype)
            found.setdefault(connection.topic, []).append((log_ns, message))
    return found


def equal(first: Any, second: Any) -> bool:
    """Whether two messages of rosbags are the same to the last bit (NaN equals NaN)."""
    if hasattr(first, '__dataclass_fields__'):
        return all(equal(getattr(first, name), getattr(second, name)) for name in first.__dataclass_fields__)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(equal, first, second))
    if isinstance(first, np.ndarray):
        return first.shape == second.shape and first.tobytes() == second.tobytes()
    return bool(first == second)
