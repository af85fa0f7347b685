"""An exception in a callback does not end a node: it is logged once, counted, answered as a failure, and all goes on.

The callbacks are real ones. What they call is replaced by something that raises in the executor's thread a few times.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from harness import PATIENCE, RELIABLE_IMAGES, Client, RunningNode, command, running_node
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import Log
from ros_domain import private_domain, release_domain
from sensor_msgs.msg import CameraInfo
from std_srvs.srv import Trigger

from hand3r_msgs.msg import Hand3RStatus
from hand3r_msgs.srv import SaveMap

ROOT = Path(__file__).parents[2]
STATUS = '/hand3r/status'
BROKEN = """
import functools, threading
def broken(target, name, times):
    function, failures = getattr(target, name), []
    @functools.wraps(function)
    def failing(*arguments, **options):
        if len(failures) < times and threading.current_thread() is threading.main_thread():
            failures.append(name)
            raise ZeroDivisionError('broken ' + name)
        return function(*arguments, **options)
    setattr(target, name, failing)
"""
PATIENT = {**RELIABLE_IMAGES, 'warmup': False, 'calibration_wait': 5.0, 'detections.wait': 5.0}


def preparation(*broken: tuple[str, str, str, int]) -> str:
    """Code that breaks (module, object in it or nothing, function, how often)."""
    lines = [BROKEN]
    for module, owner, function, times in broken:
        lines.append(f'import {module}\nbroken({".".join(filter(None, (module, owner)))}, {function!r}, {times})')
    return '\n'.join(lines)


def assert_logged_once(node: RunningNode, what: str) -> None:
    """One line with a traceback, however often it failed."""
    node.client.wait(lambda: [line for line in node.log(40) if f'broken {what}' in line], f'the failure of {what}')
    (line,) = [line for line in node.log(40) if f'broken {what}' in line]
    assert 'Traceback' in line and 'ZeroDivisionError' in line


def failed_callbacks(node: RunningNode, at_least: int) -> str:
    """The newest count in the diagnostics, once it is large enough."""

    def newest() -> Any:
        statuses = [s for a in node.client.received['/diagnostics'] for s in a.status if s.name.endswith('node')]
        values = [{v.key: v.value for v in s.values}.get('failed_callbacks', '0') for s in statuses]
        return values[-1] if values and int(values[-1]) >= at_least else None

    return str(node.client.wait(newest, f'{at_least} failed callbacks in the diagnostics'))


def test_subscriptions_timers_services_and_parameters(weights_dir: Path) -> None:
    processor = 'hand3r_ros.node.frame_processor', 'FrameProcessor'
    broken = preparation(
        ('hand3r_ros.node.subscriptions', '', 'calibration_from_camera_info', 2),
        (*processor, 'status', 3),
        (*processor, 'reset', 1),
        (*processor, 'map_snapshot', 1),
        (*processor, 'reconfigure', 1),
    )
    with running_node({**PATIENT, 'weights_dir': weights_dir}, preparation=broken) as node:
        client = node.client
        client.record(Hand3RStatus, STATUS)
        client.record(DiagnosticArray, '/diagnostics')
        node.create_camera()
        node.wait_for_state('active')
        node.wait_for_subscriptions()
        for _ in range(2):
            client.message_at(STATUS, node.send())  # whose calibration fails
        assert_logged_once(node, 'calibration_from_camera_info')
        client.wait(lambda: len(client.received[STATUS]) > 3, 'the timer to go on')
        assert_logged_once(node, 'status')

        answer = client.call(Trigger, '/hand3r/reset', Trigger.Request())
        assert not answer.success and 'broken reset' in answer.message
        answer = client.call(SaveMap, '/hand3r/save_map', SaveMap.Request(path='a'))
        assert not answer.success and 'broken map_snapshot' in answer.message
        result = node.set_parameter('detections.min_score', 0.4)
        assert not result.successful and 'broken reconfigure' in result.reason
        for what in ('reset', 'map_snapshot', 'reconfigure'):
            assert_logged_once(node, what)
        assert failed_callbacks(node, at_least=8) == '8'

        assert client.call(Trigger, '/hand3r/reset', Trigger.Request()).success
        assert node.set_parameter('detections.min_score', 0.4).successful
        assert client.message_at(STATUS, node.send()).state != Hand3RStatus.UNCALIBRATED
        assert node.close() == 0


@pytest.mark.parametrize(
    ('target', 'steps', 'failing'),
    [
        (('outputs', 'Outputs', 'publish_topology'), ('CONFIGURE',), 'ACTIVATE'),
        (('subscriptions', 'Subscriptions', 'close'), ('CONFIGURE', 'ACTIVATE'), 'DEACTIVATE'),
        (('services', 'Services', 'close'), ('CONFIGURE',), 'CLEANUP'),
    ],
)
def test_transitions(target: tuple[str, str, str], steps: tuple[str, ...], failing: str, weights_dir: Path) -> None:
    module, owner, function = target
    broken = preparation((f'hand3r_ros.node.{module}', owner, function, 1))
    ids = {name: getattr(Transition, f'TRANSITION_{name}') for name in ('CONFIGURE', 'ACTIVATE', failing)}
    parameters = {**PATIENT, 'weights_dir': weights_dir, 'autostart': False}
    with running_node(parameters, preparation=broken) as node:
        node.client.record(Hand3RStatus, STATUS)
        assert all(node.change_state(ids[step]) for step in steps)
        assert not node.change_state(ids[failing])
        assert node.state() == 'unconfigured'  # an error is handled by freeing everything
        assert_logged_once(node, function)
        assert node.change_state(ids['CONFIGURE']) and node.change_state(ids['ACTIVATE'])
        node.create_camera()
        node.wait_for_subscriptions()
        assert node.client.message_at(STATUS, node.send()).frames_processed == 1
        assert node.close() == 0


def test_transitions_that_do_not_fit_the_state_are_refused(weights_dir: Path) -> None:
    with running_node({**PATIENT, 'weights_dir': weights_dir}) as node:
        node.client.record(Hand3RStatus, STATUS)
        node.create_camera()
        node.wait_for_state('active')
        node.wait_for_subscriptions()
        for identifier in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE, 0, 97, 255):
            assert not node.change_state(identifier)
        request = ChangeState.Request(transition=Transition(label='fly'))
        assert not node.client.call(ChangeState, '/hand3r/change_state', request).success
        assert node.state() == 'active'
        assert node.client.message_at(STATUS, node.send()).frames_processed == 1
        assert not node.log(40)  # nothing is wrong with the node
        assert node.close() == 0


@pytest.mark.parametrize(
    ('name', 'target', 'parameters'),
    [
        (
            'demo_monitor',
            ('hand3r_lab.demo.collector', 'Collector', 'on_camera_info', 2),
            {'output_dir': '{tmp_path}'},
        ),
        ('live_viewer', ('hand3r_ros.node.live_viewer', '', 'intrinsics_from_camera_info', 2), {}),
        (
            'rendered_camera',
            ('hand3r_ros.node.camera_player', 'PlayerTopics', 'publish', 1),
            {'width': 32, 'height': 32, 'frames': 1, 'loop': 'true', 'wait_for_subscribers': 0},
        ),
    ],
)
def test_the_other_nodes_go_on_too(
    name: str, target: tuple[str, str, str, int], parameters: dict[str, Any], tmp_path: Path
) -> None:
    domain, context = private_domain(), rclpy.Context()
    rclpy.init(args=[], context=context, domain_id=domain)
    client = Client(context)
    client.record(Log, '/rosout', latched=True, depth=1000)
    client.record(CameraInfo, 'camera_info')
    publisher = client.create_publisher(CameraInfo, 'camera_info', 10)
    values = {key: str(value).format(tmp_path=tmp_path) for key, value in parameters.items()}
    words = [word for key, value in values.items() for word in ('-p', f'{key}:={value}')]
    environment = {**os.environ, 'ROS_DOMAIN_ID': str(domain), 'OMP_NUM_THREADS': '1'}
    arguments = [*command(name, preparation(target)), '--ros-args', *words]
    with subprocess.Popen(arguments, env=environment, cwd=ROOT) as process:
        try:
            if name != 'rendered_camera':
                client.wait(publisher.get_subscription_count, 'the subscription')
            for number in itertools.count():
                assert process.poll() is None, process.returncode
                failures = [m.msg for m in client.received['/rosout'] if f'broken {target[2]}' in m.msg]
                if failures and number % 10 == 9:
                    break
                if name != 'rendered_camera':
                    publisher.publish(CameraInfo(width=number))
                time.sleep(0.05)
            assert len(failures) == 1 and 'Traceback' in failures[0]
            if name == 'rendered_camera':
                client.wait(lambda: client.received['camera_info'], 'an image after the failures')
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
            client.close()
            rclpy.shutdown(context=context)
    release_domain(domain)
