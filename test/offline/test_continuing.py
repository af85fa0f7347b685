"""A run that was killed, stopped or failed goes on, and its result is that of an uninterrupted one."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from recordings import FRAMES, equal, read_bag, recording, write_bag

from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.offline.command import run_offline
from hand3r_ros.offline.errors import RunError
from hand3r_ros.offline.frame_step import FrameStepper
from hand3r_ros.offline.work_folder import WorkFolder
from hand3r_ros.online.detection import registry
from hand3r_ros.online.results import HandDetection

pytestmark = pytest.mark.timeout(900)  # several whole runs each

TIMES = ('decode_seconds', 'detect_seconds', 'inference_seconds', 'publish_seconds')


class KilledError(BaseException):
    """Nothing in the run catches it, as nothing catches SIGKILL."""


class MovingDetector:
    """Finds a hand that moves with time."""

    def can_answer(self, frame):
        return True

    def wants_head(self, frame, previous):
        return False

    def detect(self, frame, previous, head=None):
        corner = 20.0 + 30.0 * (frame.stamp_ns % 10**9) * 1e-9
        return (HandDetection(_box(corner), HandSide.RIGHT, 0.9),)

    def reset(self):
        pass


def _box(corner):
    return np.array([corner, corner, corner + 60.0, corner + 60.0])


def results(path):
    """By topic, without how long things took."""
    found = read_bag(path)
    for _, status in found['/hand3r/status']:
        for name in TIMES:
            object.__setattr__(status, name, 0.0)
    return found


def assert_same(first, second):
    assert sorted(first) == sorted(second)
    for topic in first:
        assert [ns for ns, _ in first[topic]] == [ns for ns, _ in second[topic]], topic
        for (_, one), (_, other) in zip(first[topic], second[topic], strict=True):
            assert equal(one, other), topic


def kill_before(monkeypatch, image: int):
    """Ends the next run when this many images were processed."""
    original, count = FrameStepper.process, [0]

    def process(self, *arguments):
        if count[0] == image:
            raise KilledError
        count[0] += 1
        return original(self, *arguments)

    monkeypatch.setattr(FrameStepper, 'process', process)
    return lambda: monkeypatch.setattr(FrameStepper, 'process', original)


@pytest.mark.parametrize('pose_source', ['network', 'geometric'])
def test_a_killed_run_gives_the_same_result_as_an_uninterrupted_one(
    settings, images, tmp_path, monkeypatch, pose_source, capsys
):
    monkeypatch.setitem(registry.DETECTORS, 'mediapipe', lambda config: MovingDetector())
    whole = settings(
        images, out=tmp_path / 'whole.mcap', detector='mediapipe', pose_source=pose_source, smoothing__enabled=True
    )
    run_offline(whole)
    broken = dataclasses.replace(whole, out=tmp_path / 'broken.mcap', checkpoint_seconds=0.0)
    for image in (2, 1):  # killed twice: after 2 images and after 1 more
        alive_again = kill_before(monkeypatch, image)
        with pytest.raises(KilledError):
            run_offline(broken)
        alive_again()
        assert not broken.out.exists()
    capsys.readouterr()
    assert run_offline(broken) == 0
    assert 'continues after 3 images' in capsys.readouterr().out
    assert_same(results(whole.out), results(broken.out))
    assert len(results(broken.out)['/hand3r/hands']) == FRAMES
    assert not (tmp_path / 'broken.mcap.partial').exists()


def test_boxes_and_calibration_of_a_recording_go_on_too(settings, rendered, tmp_path, monkeypatch):
    bag = write_bag(tmp_path / 'bag', recording(rendered))
    whole = settings(bag, out=tmp_path / 'whole.mcap', detector=None)
    run_offline(whole)
    broken = dataclasses.replace(whole, out=tmp_path / 'broken', checkpoint_seconds=0.0)
    alive_again = kill_before(monkeypatch, 3)
    with pytest.raises(KilledError):
        run_offline(broken)
    alive_again()
    run_offline(broken)
    assert_same(results(whole.out), results(broken.out))


def test_what_came_after_the_last_checkpoint_is_done_again(settings, images, tmp_path, monkeypatch):
    run = settings(images, checkpoint_seconds=1e9)
    alive_again = kill_before(monkeypatch, 4)
    with pytest.raises(KilledError):
        run_offline(run)
    alive_again()
    run_offline(run)
    assert len(results(run.out)['/hand3r/hands']) == FRAMES


def test_a_process_that_was_killed_by_the_system_goes_on(images, weights_dir, tmp_path):
    """All runs are processes of their own: equal to the last bit are only those with the same number of threads."""

    def command(out):
        run = [sys.executable, '-m', 'hand3r_ros.cli', 'run', str(images), '--out', str(out), '--checkpoint-every', '0']
        return [*run, '--weights-dir', str(weights_dir), '--detector', 'none', '--device', 'cpu']

    out, whole = tmp_path / 'out.mcap', tmp_path / 'whole.mcap'
    kill_after_a_checkpoint(command(out), tmp_path / 'out.mcap.partial' / 'progress.json')
    assert not out.exists()
    assert re.search(r'continues after [1-9]\d* images', subprocess.check_output(command(out), text=True))
    subprocess.run(command(whole), check=True, stdout=subprocess.DEVNULL)
    assert_same(results(whole), results(out))


def kill_after_a_checkpoint(command, progress):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 200.0
    while not progress.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert progress.exists()


def test_a_stopped_run_says_so_and_goes_on(settings, images, monkeypatch, capsys):
    run = settings(images)
    original = FrameStepper.process

    def process(self, image, tally):
        if tally.next_image == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self, image, tally)

    monkeypatch.setattr(FrameStepper, 'process', process)
    assert run_offline(run) == 130
    assert 'stopped after 3 images' in capsys.readouterr().err
    monkeypatch.setattr(FrameStepper, 'process', original)
    assert run_offline(run) == 0
    assert len(results(run.out)['/hand3r/hands']) == FRAMES


def interrupted(run, monkeypatch):
    run = dataclasses.replace(run, checkpoint_seconds=0.0)
    alive_again = kill_before(monkeypatch, 2)
    with pytest.raises(KilledError):
        run_offline(run)
    alive_again()
    return run


def test_other_settings_are_refused_by_name(settings, images, monkeypatch):
    run = interrupted(settings(images), monkeypatch)
    other = dataclasses.replace(run, values={**run.values, 'points.stride': 3})
    with pytest.raises(RunError, match=r'points\.stride was 2, is 3'):
        run_offline(other)
    assert run_offline(dataclasses.replace(other, overwrite=True)) == 0


def test_damaged_checkpoints_are_refused(settings, images, monkeypatch, tmp_path):
    run = interrupted(settings(images), monkeypatch)
    (snapshot,) = (tmp_path / 'out.mcap.partial').glob('snapshot_*')
    snapshot.write_bytes(snapshot.read_bytes()[:-100])
    with pytest.raises(RunError, match='--overwrite'):
        run_offline(run)
    snapshot.unlink()
    with pytest.raises(RunError, match='lacks files'):
        run_offline(run)


def test_two_processes_do_not_write_the_same_result(tmp_path):
    first, second = WorkFolder(tmp_path / 'out.mcap'), WorkFolder(tmp_path / 'out.mcap')
    first.open({}, overwrite=False)
    with pytest.raises(RunError, match='another run is writing'):
        second.open({}, overwrite=True)
    first.close()
    second.open({}, overwrite=False)
    second.close()
