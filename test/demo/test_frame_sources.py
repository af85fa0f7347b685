"""Videos, image folders and single images as sources of frames, and what is said about files that are none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from video_files import FRAMES, TURNS, damage, turn, write_video

from hand3r_ros.node.frame_sources import RealImages, SourceError, open_images
from hand3r_ros.node.read_ahead import ReadAhead

SIZE = (64, 48)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Twelve frames at 12 Hz that grow brighter by 20 per frame."""
    path = tmp_path / 'clip.mp4'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 12.0, SIZE)
    for number in range(12):
        writer.write(np.full((SIZE[1], SIZE[0], 3), 20 * number, np.uint8))
    writer.release()
    return path


def levels(path: Path, options: RealImages) -> list[int]:
    return [round(frame.image.mean() / 20) for frame in open_images(path, options).frames()]


def test_a_video_gives_all_its_frames(video: Path) -> None:
    assert levels(video, RealImages()) == list(range(12))
    assert open_images(video, RealImages()).fps == pytest.approx(12.0)


def test_a_video_at_a_lower_rate_skips_frames_and_stays_in_real_time(video: Path) -> None:
    assert levels(video, RealImages(fps=4.0)) == [0, 3, 6, 9]
    assert levels(video, RealImages(fps=5.0)) == [0, 2, 5, 7, 10]


def test_a_pass_ends_after_the_wanted_number_of_frames(video: Path) -> None:
    assert levels(video, RealImages(frames=3)) == [0, 1, 2]


def test_images_are_rgb_and_in_natural_order(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        cv2.imwrite(str(tmp_path / f'image_{number}.png'), np.full((6, 8, 3), (0, number, 255), np.uint8))
    (tmp_path / 'notes.txt').write_text('no image')
    frames = list(open_images(tmp_path, RealImages()).frames())
    assert [int(frame.image[0, 0, 1]) for frame in frames] == [1, 2, 10]
    assert all(frame.image[0, 0, 0] == 255 and frame.image[0, 0, 2] == 0 for frame in frames)
    assert all(frame.intrinsics is None and frame.truth is None for frame in frames)


def test_one_image_is_repeated(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / 'photo.png'), np.zeros((6, 8, 3), np.uint8))
    assert len(list(open_images(tmp_path / 'photo.png', RealImages(frames=5)).frames())) == 5


def test_large_images_become_smaller_together_with_their_camera(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / 'photo.png'), np.zeros((60, 80, 3), np.uint8))
    options = RealImages(max_size=40, camera=(100.0, 90.0, 39.5, 29.5))
    (frame,) = open_images(tmp_path / 'photo.png', options).frames()
    assert frame.image.shape == (30, 40, 3)
    assert frame.intrinsics is not None
    assert (frame.intrinsics.width, frame.intrinsics.height) == (40, 30)
    assert (frame.intrinsics.fx, frame.intrinsics.fy) == (50.0, 45.0)
    assert (frame.intrinsics.cx, frame.intrinsics.cy) == (19.5, 14.5)


def test_a_damaged_video_is_played_to_its_end_and_says_what_is_missing(tmp_path: Path) -> None:
    source = open_images(damage(write_video(tmp_path / 'a.mp4', busy=True), 0.45, 0.55), RealImages())
    shown = len(list(source.frames()))
    assert 15 < shown < FRAMES
    (fault,) = source.faults
    assert fault.endswith(f'a.mp4: {FRAMES - shown} of {FRAMES} images are missing or cannot be decoded')


def test_a_video_of_a_phone_is_played_upright(tmp_path: Path) -> None:
    source = open_images(turn(write_video(tmp_path / 'a.mp4', frames=2), TURNS['clockwise']), RealImages())
    assert [frame.image.shape for frame in source.frames()] == [(160, 120, 3)] * 2
    assert 'turned upright' in source.description


def test_a_damaged_image_is_left_out(tmp_path: Path) -> None:
    for number in range(3):
        cv2.imwrite(str(tmp_path / f'{number}.png'), np.full((6, 8, 3), number, np.uint8))
    (tmp_path / '0.png').write_bytes(b'no image')
    source = open_images(tmp_path, RealImages())
    assert [int(frame.image[0, 0, 0]) for frame in source.frames()] == [1, 2]
    assert len(source.faults) == 1 and '0.png' in source.faults[0]


@pytest.mark.parametrize('make', ['nothing', 'no video', 'no image', 'empty folder'])
def test_what_cannot_be_read_is_named(tmp_path: Path, make: str) -> None:
    path = (
        tmp_path / {'nothing': 'absent.mp4', 'no video': 'a.mp4', 'no image': 'a.png', 'empty folder': 'folder'}[make]
    )
    if make == 'empty folder':
        path.mkdir()
    elif make != 'nothing':
        path.write_bytes(b'this is text')
    with pytest.raises(SourceError, match=path.name):
        open_images(path, RealImages())


def test_the_command_line_check_says_what_is_wrong(video: Path) -> None:
    check = [sys.executable, '-m', 'hand3r_ros.node.frame_sources']
    good = subprocess.run([*check, str(video)], capture_output=True, text=True, timeout=120)
    assert good.returncode == 0 and 'clip.mp4' in good.stdout
    bad = subprocess.run([*check, str(video) + 'x'], capture_output=True, text=True, timeout=120)
    assert bad.returncode == 1 and 'does not exist' in bad.stderr


def test_frames_are_prepared_ahead_up_to_the_capacity_and_in_order(video: Path) -> None:
    source = open_images(video, RealImages())
    ahead = ReadAhead(source.frames, capacity=5)
    taken = []
    while not ahead.is_over:
        assert ahead.ready <= 5
        frame = ahead.take()
        if frame is not None:
            taken.append(round(frame.image.mean() / 20))
    ahead.close()
    assert taken == list(range(12))


def test_an_error_while_reading_reaches_the_player() -> None:
    def broken():
        yield from ()
        raise SourceError('disk gone')

    ahead = ReadAhead(broken, capacity=2)
    with pytest.raises(SourceError, match='disk gone'):
        while not ahead.is_over:
            pass


def test_a_loop_begins_again(video: Path) -> None:
    ahead = ReadAhead(open_images(video, RealImages(frames=2)).frames, capacity=2, loop=True)
    taken = []
    while len(taken) < 5:
        frame = ahead.take()
        if frame is not None:
            taken.append(round(frame.image.mean() / 20))
    assert not ahead.is_over
    ahead.close()
    assert taken == [0, 1, 0, 1, 0]


def test_images_above_the_limit_are_refused_by_their_header(tmp_path: Path) -> None:
    path = tmp_path / 'photo.png'
    cv2.imwrite(str(path), np.zeros((60, 80, 3), np.uint8))
    assert len(list(open_images(path, RealImages(max_pixels=4800)).frames())) == 1
    with pytest.raises(SourceError, match=r'photo\.png: .*80x60 pixels, more than max_image_pixels \(4799\)'):
        open_images(path, RealImages(max_pixels=4799))
    data = bytearray(path.read_bytes())
    data[16:24] = b'\0\0\x7d\0\0\0\x7d\0'
    path.write_bytes(data)
    with pytest.raises(SourceError, match='32000x32000 pixels'):
        open_images(path, RealImages())
