"""A depth camera beside the colour camera, on the running node: used, missing, wrong, and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from harness import CAMERA_FRAME, RELIABLE_IMAGES, RunningNode, running_node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image, PointCloud2

from hand3r_msgs.msg import Hand3RStatus
from hand3r_ros.node import messages

STATUS, POINTS = '/hand3r/status', '/hand3r/points'
METRES = 1.7


@pytest.fixture(scope='module')
def node(weights_dir: Path) -> Iterator[RunningNode]:
    parameters = {
        'weights_dir': weights_dir,
        **RELIABLE_IMAGES,
        'qos_overrides./depth.subscription.reliability': 'reliable',
        'detector': 'topic',
        'detections.wait': 5.0,
        'depth.wait': 5.0,
        'calibration_wait': 5.0,
        'warmup': False,
        'points.organized': True,
        'points.min_confidence': 0.0,
        'points.max_range': 1000.0,
    }
    with running_node(parameters) as running:
        for topic, kind in {STATUS: Hand3RStatus, POINTS: PointCloud2, '/diagnostics': DiagnosticArray}.items():
            running.client.record(kind, topic)
        running.create_camera()
        reliable = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
        running.depth_publisher = running.client.create_publisher(Image, 'depth', reliable)
        running.wait_for_state('active')
        running.wait_for_subscriptions()
        running.client.wait(running.depth_publisher.get_subscription_count, 'the subscription of depth')
        yield running
        assert running.close() == 0


def send(node: RunningNode, values: np.ndarray | None = None, encoding: str = '16UC1') -> int:
    """An image with depth of one moment; gives its stamp."""
    stamp = node.next_stamp()
    if values is not None:
        header = messages.header(messages.time_from_nanoseconds(stamp), CAMERA_FRAME)
        data, (height, width) = messages.packed('B', np.ascontiguousarray(values).view(np.uint8)), values.shape
        step = values.itemsize * width
        node.depth_publisher.publish(
            Image(header=header, height=height, width=width, encoding=encoding, step=step, data=data)
        )
    return node.send(stamp_ns=stamp)


def wall(kind: Any = np.uint16, metres: float = METRES) -> np.ndarray:
    return np.full((240, 320), 1000 * metres if kind == np.uint16 else metres, kind)


def distances(node: RunningNode, stamp: int) -> np.ndarray:
    cloud = node.client.message_at(POINTS, stamp)
    return np.frombuffer(bytes(cloud.data), np.uint8).reshape(-1, cloud.point_step)[:, 8:12].copy().view(np.float32)


@pytest.mark.parametrize(('kind', 'encoding'), [(np.uint16, '16UC1'), (np.float32, '32FC1')])
def test_points_are_where_the_depth_camera_measures_them(node: RunningNode, kind: Any, encoding: str) -> None:
    stamp = send(node, wall(kind), encoding)
    assert node.client.message_at(STATUS, stamp).scale_source == Hand3RStatus.SCALE_DEPTH
    assert np.allclose(distances(node, stamp), METRES, atol=1e-3)


def test_wrong_units_are_refused_with_the_reason_and_the_image_goes_on(node: RunningNode) -> None:
    before = node.client.message_at(STATUS, send(node, wall()))
    stamp = send(node, wall(np.float32, 1000.0 * METRES), '32FC1')
    status = node.client.message_at(STATUS, stamp)
    assert status.scale_source == Hand3RStatus.SCALE_EARLIER_DEPTH
    assert status.frames_processed == before.frames_processed + 1
    node.client.wait(lambda: any('millimetres given as metres' in line for line in node.log()), 'the reason')
    assert 'millimetres given as metres' in status.last_error


def test_depth_that_stays_away_is_told_and_used_again_when_it_is_back(node: RunningNode) -> None:
    assert node.set_parameter('depth.wait', 0.05).successful
    node.client.message_at(STATUS, send(node, wall()))
    for _ in range(6):
        status = node.client.message_at(STATUS, send(node))
        assert status.scale_source == Hand3RStatus.SCALE_EARLIER_DEPTH
    node.client.wait(lambda: any('images have no measured depth' in line for line in node.log()), 'the warning')

    def warned() -> bool:
        found = [s for array in node.client.received['/diagnostics'] for s in array.status]
        return any('images have no measured depth' in status.message for status in found)

    node.client.wait(warned, 'the warning in the diagnostics')
    assert node.set_parameter('depth.wait', 5.0).successful
    stamp = send(node, wall())
    assert node.client.message_at(STATUS, stamp).scale_source == Hand3RStatus.SCALE_DEPTH
    assert np.allclose(distances(node, stamp), METRES, atol=1e-3)
