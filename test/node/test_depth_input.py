"""Which depth message belongs to an image, how long an image waits for it, and what is said when none comes."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from hand3r_ros.geometry import Intrinsics, make_transform
from hand3r_ros.node import messages_scene
from hand3r_ros.node.accounting import Accounting
from hand3r_ros.node.depth_input import MISSES_TO_TELL, DepthBuffer, DepthInput
from hand3r_ros.node.image_correction import ImageCorrections
from hand3r_ros.node.lens import Calibration
from hand3r_ros.node.messages import header, time_from_nanoseconds

SECOND = 1_000_000_000
SLOP = 20_000_000
CAMERA = Intrinsics(20.0, 20.0, 15.5, 11.5, 32, 24)


def test_the_same_stamp_comes_before_a_nearer_arrival():
    buffer = DepthBuffer()
    for stamp in (SECOND - 5_000_000, SECOND, SECOND + 5_000_000):
        buffer.add(stamp, stamp)
    assert buffer.wait_for(SECOND, SLOP, 0.0) == SECOND
    assert buffer.wait_for(SECOND + 1, SLOP, 0.0) == SECOND
    assert buffer.wait_for(SECOND + 4_000_000, SLOP, 0.0) == SECOND + 5_000_000


def test_depth_of_another_moment_is_none():
    buffer = DepthBuffer()
    buffer.add(SECOND, 'old')
    assert buffer.wait_for(SECOND + SLOP + 1, SLOP, 0.01) is None
    assert buffer.wait_for(SECOND - SLOP - 1, SLOP, 10.0) is None  # later depth is there: nothing to wait for
    assert buffer.difference(SECOND + 30_000_000) == pytest.approx(-0.03)


def test_an_image_waits_for_its_depth_but_not_beyond_a_later_one():
    for stamp in (SECOND, SECOND + 3_000_000):
        buffer = DepthBuffer()
        threading.Timer(0.05, buffer.add, (stamp, 'late')).start()
        assert buffer.wait_for(SECOND, SLOP, 30.0) == 'late'


def test_only_the_newest_messages_are_kept():
    buffer = DepthBuffer(capacity=2)
    for stamp in (1, 2, 3):
        buffer.add(stamp * SECOND, stamp)
    assert buffer.wait_for(SECOND, SLOP, 0.0) is None
    assert buffer.wait_for(3 * SECOND, SLOP, 0.0) == 3


def depth_message(stamp_ns: int, metres: float = 1.5, frame: str = 'color', **changes):
    values = np.full((24, 32), round(1000 * metres), np.uint16)
    fields = {'height': 24, 'width': 32, 'encoding': '16UC1', 'is_bigendian': 0, 'step': 64, 'data': values.tobytes()}
    return SimpleNamespace(**{'header': header(time_from_nanoseconds(stamp_ns), frame), **fields, **changes})


class Bench:
    def __init__(self) -> None:
        self.said: list[str] = []
        self.listening = 0
        self.accounting = Accounting(self.said.append, period=0.0)
        self.input = DepthInput('/depth', '/depth/camera_info', self.accounting, self._listen, 10_000)
        self.place: np.ndarray | None = None

    def _listen(self) -> None:
        self.listening += 1

    def lookup(self, target: str, source: str) -> np.ndarray:
        if self.place is None:
            raise LookupError(f'no transform {target} <- {source}')
        return self.place

    def of_image(self, stamp_ns: int, is_published: bool = True, wait: float = 0.0):
        correction = ImageCorrections(False).of(Calibration(CAMERA), 32)
        return self.input.of_image(stamp_ns, 'color', correction, self.lookup, wait, 0.02, is_published)


def test_depth_in_the_frame_of_the_image_is_taken_as_it_is():
    bench = Bench()
    bench.input.on_depth(depth_message(SECOND), 5)
    assert np.allclose(bench.of_image(SECOND), 1.5)
    assert not bench.said and not bench.listening


def test_depth_without_stamps_counts_for_its_arrival():
    bench = Bench()
    bench.input.on_depth(depth_message(0), 7 * SECOND)
    assert bench.of_image(7 * SECOND + 1_000_000) is not None


def test_depth_of_another_frame_is_registered_or_refused_with_the_reason():
    bench = Bench()
    bench.of_image(SECOND)
    for number in (2, 3, 4):
        bench.input.on_depth(depth_message(number * SECOND, frame='depth'), 5)
    assert bench.listening
    assert bench.of_image(2 * SECOND) is None
    assert 'there is no depth/camera_info' in bench.said[-1]
    bench.input.on_camera_info(messages_scene.camera_info(header(time_from_nanoseconds(SECOND), 'depth'), CAMERA))
    assert bench.of_image(3 * SECOND) is None
    assert 'no transform color <- depth' in bench.said[-1]
    bench.place = make_transform(np.eye(3), [0.0, 0.0, 0.5])
    depth = bench.of_image(4 * SECOND)
    assert np.allclose(depth[depth > 0.0], 2.0)


def test_depth_that_cannot_be_decoded_is_counted_and_named():
    bench = Bench()
    bench.input.on_depth(depth_message(SECOND, encoding='rgb8'), 5)
    assert bench.of_image(SECOND) is None
    assert bench.accounting.counters().rejected == 1
    assert "/depth: depth has the encoding 'rgb8'" in bench.said[-1]


def test_nothing_is_said_where_there_is_no_depth_camera():
    bench = Bench()
    for number in range(3 * MISSES_TO_TELL):
        assert bench.of_image(number * SECOND, is_published=False) is None
    assert not bench.said


def test_depth_that_stays_away_is_told_and_is_no_longer_waited_for(monkeypatch):
    bench = Bench()
    bench.input.on_depth(depth_message(SECOND), 5)
    assert bench.of_image(SECOND) is not None
    for number in range(MISSES_TO_TELL):
        bench.of_image(SECOND + (1 + number) * 100_000_000)
    assert 'images have no measured depth: the nearest is 500.0 ms earlier' in bench.said[-1]
    now = time.monotonic()
    monkeypatch.setattr(time, 'monotonic', lambda: now + 3.0)
    assert bench.of_image(2 * SECOND, wait=1e6) is None
    assert 'none has come for 3' in bench.said[-1]
    bench.input.on_depth(depth_message(3 * SECOND), 5)
    assert bench.of_image(3 * SECOND) is not None
