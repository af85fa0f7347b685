"""Images that come too fast, lens distortion, and QoS that users override, on the running node."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from harness import (
    RELIABLE_IMAGES,
    RunningNode,
    detections_message,
    image_message,
    picture,
    running_node,
    stamp_of,
)
from lifecycle_msgs.msg import Transition
from rcl_interfaces.srv import DescribeParameters, GetParameters
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image, PointCloud2
from std_srvs.srv import Trigger

from hand3r_lab.scenes.sequence import RenderedFrame, SceneConfig, Sequence
from hand3r_msgs.msg import Hand3RStatus, HandMeshArray
from hand3r_ros.geometry import Array, project_points
from hand3r_ros.node import messages, messages_hands, messages_scene
from hand3r_ros.node.lens import LensDistortion, Undistorter
from hand3r_ros.node.qos import IMAGE_DEPTH

STATUS, HANDS, POINTS = '/hand3r/status', '/hand3r/hands', '/hand3r/points'
LENS = LensDistortion('plumb_bob', (-0.3, 0.1, 0.002, -0.001, 0.0))


@pytest.fixture(scope='module')
def node(weights_dir: Path) -> Iterator[RunningNode]:
    parameters = {
        'weights_dir': weights_dir,
        **RELIABLE_IMAGES,
        'qos_overrides./hand3r/points.publisher.depth': 3,
        'detections.wait': 5.0,
        'calibration_wait': 5.0,
        'warmup': False,
        'hands.frame': 'camera',
        'points.organized': True,
        'points.min_confidence': 0.0,
        'points.max_range': 1000.0,
    }
    with running_node(parameters) as running:
        for topic, kind in {STATUS: Hand3RStatus, HANDS: HandMeshArray, POINTS: PointCloud2}.items():
            running.client.record(kind, topic)
        running.create_camera()
        running.wait_for_state('active')
        running.wait_for_subscriptions()
        yield running
        assert running.close() == 0


def test_images_that_come_too_fast_are_all_accounted_for_and_the_newest_is_done_last(node: RunningNode) -> None:
    client = node.client
    before = client.message_at(STATUS, node.send())
    burst = client.create_publisher(
        Image, 'image', QoSProfile(depth=IMAGE_DEPTH, reliability=ReliabilityPolicy.RELIABLE)
    )
    client.wait(lambda: burst.get_subscription_count(), 'the image subscription')
    stamps = [node.next_stamp() for _ in range(IMAGE_DEPTH)]
    for stamp in stamps:
        node.detections_publisher.publish(detections_message(stamp, {}))
    for number, stamp in enumerate(stamps):
        changes = {'encoding': 'rgb10'} if number == IMAGE_DEPTH // 2 else {}
        burst.publish(image_message(stamp, picture(number), **changes))

    def accounted() -> int:
        now = client.received[STATUS][-1]
        return sum(
            getattr(now, name) - getattr(before, name)
            for name in ('frames_processed', 'frames_dropped', 'frames_rejected')
        )

    client.wait(lambda: accounted() == IMAGE_DEPTH, f'{IMAGE_DEPTH} images in the counters')
    after = client.received[STATUS][-1]
    assert after.frames_received - before.frames_received == IMAGE_DEPTH
    assert after.frames_dropped > before.frames_dropped
    done = [stamp_of(message) for message in client.received[HANDS] if stamp_of(message) in stamps]
    assert done == sorted(done) and done[-1] == stamps[-1]
    client.destroy_publisher(burst)


def parameter(node: RunningNode, name: str) -> Any:
    request = GetParameters.Request(names=[name])
    value = node.client.call(GetParameters, '/hand3r/get_parameters', request).values[0]
    return value.integer_value if value.type == 2 else value.string_value


def test_the_qos_of_inputs_and_large_outputs_is_given_by_read_only_parameters(node: RunningNode) -> None:
    expected = {
        '/image.subscription.reliability': 'reliable',
        '/image.subscription.depth': IMAGE_DEPTH,
        '/camera_info.subscription.reliability': 'best_effort',
        '/detections.subscription.history': 'keep_last',
        '/hand3r/points.publisher.depth': 3,
        '/hand3r/map.publisher.reliability': 'reliable',
        '/hand3r/hands.publisher.depth': 5,
    }
    found = {name: parameter(node, f'qos_overrides.{name}') for name in expected}
    assert found == expected
    name = 'qos_overrides./image.subscription.reliability'
    request = DescribeParameters.Request(names=[name])
    assert node.client.call(DescribeParameters, '/hand3r/describe_parameters', request).descriptors[0].read_only
    assert not node.set_parameter(name, 'best_effort').successful
    (image,) = [info for info in node.client.get_subscriptions_info_by_topic('/image') if info.node_name == 'hand3r']
    assert image.qos_profile.reliability == ReliabilityPolicy.RELIABLE


def test_qos_stays_overridden_when_the_node_is_activated_again(node: RunningNode) -> None:
    assert node.change_state(Transition.TRANSITION_DEACTIVATE)
    assert node.change_state(Transition.TRANSITION_ACTIVATE)
    node.wait_for_subscriptions()
    (image,) = [info for info in node.client.get_subscriptions_info_by_topic('/image') if info.node_name == 'hand3r']
    assert image.qos_profile.reliability == ReliabilityPolicy.RELIABLE
    assert image.qos_profile.history in (HistoryPolicy.KEEP_LAST, HistoryPolicy.UNKNOWN)
    assert node.client.message_at(STATUS, node.send()).state != Hand3RStatus.LOST


@pytest.fixture(scope='module')
def rendered() -> RenderedFrame:
    sequence = Sequence(200_000_003, SceneConfig(width=320, height=240, frames=1, hands='right', effects=False))
    return sequence.frame(0)


def as_the_lens_shows_it(image: np.ndarray, undistorter: Undistorter) -> np.ndarray:
    """The raw image: each of its pixels shows what the pinhole camera sees in the same direction."""
    height, width = image.shape[:2]
    v, u = np.indices((height, width))
    seen = undistorter.from_raw(np.stack([u, v], -1).reshape(-1, 2)).reshape(height, width, 2).astype(np.float32)
    return cv2.remap(image, seen[..., 0], seen[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def reconstruct(node: RunningNode, **frame: Any) -> tuple[Any, Array]:
    """The hand and the points (H, W, 3) of the first frame of a new session."""
    assert node.client.call(Trigger, '/hand3r/reset', Trigger.Request()).success
    stamp = node.send(**frame)
    (hand,) = node.client.message_at(HANDS, stamp).hands
    return hand, np.asarray(messages_scene.cloud_arrays(node.client.message_at(POINTS, stamp))[0], float)


def test_a_distorted_image_gives_what_the_undistorted_one_gives(node: RunningNode, rendered: RenderedFrame) -> None:
    camera = rendered.intrinsics
    undistorter = Undistorter(camera, LENS)
    raw = as_the_lens_shows_it(rendered.image, undistorter)
    box = np.asarray(rendered.hands[0].box, float)
    x1, y1, x2, y2 = box
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    left, top, right, bottom = undistorter.to_raw([[x1, y], [x, y1], [x2, y], [x, y2]])
    raw_box = (left[0], top[1], right[0], bottom[1])
    assert np.abs(np.array(raw_box) - box).max() > 1.0  # the lens does something

    ideal_hand, ideal_points = reconstruct(node, pixels=rendered.image, hands={'right': tuple(box)}, camera=camera)
    hand, points = reconstruct(node, pixels=raw, hands={'right': raw_box}, camera=camera, lens=LENS)
    ignored_hand, ignored_points = reconstruct(node, pixels=raw, hands={'right': raw_box}, camera=camera)

    def difference(one: Array, other: Array) -> float:
        return float(np.nanmedian(np.linalg.norm(one - other, axis=-1)))

    assert difference(points, ideal_points) < 0.4 * difference(ignored_points, ideal_points)
    keypoints, ideal, ignored = (
        np.asarray(messages_hands.points_of(h.keypoints), float) for h in (hand, ideal_hand, ignored_hand)
    )
    assert difference(keypoints, ideal) < 0.4 * difference(ignored, ideal)
    # Pixels refer to the image that was sent.
    np.testing.assert_allclose(hand.bbox, raw_box, atol=1.5)
    pixels = np.asarray(messages_hands.points_of(hand.keypoints_2d, 2), float)
    np.testing.assert_allclose(pixels, undistorter.to_raw(project_points(keypoints, camera)), atol=0.1)


def test_16_bit_images_of_a_10_bit_camera_are_as_bright_as_8_bit_ones_and_this_is_said(node: RunningNode) -> None:
    def colours(**changes: Any) -> Array:
        stamp = node.next_stamp()
        node.detections_publisher.publish(detections_message(stamp, {}))
        node.image_publisher.publish(image_message(stamp, np.zeros((240, 320, 3), np.uint8), **changes))
        return np.asarray(messages_scene.cloud_arrays(node.client.message_at(POINTS, stamp))[1], float)

    grey = picture()[..., 0]
    deep = {'encoding': 'mono16', 'step': 640, 'data': messages.packed('B', (grey.astype('<u2') << 2).view(np.uint8))}
    plain = colours(encoding='mono8', step=320, data=messages.packed('B', grey))
    np.testing.assert_allclose(colours(**deep), plain, atol=1.0)
    node.client.wait(lambda: any('use 10 bits' in line for line in node.log(level=20)), 'a word about the range')
    assert not node.set_parameter('image_bits', 3).successful
    assert node.set_parameter('image_bits', 16).successful
    assert colours(**deep).mean() < 0.1 * plain.mean()
    assert node.set_parameter('image_bits', 0).successful
    assert node.client.call(Trigger, '/hand3r/reset', Trigger.Request()).success


def test_a_qos_that_cannot_be_is_told_in_one_line_and_the_node_stays_inactive(weights_dir: Path) -> None:
    bad = {'qos_overrides./image.subscription.reliability': 'perhaps'}
    with running_node({'weights_dir': weights_dir, 'warmup': False, **bad}) as node:
        node.client.wait(lambda: node.log(40), 'the error')
        (line,) = node.log(40)
        assert 'cannot activate' in line and '/image' in line and 'perhaps' in line
        node.wait_for_state('inactive')
        assert node.close() == 0
