"""Videos are upright, go on after damaged spots and say what is missing; files that are none say what they are."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from video_files import FRAMES, RATE, TURNS, begin_later, cut, damage, picture, replace, turn, write_video

from hand3r_ros.media import MediaError
from hand3r_ros.video import Video

UPRIGHT = {
    'as stored': picture(0),
    'clockwise': cv2.rotate(picture(0), cv2.ROTATE_90_CLOCKWISE),
    'upside down': cv2.rotate(picture(0), cv2.ROTATE_180),
    'anticlockwise': cv2.rotate(picture(0), cv2.ROTATE_90_COUNTERCLOCKWISE),
    'mirrored': picture(0)[:, ::-1],
}


def read(path: Path) -> tuple[list, tuple[str, ...]]:
    """Pixels of every image (None: lost), and the faults."""
    reading = Video(path).read()
    found = [frame.pixels() for frame in reading]
    return found, reading.faults()


@pytest.mark.parametrize('name', TURNS)
@pytest.mark.parametrize('suffix', ['.mp4', '.mov'])
def test_a_video_is_upright_whatever_opencv_does_by_itself(tmp_path: Path, name: str, suffix: str) -> None:
    path = turn(write_video(tmp_path / f'phone{suffix}', frames=3), TURNS[name])
    video = Video(path)
    assert video.is_turned == (name != 'as stored')
    frames = iter(video.read())
    first = next(frames).pixels()
    assert first is not None and first.shape == UPRIGHT[name].shape
    assert np.abs(first.astype(int) - UPRIGHT[name]).mean() < 12.0


@pytest.mark.parametrize(
    ('name', 'fourcc'),
    [
        ('a.mp4', 'mp4v'),
        ('a.mov', 'MJPG'),
        ('a.avi', 'MJPG'),
        ('a.avi', 'XVID'),
        ('a.mkv', 'FFV1'),
        ('a.webm', 'VP80'),
        ('a.webm', 'VP90'),
    ],
)
def test_whole_videos_have_no_faults(tmp_path: Path, name: str, fourcc: str) -> None:
    video = Video(write_video(tmp_path / name, fourcc))
    reading = video.read()
    frames = list(reading)
    assert [frame.index for frame in frames] == list(range(FRAMES)) and video.count == FRAMES
    assert video.rate == pytest.approx(RATE) and reading.faults() == () and reading.missing == 0
    assert [frame.time_ns for frame in frames] == pytest.approx([i * 1e9 / RATE for i in range(FRAMES)], abs=2e6)


def test_reading_goes_on_after_a_damaged_spot_and_counts_what_was_lost(tmp_path: Path) -> None:
    path = damage(write_video(tmp_path / 'a.mp4', busy=True), 0.45, 0.55)
    reading = Video(path).read()
    frames = [(frame.index, frame.time_ns, frame.pixels() is not None) for frame in reading]
    lost = [index for index, _, good in frames if not good]
    assert [index for index, _, _ in frames] == list(range(FRAMES))
    assert 2 <= len(lost) <= 10 and lost == list(range(lost[0], lost[-1] + 1)) and lost[-1] < FRAMES - 5
    assert [time for _, time, _ in frames] == pytest.approx([i * 1e9 / RATE for i in range(FRAMES)], abs=2e6)
    assert reading.missing == len(lost)
    assert reading.faults() == (f'{len(lost)} of {FRAMES} images are missing or cannot be decoded',)


@pytest.mark.parametrize(('name', 'fourcc'), [('a.webm', 'VP80'), ('a.mkv', 'FFV1'), ('a.avi', 'MJPG')])
def test_damage_that_opencv_passes_over_in_silence_is_counted(tmp_path: Path, name: str, fourcc: str) -> None:
    found, faults = read(damage(write_video(tmp_path / name, fourcc, busy=True), 0.4, 0.55))
    shown = sum(pixels is not None for pixels in found)
    assert 0 < shown < FRAMES
    assert faults[-1] == f'{FRAMES - shown} of {FRAMES} images are missing or cannot be decoded'


@pytest.mark.parametrize(('name', 'fourcc'), [('a.mkv', 'MJPG'), ('a.avi', 'MJPG')])
def test_a_video_that_was_cut_off_gives_what_it_has_and_says_so(tmp_path: Path, name: str, fourcc: str) -> None:
    found, faults = read(cut(write_video(tmp_path / name, fourcc, busy=True), 0.6))
    assert 10 < len(found) < 25
    assert 'not whole: the file has' in faults[0]
    assert faults[1] == f'{FRAMES - len(found)} of {FRAMES} images are missing or cannot be decoded'


def test_images_that_were_edited_away_are_not_missing(tmp_path: Path) -> None:
    """Phones that trim a video keep all samples and hide some."""
    path = begin_later(write_video(tmp_path / 'a.mov', 'MJPG'), 12)
    found, faults = read(path)
    assert len(found) == FRAMES - 12 and faults == () and Video(path).count == FRAMES - 12


def test_bytes_that_cameras_append_are_no_damage(tmp_path: Path) -> None:
    for name, fourcc in (('a.mp4', 'mp4v'), ('a.mkv', 'MJPG'), ('a.avi', 'MJPG')):
        path = write_video(tmp_path / name, fourcc)
        path.write_bytes(path.read_bytes() + bytes(range(256)))
        found, faults = read(path)
        assert len(found) == FRAMES and faults == (), name


def test_nothing_is_said_about_the_part_that_was_not_read(tmp_path: Path) -> None:
    path = damage(write_video(tmp_path / 'a.mp4', busy=True), 0.5, 0.6)
    reading = Video(path).read()
    for frame in reading:
        if frame.index == 5:
            break
    reading.close()
    assert reading.faults() == ()


@pytest.mark.parametrize(
    'name', ['12:30.mp4', 'clip_%02d.mp4', '-x.mp4', 'a b#c?.mp4', 'http:x.mp4', '3\u202f50 PM\n.mp4']
)
def test_any_file_name_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    write_video(tmp_path / name, frames=3)
    monkeypatch.chdir(tmp_path)
    assert len(read(Path(name))[0]) == 3


def test_a_codec_that_opencv_lacks_is_named_with_a_command(tmp_path: Path) -> None:
    path = replace(write_video(tmp_path / 'a.mp4', 'MJPG'), b'mp4v', b'vvc1')
    path = replace(damage(path, 0.1, 0.9), b'esds', b'free')
    with pytest.raises(MediaError, match=r'decode its H\.266 \(VVC\) video; re-encode it: ffmpeg -i .*a\.mp4 '):
        Video(path)
    path = replace(write_video(tmp_path / 'b.webm', 'VP80'), b'V_VP8', b'V_AV1')
    with pytest.raises(MediaError, match=r'cannot decode its AV1 video; .* -c:v libx264 .*b_h264\.mp4'):
        Video(path)


def test_the_command_protects_what_shells_and_ffmpeg_would_misread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace(write_video(tmp_path / 'my 1:2.webm', 'VP80'), b'V_VP8', b'V_AV1')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MediaError, match=r"ffmpeg -i './my 1:2\.webm' .* './my 1:2_h264\.mp4'"):
        Video(Path('my 1:2.webm'))


def test_a_recording_that_was_not_ended_is_named(tmp_path: Path) -> None:
    path = cut(write_video(tmp_path / 'a.mp4'), 0.5)
    with pytest.raises(MediaError, match=r'a\.mp4 cannot be opened as a video: the file has \d+ bytes, .*untrunc'):
        Video(path)


@pytest.mark.parametrize('name', ['letter.mp4', 'photo_001.mp4', 'empty.avi'])
def test_files_that_are_no_video_are_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b'' if 'empty' in name else b'not a video')
    with pytest.raises(MediaError, match=f'{name} cannot be opened as a video: OpenCV finds no video in it'):
        Video(path)


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r'gone\.mp4 cannot be read: No such file'):
        Video(tmp_path / 'gone.mp4')


def test_a_name_that_is_no_text_is_refused_before_opencv_crashes_on_it(tmp_path: Path) -> None:
    path = write_video(tmp_path / 'a.mp4', frames=2).rename(tmp_path / os.fsdecode(b'a\xff.mp4'))
    with pytest.raises(MediaError, match='OpenCV cannot open files whose names are not UTF-8 text: rename it'):
        Video(path)
