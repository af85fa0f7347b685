"""What a recording of the node tells: accuracy where ground truth was recorded, latency, drops, a picture.

The same collector and summary as the live monitor of the demo; here the messages come from a rosbag2 folder or an MCAP
file, and the time of arrival is that of the recording.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hand3r_lab.demo.collector import Collector
from hand3r_ros.offline.bag_files import opened_recording
from hand3r_ros.offline.bag_input import types_of

HANDS_TYPE = 'hand3r_msgs/msg/HandMeshArray'
IMAGE_TYPES = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage')
TRUTH = 'ground_truth/'

Handler = Callable[[Any, int], None]


class ReportError(ValueError):
    """There is nothing to report of this recording; the message says why."""


def collect(recording: Path, node: str = '') -> Collector:
    """Everything in a recording about one node.

    Args:
        recording: rosbag2 folder, ``.mcap`` or ``.db3`` file.
        node: full name of the node, as ``/hand3r``; empty: the only one there is.

    Raises:
        ReportError: no node was recorded, several were and none is named, or it gave no results.
        hand3r_ros.offline.errors.InputError: the recording cannot be read.

    """
    collector = Collector()
    with opened_recording(recording) as reader:
        topics = {connection.topic: connection.msgtype for connection in reader.connections if connection.msgcount}
        handlers = _handlers(collector, topics, _chosen_node(topics, node, recording))
        chosen = [connection for connection in reader.connections if connection.topic in handlers]
        types = {connection.msgtype: types_of(connection) for connection in chosen}
        for connection, log_ns, data in reader.messages(chosen):
            message = types[connection.msgtype].deserialize_cdr(data, connection.msgtype)
            handlers[connection.topic](message, log_ns)
    if not collector.run.results:
        raise ReportError(f'{recording} holds no result of the node: nothing was processed while it was recorded')
    return collector


def _chosen_node(topics: dict[str, str], wanted: str, recording: Path) -> str:
    """Full name of the node, from the topics of its hands."""
    names = sorted(
        topic.removesuffix('/hands')
        for topic, kind in topics.items()
        if kind == HANDS_TYPE and topic.endswith('/hands') and TRUTH not in topic
    )
    if not names:
        raise ReportError(f'{recording} has no topic ~/hands ({HANDS_TYPE}): record the outputs of the node as well')
    if wanted:
        name = '/' + wanted.strip('/')
        if name not in names:
            raise ReportError(f'{recording} has no node {name}; there are {", ".join(names)}')
        return name
    if len(names) > 1:
        raise ReportError(f'{recording} has several nodes, choose one with --node: {", ".join(names)}')
    return names[0]


def _handlers(collector: Collector, topics: dict[str, str], node: str) -> dict[str, Handler]:
    """What each topic does to the collector; inputs and ground truth lie beside the node."""
    beside = node.rsplit('/', 1)[0]
    handlers: dict[str, Handler] = {
        f'{node}/hands': collector.on_hands,
        f'{node}/camera_pose': _without_time(collector.on_camera_pose),
        f'{node}/points': _without_time(collector.on_points),
        f'{node}/map': _without_time(collector.on_map),
        f'{node}/hand_topology': _without_time(collector.on_topology),
        f'{node}/status': _without_time(collector.on_status),
        f'{beside}/camera_info': _without_time(collector.on_camera_info),
        f'{beside}/{TRUTH}hands': _without_time(collector.on_true_hands),
        f'{beside}/{TRUTH}camera_pose': _without_time(collector.on_true_pose),
        f'{beside}/{TRUTH}depth': _without_time(collector.on_true_depth),
    }
    images = [topic for topic, kind in sorted(topics.items()) if kind in IMAGE_TYPES and _is_input(topic, node)]
    if images:
        usual = (f'{beside}/image', f'{beside}/image/compressed')
        image = min(images, key=lambda topic: (topic not in usual, topic))
        handlers[image] = _without_time(collector.on_image)
    return {topic: handler for topic, handler in handlers.items() if topic in topics}


def _is_input(topic: str, node: str) -> bool:
    return not topic.startswith(node + '/') and TRUTH not in topic and 'depth' not in topic


def _without_time(handle: Callable[[Any], None]) -> Handler:
    return lambda message, _: handle(message)
