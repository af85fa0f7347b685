"""Bad input on the running node: counted, told once with topic and cause, and the next good image works."""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from harness import (
    CAMERA,
    CAMERA_FRAME,
    RELIABLE_IMAGES,
    RunningNode,
    detections_message,
    image_message,
    picture,
    running_node,
)
from sensor_msgs.msg import CompressedImage
from tf2_msgs.msg import TFMessage

from hand3r_msgs.msg import Hand3RStatus, HandMeshArray
from hand3r_ros.geometry import Intrinsics
from hand3r_ros.node import messages, messages_scene

HAND = {'right': (100.0, 80.0, 190.0, 170.0)}
STATUS, HANDS = '/hand3r/status', '/hand3r/hands'


def start(weights_dir: Path, **parameters: Any) -> dict[str, Any]:
    quick = {**RELIABLE_IMAGES, 'detections.wait': 5.0, 'calibration_wait': 0.5, 'warmup': False}
    return {'weights_dir': weights_dir, **quick, **parameters}


@pytest.fixture(scope='module')
def raw_node(weights_dir: Path) -> Iterator[RunningNode]:
    with running_node(start(weights_dir), {'ROS_PYTHON_CHECK_FIELDS': '1'}) as running:
        for topic, kind in {
            STATUS: Hand3RStatus,
            HANDS: HandMeshArray,
            '/diagnostics': DiagnosticArray,
            '/tf': TFMessage,
        }.items():
            running.client.record(kind, topic)
        running.create_camera()
        running.wait_for_state('active')
        running.wait_for_subscriptions()
        yield running
        assert running.close() == 0


@pytest.fixture
def node(raw_node: RunningNode) -> RunningNode:
    """The node after a good image, on a time line of its own."""
    status = raw_node.client.message_at(STATUS, raw_node.send(hands=HAND))
    assert status.state == Hand3RStatus.OK and status.hands == 1
    return raw_node


def newest_status(node: RunningNode) -> Hand3RStatus:
    return node.client.received[STATUS][-1]


def input_diagnostics(node: RunningNode) -> dict[str, str]:
    """The newest values of the diagnostics about the input."""
    newest: dict[str, str] = {}
    for message in node.client.received['/diagnostics']:
        for status in message.status:
            if status.name.endswith('input'):
                newest = {value.key: value.value for value in status.values}
    return newest


def input_levels(node: RunningNode) -> list[tuple[bytes, str]]:
    """Levels and summaries of the diagnostics about the input."""
    messages_so_far = list(node.client.received['/diagnostics'])
    return [(s.level, s.message) for message in messages_so_far for s in message.status if s.name.endswith('input')]


def require_rejection(node: RunningNode, before: Hand3RStatus, topic: str, cause: str) -> None:
    """One more rejection, with its cause in status, log and diagnostics; then a good image gives a hand again."""
    client = node.client
    client.wait(
        lambda: newest_status(node).frames_rejected == before.frames_rejected + 1,
        f"a rejection '{cause}'; last error: {newest_status(node).last_error}",
    )
    after = newest_status(node)
    assert after.frames_processed == before.frames_processed
    assert topic in after.last_error and cause in after.last_error
    client.wait(lambda: any(topic in line and cause in line for line in node.log()), f'a log line about {cause}')
    client.wait(lambda: int(input_diagnostics(node).get('rejected', 0)) > before.frames_rejected, 'the diagnostics')
    good = client.message_at(STATUS, node.send(hands=HAND))
    assert good.frames_processed == before.frames_processed + 1 and good.hands == 1
    assert good.state == Hand3RStatus.OK


@pytest.mark.parametrize(
    ('cause', 'changes'),
    [
        ('unknown encoding', {'encoding': 'rgb10'}),
        ('truncated', {'data': array('B', bytes(1000))}),
        ('empty', {'width': 0, 'height': 0, 'step': 0, 'data': array('B')}),
        ('step', {'step': 10}),
    ],
)
def test_images_that_do_not_decode(node: RunningNode, cause: str, changes: dict[str, Any]) -> None:
    before = newest_status(node)
    node.image_publisher.publish(image_message(node.next_stamp(), picture(), **changes))
    require_rejection(node, before, '/image', cause)
    assert newest_status(node).session_id == before.session_id


def test_an_image_too_small_to_see_anything(node: RunningNode) -> None:
    before = newest_status(node)
    node.send(picture(0, 20, 10), HAND, camera=Intrinsics(20.0, 20.0, 9.5, 4.5, 20, 10))
    require_rejection(node, before, '/image', '20 x 10')


def test_a_stamp_from_the_past(node: RunningNode) -> None:
    before = newest_status(node)
    past = node.stamp_ns - 500_000_000_000
    node.send(hands=HAND, stamp_ns=past)
    require_rejection(node, before, '/image', 'is not after')
    assert newest_status(node).session_id == before.session_id  # one wrong stamp is no new time line


@pytest.mark.parametrize('wrong_ns', [0, 3_600_000_000_000 + 1_000_000_000_000, (2**31 - 1) * 1_000_000_000])
def test_a_lone_wrong_stamp_costs_one_image_and_the_next_does_not_wait(node: RunningNode, wrong_ns: int) -> None:
    before = newest_status(node)
    node.send(hands=HAND, stamp_ns=wrong_ns)
    require_rejection(node, before, '/image', 'unless the next image continues from there')
    for _ in range(3):
        assert node.client.message_at(STATUS, node.send(hands=HAND)).session_id == before.session_id


def test_nanoseconds_that_are_more_than_a_second_are_refused(node: RunningNode) -> None:
    before = newest_status(node)
    header = messages.header(messages.time_from_nanoseconds(node.next_stamp()), CAMERA_FRAME)
    header.stamp.nanosec = 4_000_000_000
    node.image_publisher.publish(image_message(0, picture(), header=header))
    require_rejection(node, before, '/image', '4000000000 nanoseconds')
    detections = detections_message(node.next_stamp(), HAND)
    detections.header.stamp.nanosec = 1_000_000_000
    before = newest_status(node)
    node.detections_publisher.publish(detections)
    require_rejection(node, before, '/detections', '1000000000 nanoseconds')


def test_the_same_stamp_again(node: RunningNode) -> None:
    before = newest_status(node)
    node.send(hands=HAND, stamp_ns=node.stamp_ns)
    require_rejection(node, before, '/image', 'is not after')


def test_a_bag_that_starts_again_begins_a_new_session(node: RunningNode) -> None:
    before = newest_status(node)
    node.stamp_ns -= 700_000_000_000
    node.send(hands=HAND)
    node.client.wait(lambda: newest_status(node).frames_rejected == before.frames_rejected + 1, 'a rejection')
    status = node.client.message_at(STATUS, node.send(hands=HAND))
    assert (status.session_id, status.frame_index, status.hands) == (before.session_id + 1, 0, 1)


def test_another_image_size_begins_a_new_session_and_carries_on(node: RunningNode) -> None:
    before = newest_status(node)
    small = Intrinsics(200.0, 200.0, 127.5, 95.5, 256, 192)
    status = node.client.message_at(STATUS, node.send(picture(1, 256, 192), HAND, camera=small))
    assert (status.session_id, status.frame_index, status.hands) == (before.session_id + 1, 0, 1)
    assert status.state == Hand3RStatus.OK and status.frames_rejected == before.frames_rejected
    status = node.client.message_at(STATUS, node.send(picture(2, 256, 192), HAND, camera=small))
    assert (status.session_id, status.frame_index) == (before.session_id + 1, 1)
    node.client.message_at(STATUS, node.send(hands=HAND))


def test_a_calibration_that_is_not_finite_is_ignored(node: RunningNode) -> None:
    before = newest_status(node)
    info = messages_scene.camera_info(messages.header(messages.time_from_nanoseconds(0), CAMERA_FRAME), CAMERA)
    info.k[0] = np.nan
    node.info_publisher.publish(info)
    require_rejection(node, before, '/camera_info', 'not finite')


@pytest.mark.parametrize(
    ('model', 'coefficients', 'cause'),
    [('mei', [0.1] * 5, "distortion_model 'mei'"), ('equidistant', [0.1] * 2, 'D has 2 numbers')],
)
def test_a_lens_that_cannot_be_undone_leaves_the_calibration_from_before(
    node: RunningNode, model: str, coefficients: list[float], cause: str
) -> None:
    before = newest_status(node)
    info = messages_scene.camera_info(messages.header(messages.time_from_nanoseconds(0), CAMERA_FRAME), CAMERA)
    info.distortion_model, info.d = model, array('d', coefficients)
    node.info_publisher.publish(info)
    require_rejection(node, before, '/camera_info', cause)


def test_calibrations_that_no_camera_has_leave_the_one_from_before(node: RunningNode) -> None:
    before = newest_status(node)
    for number, (changes, cause) in enumerate(
        [
            ({'width': 640, 'height': 0, 'binning_x': 2}, 'image of 640x0'),
            ({'width': 0, 'height': 0, 'binning_y': 2}, 'image of 0x0'),
            ({'k': [300.0, 0.0, 159.5, 0.0, 5e-324, 119.5, 0.0, 0.0, 1.0]}, 'focal lengths'),
            ({'k': [300.0, 0.0, 1e9, 0.0, 300.0, 119.5, 0.0, 0.0, 1.0]}, 'principal point'),
            ({'distortion_model': 'plumb_bob', 'd': [1e300] * 5}, 'D shows the middle'),
        ]
    ):
        info = messages_scene.camera_info(messages.header(messages.time_from_nanoseconds(0), CAMERA_FRAME), CAMERA)
        for name, value in changes.items():
            setattr(info, name, value)
        node.info_publisher.publish(info)
        node.client.wait(
            lambda expected=number + 1: newest_status(node).frames_rejected == before.frames_rejected + expected,
            f'a rejection: {cause}',
        )
        said = newest_status(node).last_error
        assert cause in said and said.endswith('keeping the calibration from before')
    status = node.client.message_at(STATUS, node.send(hands=HAND, camera=None))
    assert status.state == Hand3RStatus.OK and status.hands == 1


def test_an_image_that_claims_to_be_huge(node: RunningNode) -> None:
    before = newest_status(node)
    node.image_publisher.publish(image_message(node.next_stamp(), picture(), width=32000, height=32000, step=96000))
    require_rejection(node, before, '/image', 'max_image_pixels')


def test_a_calibration_of_another_size_leaves_the_image_uncalibrated(node: RunningNode) -> None:
    before = newest_status(node)
    status = node.client.message_at(STATUS, node.send(hands=HAND, camera=replace(CAMERA, width=640, height=480)))
    assert status.frames_rejected == before.frames_rejected + 1
    assert '/camera_info' in status.last_error and '640x480' in status.last_error and '320x240' in status.last_error
    assert status.state == Hand3RStatus.UNCALIBRATED
    assert node.client.message_at(STATUS, node.send(hands=HAND)).state == Hand3RStatus.OK


def test_detections_that_mean_nothing_are_left_out(node: RunningNode) -> None:
    before = newest_status(node)
    stamp = node.next_stamp()
    detections = detections_message(stamp, {'foot': (0.0, 0.0, 50.0, 50.0), **HAND})
    node.detections_publisher.publish(detections)
    node.image_publisher.publish(image_message(stamp, picture()))
    status = node.client.message_at(STATUS, stamp)
    assert status.frames_rejected == before.frames_rejected + 1 and "'foot'" in status.last_error
    assert status.hands == 1


@pytest.mark.parametrize(
    ('box', 'cause'),
    [
        ((0.31, 0.33, 0.59, 0.7), 'in fractions of the image'),
        ((100.0, 80.0, 101.0, 81.0), 'smaller than'),
        ((1000.0, 80.0, 1100.0, 170.0), 'outside of the image of 320 x 240'),
    ],
)
def test_boxes_in_which_no_hand_can_be_are_left_out_and_said(
    node: RunningNode, box: tuple[float, float, float, float], cause: str
) -> None:
    before = newest_status(node)
    status = node.client.message_at(STATUS, node.send(hands={'right': box, 'left_hand': HAND['right']}))
    assert (status.hands, status.frames_rejected) == (1, before.frames_rejected + 1)
    assert '/detections' in status.last_error and cause in status.last_error
    node.client.wait(lambda: any('/detections: box [' in line for line in node.log()), 'a log line')


def test_boxes_with_other_stamps_than_the_images_are_told_with_the_difference(node: RunningNode) -> None:
    assert node.set_parameter('detections.wait', 0.05).successful
    before = newest_status(node)
    for _ in range(4):
        stamp = node.next_stamp()
        node.detections_publisher.publish(detections_message(stamp + 5_000_000, HAND))
        node.image_publisher.publish(image_message(stamp, picture()))
        status = node.client.message_at(STATUS, stamp)
    assert status.hands == 0 and status.frames_rejected == before.frames_rejected
    node.client.wait(lambda: any('the nearest are 5.000 ms later' in line for line in node.log()), 'a log line')
    node.client.wait(
        lambda: any(level == DiagnosticStatus.WARN and 'ms later' in text for level, text in input_levels(node)),
        'a warning in the diagnostics',
    )
    assert node.set_parameter('detections.wait', 5.0).successful
    assert node.client.message_at(STATUS, node.send(hands=HAND)).hands == 1
    node.client.wait(lambda: 'ms later' not in input_levels(node)[-1][1], 'the diagnostics without it')


@pytest.mark.parametrize(
    ('frame_id', 'frame', 'warning'),
    [
        ('', 'hand3r_camera', 'frame_id is empty'),
        ('//test//camera/', 'test/camera', 'has slashes that TF refuses'),
        ('hand3r_world', 'hand3r_camera', 'is the world_frame'),
        ('f' * 1_000_000, 'hand3r_camera', 'cannot be a frame'),
    ],
)
def test_a_frame_id_that_tf_cannot_carry_is_mended(node: RunningNode, frame_id: str, frame: str, warning: str) -> None:
    lines = len(node.log())
    for _ in range(2):
        stamp = node.next_stamp()
        node.detections_publisher.publish(detections_message(stamp, {}))
        header = messages.header(messages.time_from_nanoseconds(stamp), frame_id)
        node.image_publisher.publish(image_message(stamp, picture(), header=header))
        assert node.client.message_at(STATUS, stamp).header.frame_id == frame
        (transform,) = node.client.message_at('/tf', stamp).transforms
        assert (transform.header.frame_id, transform.child_frame_id) == ('hand3r_world', frame)
    node.client.wait(lambda: any(warning in line for line in node.log()[lines:]), 'a warning')
    assert len([line for line in node.log()[lines:] if warning in line]) == 1
    assert all(len(line) < 600 for line in node.log()[lines:])


def test_a_name_of_a_megabyte_is_not_repeated(node: RunningNode) -> None:
    before = newest_status(node)
    node.image_publisher.publish(image_message(node.next_stamp(), picture(), encoding='e' * 1_000_000))
    node.client.wait(lambda: newest_status(node).frames_rejected == before.frames_rejected + 1, 'a rejection')
    error = newest_status(node).last_error
    assert "unknown encoding 'eee" in error and '(1000000 characters)' in error and len(error) < 600


def test_a_flood_of_bad_images_is_one_log_line(node: RunningNode) -> None:
    before = newest_status(node)
    lines = len([line for line in node.log() if 'flood' in line])
    for number in range(1, 11):
        node.image_publisher.publish(image_message(node.next_stamp(), picture(), encoding='flood'))
        node.client.wait(
            lambda expected=number: newest_status(node).frames_rejected >= before.frames_rejected + expected,
            'rejections',
        )
    # At most one: another test may have had an unknown encoding a moment ago.
    assert len([line for line in node.log() if 'flood' in line]) - lines <= 1


def test_a_parameter_out_of_range_is_refused_with_the_reason(node: RunningNode) -> None:
    for name, value, reason in [
        ('points.stride', 0, 'points.stride'),
        ('detections.min_score', 1.5, 'detections.min_score'),
        ('teleop.stamp', 'yesterday', 'image, now'),
        ('preset', 'full', 'configure'),
        ('points.stride', 'two', ''),
    ]:
        result = node.set_parameter(name, value)
        assert not result.successful and reason in result.reason, (name, result.reason)
    assert node.client.message_at(STATUS, node.send(hands=HAND)).hands == 1


def test_diagnostics_count_rejections_by_cause(node: RunningNode) -> None:
    node.image_publisher.publish(image_message(node.next_stamp(), picture(), encoding='rgb10'))
    node.client.wait(
        lambda: int(input_diagnostics(node).get('rejected: unknown encoding', 0)) > 0, 'diagnostics of the rejection'
    )
    assert int(input_diagnostics(node)['rejected']) > 0 and input_diagnostics(node)['last_error']


def compressed(stamp_ns: int, data: bytes) -> CompressedImage:
    header = messages.header(messages.time_from_nanoseconds(stamp_ns), CAMERA_FRAME)
    return CompressedImage(header=header, format='jpeg', data=array('B', data))


def test_images_without_stamps_are_served_by_their_arrival_and_it_is_said(weights_dir: Path) -> None:
    with running_node(start(weights_dir, detector='none')) as node:
        client = node.client
        client.record(Hand3RStatus, STATUS)
        client.record(DiagnosticArray, '/diagnostics')
        node.create_camera()
        node.wait_for_state('active')
        client.wait(lambda: node.image_publisher.get_subscription_count(), 'the image subscription')
        client.wait(lambda: client.received[STATUS], 'the first status')
        for number in range(1, 4):
            node.send(stamp_ns=0)
            client.wait(lambda expected=number: newest_status(node).frames_processed == expected, 'the result')
        status = newest_status(node)
        assert (status.session_id, status.frames_rejected) == (1, 0)
        assert abs(status.header.stamp.sec - time.time()) < 600.0
        (line,) = [line for line in node.log() if 'carry no stamp' in line]
        client.wait(lambda: line in input_diagnostics(node).values(), 'the note in the diagnostics')
        assert node.close() == 0


def test_compressed_images_work_and_those_that_do_not_decode_are_skipped(weights_dir: Path) -> None:
    jpeg = cv2.imencode('.jpg', picture(3))[1].tobytes()
    reliable = {'qos_overrides./image/compressed.subscription.reliability': 'reliable'}
    with running_node(start(weights_dir, image_transport='compressed', detector='none', **reliable)) as node:
        node.client.record(Hand3RStatus, STATUS)
        node.client.record(DiagnosticArray, '/diagnostics')
        node.create_camera(CompressedImage, 'image/compressed')
        node.wait_for_state('active')
        node.client.wait(lambda: node.image_publisher.get_subscription_count(), 'the image subscription')
        stamp = node.next_stamp()
        node.image_publisher.publish(compressed(stamp, jpeg))
        before = node.client.message_at(STATUS, stamp)
        assert before.state == Hand3RStatus.UNCALIBRATED and before.frames_rejected == 0
        node.client.wait(
            lambda: any('running uncalibrated, the focal length is estimated' in line for line in node.log()),
            'a word about the missing calibration',
        )
        place = jpeg.index(b'\xff\xc0') + 5
        huge = jpeg[:place] + b'\x7f\xff\x7f\xff' + jpeg[place + 4 :]
        node.image_publisher.publish(compressed(node.next_stamp(), huge))
        node.client.wait(lambda: newest_status(node).frames_rejected == 1, 'a rejection')
        assert '32767x32767 pixels, more than max_image_pixels' in newest_status(node).last_error
        node.image_publisher.publish(compressed(node.next_stamp(), jpeg[:50]))
        node.client.wait(lambda: newest_status(node).frames_rejected == 2, 'a rejection')
        assert '/image/compressed' in newest_status(node).last_error
        assert 'do not decode' in newest_status(node).last_error
        node.client.wait(lambda: any('do not decode' in line for line in node.log()), 'a log line')
        node.client.wait(lambda: int(input_diagnostics(node).get('rejected: undecodable', 0)) == 1, 'diagnostics')
        stamp = node.next_stamp()
        node.image_publisher.publish(compressed(stamp, jpeg))
        assert node.client.message_at(STATUS, stamp).frames_processed == 2
        assert node.close() == 0
