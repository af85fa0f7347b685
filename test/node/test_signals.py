"""Any number of SIGINT and SIGTERM at any moment ends a process of the package with 0, tidied up where that is quick.

What is at work when the signals come is made to last: for ever, where it is to be cut off; a second, where it is to be
finished in spite of the signals that follow.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness import PATIENCE, RELIABLE_IMAGES, command, running_node
from ros_domain import private_domain, release_domain

from hand3r_msgs.srv import SaveState

INT, TERM = signal.SIGINT, signal.SIGTERM
MANY = (INT, INT, TERM, INT, TERM, TERM, INT)
NAMES = ('hand3r_node', 'rendered_camera', 'demo_monitor', 'live_viewer')
LASTING = """
import functools, sys, time
def lasting(target, name, seconds, mark=None):
    function = getattr(target, name)
    @functools.wraps(function)
    def longer(*arguments, **options):
        print('begun:', name, flush=True)
        if mark is not None:
            open(mark, 'w').close()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.01)
        result = function(*arguments, **options)
        print('finished:', name, flush=True)
        return result
    setattr(target, name, longer)
"""
FOR_EVER = 1e6  # s


class Process:
    """A process of the package whose output can be waited for."""

    def __init__(self, arguments: list[str], domain: int) -> None:
        environment = {**os.environ, 'ROS_DOMAIN_ID': str(domain), 'OMP_NUM_THREADS': '1'}
        environment['PYTHONUNBUFFERED'] = '1'
        self.process = subprocess.Popen(
            arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            cwd=Path(__file__).parents[2],
        )  # fmt: skip
        assert self.process.stdout is not None
        self.stdout = self.process.stdout
        self.output = ''

    def read_until(self, text: str) -> None:
        while text not in self.output:
            line = self.stdout.readline()
            assert line, f'ended before {text!r}:\n{self.output}'
            self.output += line

    def send(self, numbers: tuple[int, ...]) -> None:
        for number in numbers:
            if self.process.poll() is None:
                self.process.send_signal(number)
            time.sleep(0.05)

    def assert_ends_well(self) -> None:
        self.output += self.process.communicate(timeout=PATIENCE)[0]
        assert self.process.returncode == 0, self.output
        assert 'Traceback' not in self.output and 'terminate called' not in self.output, self.output


@contextmanager
def process(name: str, preparation: str = '', **parameters: object) -> Iterator[Process]:
    words = [word for key, value in parameters.items() for word in ('-p', f'{key.replace("__", ".")}:={value}')]
    domain = private_domain()
    running = Process([*command(name, preparation), '--ros-args', *words], domain)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()
        release_domain(domain)


@pytest.mark.parametrize('name', NAMES)
def test_while_modules_are_imported(name: str) -> None:
    with process(name, "print('importing', flush=True)") as running:
        running.read_until('importing')
        time.sleep(0.3)
        running.send((INT, INT, TERM))
        running.assert_ends_well()


@pytest.mark.parametrize('numbers', [(INT,), MANY])
def test_while_configuring_without_end(numbers: tuple[int, ...], weights_dir: Path) -> None:
    preparation = (
        f"{LASTING}\nfrom hand3r_ros.node import hand3r_node\nlasting(hand3r_node, 'load_hand_model', {FOR_EVER})"
    )
    with process('hand3r_node', preparation, weights_dir=weights_dir) as running:
        running.read_until('begun: load_hand_model')
        running.send(numbers)
        running.assert_ends_well()


def test_while_warming_up(weights_dir: Path) -> None:
    preparation = f"""{LASTING}
from hand3r_ros.online.reconstructor import OnlineReconstructor
lasting(OnlineReconstructor, 'warm_up', 1.0)
"""
    with process('hand3r_node', preparation, weights_dir=weights_dir, warmup='true') as running:
        running.read_until('begun: warm_up')
        running.send((INT, TERM, INT))
        running.assert_ends_well()
        assert 'finished: warm_up' in running.output and 'cannot configure' not in running.output


@pytest.mark.parametrize(
    ('name', 'numbers'),
    [*((name, MANY) for name in NAMES), ('hand3r_node', (INT,)), ('hand3r_node', (TERM,)), ('hand3r_node', (INT, INT))],
)
def test_while_nothing_happens(name: str, numbers: tuple[int, ...], weights_dir: Path, tmp_path: Path) -> None:
    preparation = f"{LASTING}\nfrom hand3r_ros.node import running\nlasting(running, '_spin', 0.0)"
    parameters = {
        'hand3r_node': {'weights_dir': weights_dir, 'warmup': 'false'},
        'rendered_camera': {'width': 32, 'height': 32, 'frames': 2},
        'demo_monitor': {'output_dir': tmp_path},
        'live_viewer': {},
    }
    with process(name, preparation, **parameters[name]) as running:
        running.read_until('begun: _spin')
        time.sleep(0.5)
        running.send(numbers)
        running.assert_ends_well()


def test_later_signals_do_not_disturb_the_tidying_up_after_the_first(weights_dir: Path) -> None:
    preparation = f"{LASTING}\nfrom hand3r_ros.node.hand3r_node import Hand3RNode\nlasting(Hand3RNode, 'close', 1.0)"
    with process('hand3r_node', preparation, weights_dir=weights_dir, warmup='false') as running:
        running.read_until('waiting for images')
        running.send((INT,))
        running.read_until('begun: close')
        running.send((INT, TERM, INT, INT, TERM))
        running.assert_ends_well()
        assert 'finished: close' in running.output


def wait_for(mark: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not mark.exists():
        assert time.monotonic() < deadline, f'waited for {mark.name}'
        time.sleep(0.02)


@pytest.mark.parametrize(('numbers', 'seconds'), [((INT,), 0.5), (MANY, 0.5), ((INT, INT), FOR_EVER)])
def test_in_the_middle_of_an_image(numbers: tuple[int, ...], seconds: float, weights_dir: Path, tmp_path: Path) -> None:
    mark = tmp_path / 'begun'
    preparation = f"""{LASTING}
from hand3r_ros.online.reconstructor import OnlineReconstructor
lasting(OnlineReconstructor, 'process', {seconds}, {str(mark)!r})
"""
    parameters = {**RELIABLE_IMAGES, 'weights_dir': weights_dir, 'warmup': False}
    with running_node(parameters, preparation=preparation) as node:
        node.create_camera()
        node.wait_for_state('active')
        node.wait_for_subscriptions()
        node.send()
        wait_for(mark)
        for number in numbers:
            if node.process.poll() is None:
                node.process.send_signal(number)
            time.sleep(0.05)
        assert node.process.wait(PATIENCE) == 0
        assert not [line for line in node.log() if 'Traceback' in line]


def test_while_a_state_is_saved_it_is_saved_whole(weights_dir: Path, tmp_path: Path) -> None:
    mark, states = tmp_path / 'begun', tmp_path / 'states'
    preparation = f"""{LASTING}
from hand3r_ros.online.reconstructor import OnlineReconstructor
lasting(OnlineReconstructor, 'save_state', 0.5, {str(mark)!r})
"""
    parameters = {**RELIABLE_IMAGES, 'weights_dir': weights_dir, 'warmup': False, 'state_directory': states}
    with running_node(parameters, preparation=preparation) as node:
        node.wait_for_state('active')
        client = node.client.create_client(SaveState, '/hand3r/save_state')
        assert client.wait_for_service(PATIENCE)
        client.call_async(SaveState.Request(path='kitchen'))
        wait_for(mark)
        for number in (INT, INT, TERM):
            node.process.send_signal(number)
            time.sleep(0.05)
        assert node.process.wait(PATIENCE) == 0
    with running_node({**parameters, 'state_file': 'kitchen'}) as node:
        node.wait_for_state('active')
        assert node.close() == 0
