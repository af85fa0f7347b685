"""A camera of this machine as a source: its newest image, how old that is, and what is said where there is none."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from hand3r_ros.node import camera_device
from hand3r_ros.node.camera_device import CameraDevice, is_camera
from hand3r_ros.node.frame_sources import RealImages, SourceError
from hand3r_ros.node.read_ahead import ReadAhead


class FakeCamera:
    """Gives an image, one level brighter each time, whenever the test says so; counts who holds it."""

    def __init__(self, rate: float = 25.0, works: bool = True) -> None:
        self.rate, self.works, self.holders, self.taken = rate, works, 0, 0
        self.images = threading.Semaphore(0)
        self.unplugged = False

    def open(self, path: str) -> FakeCamera:
        self.path = path
        self.holders += 1
        return self

    def isOpened(self) -> bool:
        return self.works

    def get(self, property_id: int) -> float:
        return self.rate if property_id == cv2.CAP_PROP_FPS else 0.0

    def read(self):
        if self.unplugged or not self.images.acquire(timeout=0.02):
            return False, None
        self.taken += 1
        return True, np.full((48, 64, 3), self.taken, np.uint8)

    def release(self) -> None:
        self.holders -= 1


def source_of(fake: FakeCamera, **options) -> CameraDevice:
    return CameraDevice('0', RealImages(**options), fake.open)


def wait_for(condition) -> None:
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError('it did not happen')


def test_a_camera_is_a_number_or_a_device_and_nothing_else(tmp_path):
    assert all(is_camera(source) for source in ('0', '12', '/dev/video0', '/dev/video_that_is_not_there', '/dev/null'))
    (tmp_path / 'clip.mp4').touch()
    assert not any(is_camera(source) for source in ('', 'clip.mp4', str(tmp_path), str(tmp_path / 'clip.mp4')))


def test_rate_size_and_calibration_are_those_that_were_asked_for():
    camera = FakeCamera()
    assert source_of(camera).fps == 25.0
    assert source_of(FakeCamera(rate=0.0)).fps == 30.0
    source = source_of(camera, fps=10.0, max_size=32, camera=(50.0, 50.0, 31.5, 23.5), frames=1)
    assert source.fps == 10.0 and camera.path == '/dev/video0'
    camera.images.release()
    (frame,) = source.frames()
    assert frame.image.shape == (24, 32, 3) and frame.intrinsics.fx == pytest.approx(25.0)
    assert camera.holders == 0


def test_only_the_newest_image_waits_and_it_says_how_old_it_is():
    camera = FakeCamera()
    source = source_of(camera)
    ahead = ReadAhead(source.frames, 100, newest_only=source.is_live)
    try:
        camera.images.release(7)
        wait_for(lambda: camera.taken == 7 and ahead.ready == 1)
        time.sleep(0.05)
        frame = ahead.take()
        assert frame is not None and frame.image.max() == 7
        assert frame.age is not None and frame.age() >= 0.04
        assert ahead.take() is None and not ahead.is_over
        camera.images.release()
        wait_for(lambda: ahead.ready == 1)
        assert ahead.take().image.max() == 8
    finally:
        ahead.close()
    assert camera.holders == 0


def test_a_camera_that_is_unplugged_is_an_error_after_a_while(monkeypatch):
    monkeypatch.setattr(camera_device, 'SILENCE', 0.1)
    camera = FakeCamera()
    camera.images.release()
    frames = source_of(camera).frames()
    next(frames)
    camera.unplugged = True
    with pytest.raises(SourceError, match=r'/dev/video0 has given no image for 0\.1 s: was it unplugged'):
        next(frames)
    assert camera.holders == 0


def test_a_camera_that_others_use_is_refused_and_given_back():
    camera = FakeCamera(works=False)
    with pytest.raises(SourceError, match='/dev/video0 cannot be opened: another program may use it'):
        source_of(camera)
    assert camera.holders == 0


@pytest.mark.parametrize(
    ('source', 'problem'),
    [('/dev/video_that_is_not_there', 'there is no camera'), ('98', 'there is no camera /dev/video98')],
)
def test_no_camera_is_said_with_those_that_there_are(source, problem):
    with pytest.raises(SourceError, match=problem):
        CameraDevice(source, RealImages())


def test_what_opencv_reads_comes_through_the_same_class(tmp_path: Path):
    path = tmp_path / 'clip.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 12.0, (64, 48))
    for number in range(6):
        writer.write(np.full((48, 64, 3), 40 * number, np.uint8))
    writer.release()
    source = CameraDevice(str(path), RealImages(frames=6), cv2.VideoCapture)
    assert source.fps == pytest.approx(12.0)
    assert [round(frame.image.mean() / 40) for frame in source.frames()] == list(range(6))
