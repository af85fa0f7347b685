"""Folders of images: stamps in their names, and files that are not what they seem."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from recordings import FIRST_NS, read_bag

from hand3r_ros.offline.errors import RunError
from hand3r_ros.offline.opening import open_input
from hand3r_ros.offline.settings import RunSettings

FIRST_S = FIRST_NS // 10**9


def folder(path: Path, *names: str) -> Path:
    path.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        assert cv2.imwrite(str(path / name), np.full((6, 8, 3), number, np.uint8))
    return path


def opened(path: Path, fps: float = 0.0):
    return open_input(RunSettings(input=path, out=Path('out.mcap'), fps=fps))


def stamps(path: Path, fps: float = 0.0) -> list[int]:
    return [image.stamp_ns for image in opened(path, fps).images()]


@pytest.mark.parametrize('unit', [1, 1_000, 1_000_000], ids=['nanoseconds', 'microseconds', 'milliseconds'])
def test_the_digits_of_names_tell_their_unit(tmp_path, unit):
    wanted = [FIRST_NS + number * 33_000_000 for number in range(4)]
    path = folder(tmp_path / 'images', *(f'{stamp // unit}.png' for stamp in wanted))
    assert stamps(path) == wanted and 'stamps from their names' in opened(path).description


def test_one_image_is_shown_by_its_name_and_a_folder_by_its_number(tmp_path):
    path = folder(tmp_path / 'images', 'a.png', 'b.png')
    assert opened(path / 'a.png').description == f'image {path / "a.png"}'
    assert opened(path).description == f'2 images of {path}, 5 Hz'


def test_fractions_of_seconds_are_in_order_whatever_their_length(tmp_path):
    path = folder(tmp_path / 'images', *(f'{FIRST_S}.{fraction}.png' for fraction in ('5', '25', '125', '75')))
    assert stamps(path) == [FIRST_NS + milliseconds * 1_000_000 for milliseconds in (125, 250, 500, 750)]


def test_hidden_files_change_nothing(tmp_path):
    path = folder(tmp_path / 'images', *(f'{FIRST_NS + number * 10**8}.png' for number in range(3)))
    (path / f'._{FIRST_NS}.png').write_bytes(b'Mac OS X')
    (path / '.DS_Store').write_bytes(b'')
    (path / 'old.png').mkdir()
    assert stamps(path) == [FIRST_NS, FIRST_NS + 10**8, FIRST_NS + 2 * 10**8]
    assert opened(path).companions().notes == (f'1 hidden file is left out (._{FIRST_NS}.png)',)


def test_a_stray_image_is_skipped_and_takes_the_others_no_stamps(tmp_path):
    path = folder(tmp_path / 'images', *(f'{FIRST_NS + number * 10**8}.png' for number in range(3)), 'preview.png')
    images = list(opened(path).images())
    assert [image.name for image in images][3] == 'preview.png'
    assert [image.stamp_ns for image in images][:3] == [FIRST_NS, FIRST_NS + 10**8, FIRST_NS + 2 * 10**8]
    with pytest.raises(ValueError, match='its name is no time'):
        images[3].decode()
    assert images[2].decode().shape == (6, 8, 3)


def test_one_name_that_could_be_a_time_among_many_is_none(tmp_path):
    path = folder(tmp_path / 'images', 'a.png', 'b.png', 'c.png', f'{FIRST_NS}.png')
    assert stamps(path) == [1_000_000_000 + number * 200_000_000 for number in (0, 1, 2, 3)]


@pytest.mark.parametrize('step', [999_999, 1, 0])
def test_names_of_more_than_1000_images_per_second_are_no_times(tmp_path, step):
    names = [f'{FIRST_NS + number * step}.{"png" if number % 2 else "bmp"}' for number in range(2)]
    path = folder(tmp_path / 'images', *names)
    with pytest.raises(RunError, match=f'names such as {FIRST_NS} say .*: give the rate with --fps'):
        opened(path)
    assert stamps(path, fps=10.0) == [1_000_000_000, 1_100_000_000]


def test_images_of_other_kinds_are_named_with_what_to_do(tmp_path):
    path = folder(tmp_path / 'images', 'a.png')
    for name in ('b.HEIC', 'c.heic', 'd.avif'):
        (path / name).write_bytes(b'')
    notes = opened(path).companions().notes
    assert '2 .heic files are left out: they are not read, convert them to JPEG or PNG (heif-convert' in notes[0]
    assert '1 .avif file is left out' in notes[1]
    (path / 'a.png').unlink()
    with pytest.raises(RunError, match=r'holds no image .* but 2 \.heic files: they are not read, convert them'):
        opened(path)
    with pytest.raises(RunError, match=r'b\.HEIC is an image of kind \.heic: they are not read'):
        opened(path / 'b.HEIC')


def test_a_folder_of_videos_says_so(tmp_path):
    (tmp_path / 'b.MP4').write_bytes(b'')
    (tmp_path / 'a.mov').write_bytes(b'')
    with pytest.raises(RunError, match=r'holds no image .* but 2 videos: give one of them \(a\.mov\)'):
        opened(tmp_path)


def test_names_that_are_no_text_do_not_end_a_run(settings, rendered, tmp_path, capsys):
    """As files from old disks have them."""
    path = tmp_path / os.fsdecode(b'disk\xff')
    path.mkdir()
    for number, frame in enumerate(rendered[:2]):
        _, data = cv2.imencode('.png', frame.image)
        (path / os.fsdecode(b'image\xff%d.png' % (number + 1))).write_bytes(data.tobytes())
    (path / os.fsdecode(b'image\xff0.png')).write_bytes(b'damaged')
    run = settings(path, map__publish=False, points__publish=False)
    arguments = ['run', str(path), '--out', str(run.out), '--detector', 'none', '-p', 'points.publish:=false']
    done = subprocess.run(
        [sys.executable, '-m', 'hand3r_ros.cli', *arguments, '--weights-dir', run.values['weights_dir']],
        capture_output=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    assert b'2 images in' in done.stdout and b'skipped 1' in done.stdout
    assert 'image\N{REPLACEMENT CHARACTER}0.png' in read_bag(run.out)['/hand3r/status'][-1][1].last_error
