"""The life of the node: transitions, weights that cannot be loaded, start-up parameters, signals, freed memory."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseStamped
from harness import CAMERA_FRAME, PATIENCE, RELIABLE_IMAGES, RunningNode, running_node
from lifecycle_msgs.msg import Transition
from rclpy.time import Time
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import PointCloud2
from std_srvs.srv import SetBool
from tf2_msgs.msg import TFMessage
from tf2_ros import Buffer, StaticTransformBroadcaster, TransformBroadcaster, TransformListener

from hand3r_msgs.msg import Hand3RStatus, HandMeshArray
from hand3r_ros.geometry import R_BODY_OPTICAL, make_transform
from hand3r_ros.node import messages, messages_hands

HAND = {'left': (100.0, 80.0, 190.0, 170.0)}
STATUS = '/hand3r/status'
CONFIGURE, ACTIVATE = Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE
DEACTIVATE, CLEANUP = Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP


def start(weights_dir: Path, **parameters: Any) -> dict[str, Any]:
    quick = {**RELIABLE_IMAGES, 'detections.wait': 5.0, 'calibration_wait': 5.0, 'warmup': False}
    named = {name.replace('__', '.'): value for name, value in parameters.items()}
    return {'weights_dir': weights_dir, **quick, **named}


def stream(node: RunningNode) -> None:
    """Make the node ready for images."""
    node.create_camera()
    node.wait_for_state('active')
    node.wait_for_subscriptions()


def resident_megabytes(pid: int) -> float:
    for line in Path(f'/proc/{pid}/status').read_text().splitlines():
        if line.startswith('VmRSS'):
            return int(line.split()[1]) / 1024
    raise AssertionError('no VmRSS')


def test_without_autostart_every_transition_is_the_users(weights_dir: Path) -> None:
    with running_node(start(weights_dir, autostart=False)) as node:
        client = node.client
        client.record(Hand3RStatus, STATUS)
        assert node.state() == 'unconfigured'
        assert node.change_state(CONFIGURE) and node.state() == 'inactive'
        assert not node.set_parameter('world_frame', 'other').successful  # only while unconfigured
        node.create_camera()
        assert node.image_publisher.get_subscription_count() == 0
        for round_ in (1, 2):
            assert node.change_state(ACTIVATE) and node.state() == 'active'
            node.wait_for_subscriptions()
            status = client.message_at(STATUS, node.send(hands=HAND))
            assert (status.frames_processed, status.session_id) == (round_, 1)  # the state is kept while inactive
            assert node.change_state(DEACTIVATE) and node.state() == 'inactive'
            client.wait(lambda: not node.image_publisher.get_subscription_count(), 'the subscription to go')
        assert node.change_state(CLEANUP) and node.state() == 'unconfigured'
        assert client.count_publishers('/hand3r/hands') == 0
        assert node.set_parameter('world_frame', 'other').successful
        assert node.change_state(CONFIGURE) and node.change_state(ACTIVATE)
        client.record(HandMeshArray, '/hand3r/hands')
        node.wait_for_subscriptions()
        stamp = node.send(hands=HAND)
        assert client.message_at('/hand3r/hands', stamp).header.frame_id == 'other'
        assert client.message_at(STATUS, stamp).frames_processed == 1  # counted anew
        assert node.close() == 0


def test_what_enable_asked_for_holds_while_inactive_and_until_cleanup(weights_dir: Path) -> None:
    def enable(wanted: bool) -> None:
        assert node.client.call(SetBool, '/hand3r/enable', SetBool.Request(data=wanted)).success

    def is_processed(stamp: int) -> bool:
        node.wait_until_taken()
        time.sleep(0.5)  # the worker's way to an image that it should not have
        return node.client.find(STATUS, stamp) is not None

    with running_node(start(weights_dir, autostart=False)) as node:
        node.client.record(Hand3RStatus, STATUS)
        node.create_camera()
        assert node.change_state(CONFIGURE)
        enable(False)
        for _ in range(2):
            assert node.change_state(ACTIVATE)
            node.wait_for_subscriptions()
            assert not is_processed(node.send(hands=HAND))
            assert node.change_state(DEACTIVATE)
            node.client.wait(lambda: not node.image_publisher.get_subscription_count(), 'the subscription to go')
        enable(True)
        assert node.change_state(ACTIVATE)
        node.wait_for_subscriptions()
        node.client.message_at(STATUS, node.send(hands=HAND))
        enable(False)
        assert node.change_state(DEACTIVATE) and node.change_state(CLEANUP)
        assert node.change_state(CONFIGURE) and node.change_state(ACTIVATE)
        node.wait_for_subscriptions()
        node.client.message_at(STATUS, node.send(hands=HAND))
        assert node.close() == 0


def test_paused_by_enable_the_diagnostics_say_so(weights_dir: Path) -> None:
    with running_node(start(weights_dir)) as node:
        node.client.record(DiagnosticArray, '/diagnostics')
        node.wait_for_state('active')
        assert node.client.call(SetBool, '/hand3r/enable', SetBool.Request(data=False)).success
        node.client.wait(
            lambda: [s for a in node.client.received['/diagnostics'] for s in a.status if '~/enable' in s.message],
            'diagnostics that name ~/enable',
        )
        assert node.close() == 0


def test_bad_weights_fail_to_configure_with_one_clear_line_and_can_be_corrected(
    weights_dir: Path, tmp_path: Path
) -> None:
    foreign, truncated = tmp_path / 'foreign', tmp_path / 'truncated'
    for folder in (foreign, truncated):
        folder.mkdir()
    (foreign / 'tiny.safetensors').write_bytes(b'this is not a weights file, but it has some length')
    whole = (weights_dir / 'tiny.safetensors').read_bytes()
    (truncated / 'tiny.safetensors').write_bytes(whole[: len(whole) // 2])
    with running_node(start(tmp_path / 'nowhere')) as node:
        client = node.client
        client.record(DiagnosticArray, '/diagnostics')
        client.record(Hand3RStatus, STATUS)
        client.wait(lambda: any('cannot configure' in line for line in node.log(40)), 'the error of autostart')
        assert node.state() == 'unconfigured'
        for folder in (tmp_path / 'nowhere', foreign, truncated):
            assert node.set_parameter('weights_dir', str(folder)).successful
            before = len(node.log(40))
            assert not node.change_state(CONFIGURE)
            assert node.state() == 'unconfigured'
            client.wait(lambda n=before: len(node.log(40)) > n, 'an error')
            (line,) = node.log(40)[before:]
            assert str(folder / 'tiny.safetensors') in line and 'Traceback' not in line
        level = client.wait(
            lambda: [s.level for a in client.received['/diagnostics'] for s in a.status if 'node' in s.name][-1:],
            'diagnostics',
        )
        assert level == [b'\x02']
        assert node.set_parameter('weights_dir', str(weights_dir)).successful
        assert node.change_state(CONFIGURE) and node.change_state(ACTIVATE)
        stream(node)
        assert client.message_at(STATUS, node.send(hands=HAND)).hands == 1
        assert node.close() == 0


def test_bad_values_at_start_up_do_not_end_the_process(weights_dir: Path) -> None:
    bad = start(weights_dir, points__stride=0, preset='huge', map__rate_hz='fast')
    with running_node(bad) as node:
        node.client.wait(lambda: any('cannot configure' in line for line in node.log(40)), 'the error of autostart')
        (line,) = node.log(40)
        assert 'points.stride' in line and "'huge'" in line and 'map.rate_hz' in line
        assert node.state() == 'unconfigured'
        for name, value in {'points.stride': 2, 'preset': 'tiny', 'map.rate_hz': 2.0}.items():
            assert node.set_parameter(name, value).successful
        assert node.change_state(CONFIGURE)
        assert node.close() == 0


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_of_the_stream_ends_the_node_cleanly(weights_dir: Path, number: int) -> None:
    parameters = start(weights_dir)
    del parameters['weights_dir']
    with running_node(parameters, {'HAND3R_WEIGHTS': str(weights_dir)}) as node:
        node.client.record(Hand3RStatus, STATUS)
        stream(node)
        node.client.message_at(STATUS, node.send(hands=HAND))
        for _ in range(3):
            node.send(hands=HAND)  # the worker is busy with these
        node.process.send_signal(number)
        assert node.process.wait(PATIENCE) == 0
        assert not [line for line in node.log(30) if 'Traceback' in line]


def test_memory_stays_flat_over_hundreds_of_images(weights_dir: Path) -> None:
    parameters = start(weights_dir, map__min_confidence=0.0, map__max_points=20_000, map__rate_hz=30.0)
    with running_node(parameters) as node:
        client = node.client
        client.record(Hand3RStatus, STATUS)
        client.record(PointCloud2, '/hand3r/points')
        client.record(PointCloud2, '/hand3r/map', latched=True)
        stream(node)
        sizes = []
        for number in range(240):  # single sizes vary by some megabytes: a short series cannot tell a leak from chance
            client.message_at(STATUS, node.send(hands=HAND if number % 3 else {}))
            if number >= 60 and number % 10 == 0:
                sizes.append(resident_megabytes(node.process.pid))
            for topic in client.received:
                client.forget(topic)
        growth = np.polyfit(np.arange(len(sizes)), sizes, 1)[0] / 10  # MB per image
        assert growth < 0.05, f'{growth:.3f} MB per image; {sizes}'
        assert node.close() == 0


def test_ages_follow_the_simulated_clock(weights_dir: Path) -> None:
    with running_node(start(weights_dir, use_sim_time=True, max_image_age=5.0, detector='none')) as node:
        client = node.client
        client.record(Hand3RStatus, STATUS)
        clock = client.create_publisher(Clock, '/clock', 10)
        node.create_camera()
        node.wait_for_state('active')
        client.wait(lambda: node.image_publisher.get_subscription_count(), 'the image subscription')
        client.wait(clock.get_subscription_count, 'the clock subscription')

        def send(age: int) -> int:
            stamp = node.next_stamp()
            clock.publish(Clock(clock=messages.time_from_nanoseconds(stamp + age * 1_000_000_000)))
            time.sleep(0.2)  # the clock and the image are different topics
            return node.send(stamp_ns=stamp)

        assert client.message_at(STATUS, send(age=2)).image_age_seconds == pytest.approx(2.0, abs=1e-6)
        send(age=6)
        client.wait(lambda: client.received[STATUS][-1].frames_dropped == 1, 'a dropped image')
        assert node.close() == 0


def known_camera_pose() -> np.ndarray:
    """A camera 1.2 m above the world's origin that looks along its x axis."""
    return make_transform(R_BODY_OPTICAL, [0.3, -0.2, 1.2])


def test_the_pose_may_come_from_tf(weights_dir: Path) -> None:
    parameters = start(weights_dir, pose_source='tf', world_frame='odom', tf_timeout=1.0)
    with running_node(parameters) as node:
        client = node.client
        for topic, kind in {STATUS: Hand3RStatus, '/hand3r/camera_pose': PoseStamped, '/tf': TFMessage}.items():
            client.record(kind, topic)
        client.record(HandMeshArray, '/hand3r/hands')
        stream(node)
        node.send(hands=HAND)
        client.wait(lambda: client.received[STATUS] and client.received[STATUS][-1].frames_rejected, 'a rejection')
        assert 'no frame had a camera pose' in client.received[STATUS][-1].last_error
        client.wait(lambda: any('pose_source is tf' in line for line in node.log()), 'a warning')

        broadcaster = TransformBroadcaster(client)
        stamp = node.next_stamp()
        header = messages.header(messages.time_from_nanoseconds(stamp), 'odom')
        broadcaster.sendTransform(messages.transform_stamped(header, CAMERA_FRAME, known_camera_pose()))
        node.send(hands=HAND, stamp_ns=stamp)
        pose = client.message_at('/hand3r/camera_pose', stamp)
        np.testing.assert_allclose(messages.matrix_from_pose(pose.pose), known_camera_pose(), atol=1e-9)
        assert pose.header.frame_id == 'odom'
        assert len(client.message_at('/hand3r/hands', stamp).hands) == 1
        client.message_at(STATUS, stamp)
        assert len(client.received['/tf']) == 1  # ours; the node repeats nothing

        without = node.send(hands=HAND)
        assert client.message_at(STATUS, without).state == Hand3RStatus.LOST
        assert client.find('/hand3r/camera_pose', without) is None
        assert len(client.message_at('/hand3r/hands', without).hands) == 0  # nobody knows where in the world
        assert node.close() == 0


def test_with_a_base_frame_the_robot_is_placed_and_hands_may_stay_in_the_camera(weights_dir: Path) -> None:
    parameters = start(weights_dir, base_frame='base_link', tf_timeout=5.0, hands__frame='camera', teleop__stamp='now')
    with running_node(parameters) as node:
        client = node.client
        T_base_camera = make_transform(R_BODY_OPTICAL, [0.1, 0.0, 0.4])
        static = StaticTransformBroadcaster(client)
        header = messages.header(messages.time_from_nanoseconds(0), 'base_link')
        static.sendTransform(messages.transform_stamped(header, CAMERA_FRAME, T_base_camera))
        for topic, kind in {
            STATUS: Hand3RStatus,
            '/tf': TFMessage,
            '/hand3r/camera_pose': PoseStamped,
            '/hand3r/hands': HandMeshArray,
            '/hand3r/hands/left/wrist_pose': PoseStamped,
        }.items():
            client.record(kind, topic)
        stream(node)
        stamp = node.send(hands=HAND)
        client.message_at(STATUS, stamp)
        (transform,) = client.message_at('/tf', stamp).transforms
        assert (transform.header.frame_id, transform.child_frame_id) == ('hand3r_world', 'base_link')
        T_world_camera = messages.matrix_from_transform(transform.transform) @ T_base_camera
        pose = messages.matrix_from_pose(client.message_at('/hand3r/camera_pose', stamp).pose)
        np.testing.assert_allclose(T_world_camera, pose, atol=1e-9)

        hands = client.message_at('/hand3r/hands', stamp)
        assert hands.header.frame_id == CAMERA_FRAME
        assert (messages_hands.points_of(hands.hands[0].vertices)[:, 2] > 0.0).all()  # in front of the camera
        client.wait(lambda: client.received['/hand3r/hands/left/wrist_pose'], 'a wrist pose')
        wrist = client.received['/hand3r/hands/left/wrist_pose'][0]
        assert wrist.header.frame_id == CAMERA_FRAME
        assert wrist.header.stamp.sec > 1_700_000_000  # the time of publishing, not the stamp of the image
        assert node.close() == 0


def test_a_camera_that_its_driver_places_keeps_its_parent_and_the_tree_stays_whole(weights_dir: Path) -> None:
    """As RealSense, ZED and OAK drivers do: /tf_static camera_link -> optical frame, and nothing is set for it."""
    with running_node(start(weights_dir, detector='topic')) as node:
        client = node.client
        T_link_camera = make_transform(R_BODY_OPTICAL, [0.1, 0.0, 0.4])
        static = StaticTransformBroadcaster(client)
        header = messages.header(messages.time_from_nanoseconds(0), 'camera_link')
        for topic, kind in {STATUS: Hand3RStatus, '/tf': TFMessage, '/diagnostics': DiagnosticArray}.items():
            client.record(kind, topic)
        client.record(PoseStamped, '/hand3r/camera_pose')
        stream(node)
        stamp = node.send()  # nobody has placed the camera yet
        (transform,) = client.message_at('/tf', stamp).transforms
        assert (transform.header.frame_id, transform.child_frame_id) == ('hand3r_world', CAMERA_FRAME)

        static.sendTransform(messages.transform_stamped(header, CAMERA_FRAME, T_link_camera))

        def inverted() -> int | None:
            stamp = node.send()
            (transform,) = client.message_at('/tf', stamp).transforms
            return stamp if transform.child_frame_id == 'hand3r_world' else None

        stamp = client.wait(inverted, 'the inverse transform')
        buffer = Buffer()
        TransformListener(buffer, client)
        client.wait(lambda: buffer.can_transform('camera_link', CAMERA_FRAME, Time()), 'the transform of the driver')
        stamp = node.send()
        assert client.message_at('/tf', stamp).transforms[0].header.frame_id == CAMERA_FRAME
        pose = messages.matrix_from_pose(client.message_at('/hand3r/camera_pose', stamp).pose)
        for frame, T_camera in ((CAMERA_FRAME, np.eye(4)), ('camera_link', np.linalg.inv(T_link_camera))):
            client.wait(lambda frame=frame: buffer.can_transform('hand3r_world', frame, Time(nanoseconds=stamp)), frame)
            found = buffer.lookup_transform('hand3r_world', frame, Time(nanoseconds=stamp)).transform
            np.testing.assert_allclose(messages.matrix_from_transform(found), pose @ T_camera, atol=1e-6)
        found = buffer.lookup_transform('camera_link', CAMERA_FRAME, Time(nanoseconds=stamp)).transform
        np.testing.assert_allclose(messages.matrix_from_transform(found), T_link_camera, atol=1e-9)

        node.send()
        client.wait(lambda: any('base_frame:=camera_link' in line for line in node.log()), 'the warning')
        assert len([line for line in node.log() if 'invert_tf:=true' in line]) == 1
        client.wait(
            lambda: any(
                status.level == DiagnosticStatus.WARN and 'invert_tf:=true' in status.message
                for message in list(client.received['/diagnostics'])
                for status in message.status
            ),
            'a warning in the diagnostics',
        )
        assert node.close() == 0
