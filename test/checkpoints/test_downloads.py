"""`hand3r convert FOLDER` finds the three files among downloads by what is in them, also in archives as they came."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import foreign_files
import numpy as np
import pytest
import torch
from foreign_files import write_cut3r, write_hamer
from hypothesis import given, settings
from hypothesis import strategies as st

from hand3r_ros import cli
from hand3r_ros.checkpoints.conversion import ConversionRequest, convert
from hand3r_ros.checkpoints.errors import CheckpointError
from hand3r_ros.hand_model.data import ARRAY_NAMES, load_mano, load_open_hand
from hand3r_ros.hand_model.unpickling import HandModelFileError
from hand3r_ros.network.checkpoints import load_network

sys.path.insert(0, str(Path(__file__).parents[1] / 'hand_model'))
import mano_files

HAMER_IN_ARCHIVE = '_DATA/hamer_ckpts/checkpoints/hamer.ckpt'
MANO_IN_ARCHIVE = 'mano_v1_2/models/MANO_RIGHT.pkl'


@pytest.fixture(autouse=True)
def small_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    foreign_files.use_small_sizes(monkeypatch)


@pytest.fixture
def cut3r(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    return write_cut3r(tmp_path / 'x', monkeypatch).read_bytes()


@pytest.fixture
def hamer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    return write_hamer(tmp_path / 'x', monkeypatch).read_bytes()


@pytest.fixture
def mano(monkeypatch: pytest.MonkeyPatch) -> bytes:
    return mano_files.python2_pickle(mano_files.as_in_the_released_file(mano_files.random_hand(), monkeypatch))


@pytest.fixture
def downloads(tmp_path: Path) -> Path:
    folder = tmp_path / 'Downloads'
    folder.mkdir()
    return folder


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def tarred(files: dict[str, bytes], mode: str = 'w') -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def torch_file(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def as_published(hamer: bytes) -> dict[str, bytes]:
    """What lies in HaMeR's archive, a network before it that is none of ours."""
    return {
        '_DATA/vitpose_ckpts/vitpose+_huge/wholebody.pth': torch_file(
            {'state_dict': {'backbone.blocks.0.x': torch.ones(2), 'keypoint_head.x': torch.ones(2)}}
        ),
        '_DATA/data/mano_mean_params.npz': b'PK\x03\x04' + bytes(600),
        '_DATA/hamer_ckpts/model_config.yaml': b'MODEL: {}\n',
        HAMER_IN_ARCHIVE: hamer,
        '_DATA/hamer_ckpts/dataset_config.yaml': b'DATA: {}\n',
    }


def converted(downloads: Path, **named: Path) -> tuple[dict, list[str]]:
    """The record of the sources, and what was reported; the weights load."""
    lines: list[str] = []
    out = downloads.parent / 'weights'
    request = ConversionRequest(
        named.get('cut3r'), named.get('hamer'), out, named.get('mano'), True, downloads=downloads
    )
    result = convert(request, lines.append)
    load_network(out, 'full')
    assert not [path.name for path in out.iterdir() if path.name.startswith('.')]  # no copies are left
    return json.loads(result.sources.read_text()), lines


ARCHIVES: dict[str, Callable[[dict[str, bytes]], bytes]] = {
    'hamer_demo_data.tar.gz': lambda files: tarred(files, 'w:gz'),
    'hamer_demo_data.tar': tarred,
    'strange name': lambda files: tarred(files, 'w:gz'),
    'data.zip': zipped,
    'stored.zip': lambda files: zipped(files, zipfile.ZIP_STORED),
}


@pytest.mark.parametrize('archive', ARCHIVES)
def test_downloads_as_they_came_are_enough(
    downloads: Path, cut3r: bytes, hamer: bytes, mano: bytes, archive: str
) -> None:
    write(downloads / 'cut3r_512_dpt_4_64.pth', cut3r)
    write(downloads / archive, ARCHIVES[archive](as_published(hamer)))
    write(downloads / 'mano_v1_2.zip', zipped({'mano_v1_2/LICENSE.txt': b'x', MANO_IN_ARCHIVE: mano}))
    before = {path: path.read_bytes() for path in downloads.iterdir()}
    record, lines = converted(downloads)
    assert record['sources']['hamer']['file'] == 'hamer.ckpt'
    assert record['sources']['hamer']['bytes'] == len(hamer) and record['sources']['mano']['bytes'] == len(mano)
    assert any(line == f'HaMeR: {downloads / archive}: {HAMER_IN_ARCHIVE}' for line in lines)
    assert any('looking into' in line for line in lines)
    np.testing.assert_array_equal(
        load_mano(downloads.parent / 'weights').v_template, mano_files.random_hand()['v_template'].astype('f4')
    )
    assert {path: path.read_bytes() for path in downloads.iterdir()} == before


def test_names_and_folders_do_not_matter(downloads: Path, cut3r: bytes, hamer: bytes, mano: bytes) -> None:
    write(downloads / 'a' / 'b' / 'c' / 'download(1)', cut3r)
    write(downloads / 'final.bin', hamer)
    write(downloads / 'mano_v1_2' / 'models' / 'MANO_RIGHT.pkl', mano)
    write(downloads / 'notes.txt', b'nothing of importance')
    write(downloads / '.cache' / 'hamer.ckpt', b'hidden')
    (downloads / 'round').symlink_to(downloads)
    os.mkfifo(downloads / 'pipe')  # must not be waited for
    record, lines = converted(downloads)
    assert record['sources']['cut3r']['file'] == 'download(1)'
    assert not any('looking into' in line for line in lines)


def test_options_go_before_and_may_name_archives_and_folders(
    downloads: Path, cut3r: bytes, hamer: bytes, mano: bytes
) -> None:
    elsewhere = downloads.parent / 'elsewhere'
    write(downloads / 'cut3r.pth', cut3r)
    write(downloads / 'hamer.ckpt', b'<html>')
    archive = write(elsewhere / 'h.tar.gz', tarred(as_published(hamer), 'w:gz'))
    write(elsewhere / MANO_IN_ARCHIVE, mano)
    record, _ = converted(downloads, hamer=archive, mano=elsewhere / 'mano_v1_2')
    assert record['sources']['hamer']['bytes'] == len(hamer) and 'mano' in record['sources']
    with pytest.raises(CheckpointError, match=r'mano_v1_2 holds no HaMeR: hamer\.ckpt, from https'):
        converted(downloads, hamer=elsewhere / 'mano_v1_2')


def test_named_files_are_checked_before_archives_are_searched(downloads: Path, cut3r: bytes, hamer: bytes) -> None:
    write(downloads / 'cut3r.pth', cut3r)
    write(downloads / 'h.tar.gz', tarred(as_published(hamer), 'w:gz'))
    lines: list[str] = []
    for mano in (write(downloads.parent / 'MANO_RIGHT.pkl', b'damaged'), downloads.parent / 'absent'):
        with pytest.raises(ValueError, match=str(mano)):
            convert(ConversionRequest(None, None, downloads / 'out', mano, downloads=downloads), lines.append)
    assert lines == []


def test_whole_files_with_the_published_name_are_preferred(downloads: Path, cut3r: bytes, hamer: bytes) -> None:
    write(downloads / 'a_copy.pth', cut3r)
    write(downloads / 'cut3r_512_dpt_4_64.pth', cut3r[: len(cut3r) // 2])  # the first try was interrupted
    write(downloads / 'z' / 'cut3r_512_dpt_4_64.pth', cut3r)
    write(downloads / 'hamer.ckpt', hamer)
    record, lines = converted(downloads)
    assert f'CUT3R: {downloads}/z/cut3r_512_dpt_4_64.pth' in lines
    assert f'{downloads}/a_copy.pth would do as well and is not used' in lines
    assert 'mano' not in record['sources']


def test_a_left_hand_is_passed_over(downloads: Path, cut3r: bytes, hamer: bytes, mano: bytes) -> None:
    hand = load_open_hand()
    left = {name: getattr(hand, name) for name in ARRAY_NAMES}
    left['v_template'] = left['v_template'] * np.array([-1.0, 1.0, 1.0])
    write(downloads / 'c.pth', cut3r)
    write(downloads / 'h.ckpt', hamer)
    write(downloads / 'MANO_LEFT.pkl', pickle.dumps(left))
    record, _ = converted(downloads)
    assert 'mano' not in record['sources']
    with pytest.raises(CheckpointError, match=r'holds no MANO(.|\n)*MANO_LEFT\.pkl: a left hand'):
        converted(downloads, mano=downloads)
    write(downloads / 'm.zip', zipped({'models/MANO_LEFT.pkl': pickle.dumps(left), 'models/MANO_RIGHT.pkl': mano}))
    record, _ = converted(downloads)
    assert record['sources']['mano']['file'] == 'MANO_RIGHT.pkl'


def test_what_is_there_instead_is_said(downloads: Path, cut3r: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    names = ('dec_blocks_state.0.x', 'downstream_head.proj.x')
    write(downloads / 'cut3r_224_linear_4.pth', torch_file({'model': {name: torch.ones(2) for name in names}}))
    write(downloads / 'hamer_demo_data.tar.gz', b'<!DOCTYPE html><html>sign in')
    write(downloads / 'attack.pth', torch_file({'model': {'w': torch.ones(2)}, 'x': os.system}))
    out = downloads.parent / 'weights'
    assert cli.main(['convert', str(downloads), '--out', str(out)]) == 1
    errors = capsys.readouterr().err
    for expected in (
        'holds no CUT3R: cut3r_512_dpt_4_64.pth, from https://github.com/CUT3R/CUT3R',
        'holds no HaMeR: hamer.ckpt, from https://github.com/geopavlakos/hamer',
        'cut3r_224_linear_4.pth (CUT3R with linear heads',
        'hamer_demo_data.tar.gz (an HTML page',
        "attack.pth (refused: it names 'posix.system'",
    ):
        assert expected in errors
    assert not out.exists()
    write(downloads / 'c.pth', cut3r)
    write(
        downloads / 'hamer_demo_data.tar.gz', tarred({'_DATA/x': np.random.default_rng(0).bytes(9999)}, 'w:gz')[:-4000]
    )
    assert cli.main(['convert', str(downloads), '--out', str(out)]) == 1
    errors = capsys.readouterr().err
    assert 'holds no CUT3R' not in errors and 'hamer_demo_data.tar.gz ends too early' in errors
    assert not out.exists()


def test_an_interrupted_zip_file_is_named(downloads: Path, cut3r: bytes, hamer: bytes, mano: bytes) -> None:
    write(downloads / 'c.pth', cut3r)
    write(downloads / 'h.ckpt', hamer)
    write(downloads / 'mano_v1_2.zip', zipped({MANO_IN_ARCHIVE: mano})[:-100])
    write(downloads / 'mano_mean_params.npz', zipped({'pose.npy': b'', 'shape.npy': b'', 'cam.npy': b''}))
    with pytest.raises(CheckpointError) as caught:
        converted(downloads, mano=downloads)
    assert 'mano_v1_2.zip (a zip file that is damaged or not whole)' in str(caught.value)
    assert 'mano_mean_params.npz (arrays, but not those of MANO)' in str(caught.value)


def test_places_that_are_not_there_are_named(
    downloads: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv('HAND3R_WEIGHTS', str(downloads / 'out'))
    assert cli.main(['convert']) == 1
    assert 'name the folder with the downloads' in capsys.readouterr().err
    assert cli.main(['convert', str(downloads / 'absent')]) == 1
    assert f'{downloads}/absent does not exist' in capsys.readouterr().err
    assert cli.main(['convert', str(downloads)]) == 1
    assert f'{downloads} holds no CUT3R' in capsys.readouterr().err
    assert not (downloads / 'out').exists()


def test_a_disk_without_space_for_the_copy_is_noticed(
    downloads: Path, cut3r: bytes, hamer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(downloads / 'c.pth', cut3r)
    write(downloads / 'h.tar.gz', tarred(as_published(hamer), 'w:gz'))
    monkeypatch.setattr('shutil.disk_usage', lambda _: type('Usage', (), {'free': 1000}))
    with pytest.raises(OSError, match=r'the copy of _DATA/hamer_ckpts/checkpoints/hamer\.ckpt needs'):
        converted(downloads)
    assert not (downloads.parent / 'weights').exists()


def test_files_in_an_uncompressed_archive_are_read_where_they_lie(
    downloads: Path, cut3r: bytes, hamer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(downloads / 'all.tar', tarred({**as_published(hamer), 'c.pth': cut3r}))
    monkeypatch.setattr(shutil, 'copyfileobj', None)
    record, _ = converted(downloads)
    assert record['sources']['cut3r']['file'] == 'c.pth'


def test_archives_that_claim_too_much_take_no_memory(downloads: Path) -> None:
    header = bytearray(tarred({'hamer.ckpt': b'x'})[:512])
    header[124:136] = b'77777777777\0'
    header[156:157] = b'x'  # an extended header, which is read whole
    header[148:156] = b' ' * 8
    header[148:156] = b'%06o\0 ' % sum(header)
    write(downloads / 'huge.tar', bytes(header) + bytes(4096))
    out = downloads.parent / 'weights'
    with pytest.raises(CheckpointError, match=r'huge\.tar.*claims \d+ bytes'):
        convert(ConversionRequest(None, None, out, downloads=downloads), lambda _: None)


def test_a_compressed_copy_of_the_checkpoint_that_lies_about_its_size_is_refused(
    downloads: Path, cut3r: bytes, hamer: bytes
) -> None:
    content = bytearray(zipped({'hamer.ckpt': hamer, 'second': b'x' * 10}))
    start = content.find(b'PK\x01\x02')
    content[start + 24 : start + 28] = (len(hamer) + 4096).to_bytes(4, 'little')  # uncompressed size in the directory
    write(downloads / 'c.pth', cut3r)
    write(downloads / 'h.zip', bytes(content))
    with pytest.raises(CheckpointError, match=r'h\.zip'):
        converted(downloads)
    assert not (downloads.parent / 'weights').exists()


@settings(max_examples=80, deadline=None)
@given(data=st.data(), kind=st.sampled_from(['tar', 'tar.gz', 'zip', 'zip of a checkpoint', 'pickle', 'page']))
def test_damaged_downloads_of_every_kind_raise_only_the_documented_error(
    data: st.DataObject, kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp('damaged')
    files = {'a/hamer.ckpt': torch_file({'state_dict': {'backbone.blocks.0.x': torch.ones(2)}}), 'b': b'x' * 700}
    whole = {
        'tar': tarred(files),
        'tar.gz': tarred(files, 'w:gz'),
        'zip': zipped(files),
        'zip of a checkpoint': files['a/hamer.ckpt'],
        'pickle': pickle.dumps({'v_template': np.zeros(3), 'hands_components': np.zeros(3)}),
        'page': b'<html>sign in</html>',
    }[kind]
    damaged = bytearray(whole[: data.draw(st.one_of(st.just(len(whole)), st.integers(0, len(whole))))])
    for _ in range(data.draw(st.integers(0, 4)) if damaged else 0):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = write(folder / 'download', bytes(damaged))
    for named in ({'downloads': folder}, {'hamer': path}, {'mano': path, 'downloads': folder}):
        request = ConversionRequest(None, **{'hamer': None, 'folder': folder / 'out', 'downloads': folder, **named})  # type: ignore[arg-type]
        with pytest.raises((CheckpointError, HandModelFileError), match=str(folder)):
            convert(request, lambda _: None)
    assert not (folder / 'out').exists()
