"""A file that is not the checkpoint that was asked for is named for what it is, with what was expected."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import foreign_files
import numpy as np
import pytest
import torch
from foreign_files import write_cut3r, write_hamer
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from hand3r_ros.checkpoints.conversion import ConversionRequest, convert
from hand3r_ros.checkpoints.errors import CheckpointError
from hand3r_ros.checkpoints.known_networks import KNOWN_NETWORKS, known_network
from hand3r_ros.checkpoints.torch_checkpoint import open_checkpoint


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as archive:
        for name in names:
            archive.writestr(name, b'x')
    return buffer.getvalue()


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode='w') as archive:
        archive.addfile(tarfile.TarInfo('hamer_ckpts/checkpoints/hamer.ckpt'))
    return buffer.getvalue()


def legacy() -> bytes:
    buffer = io.BytesIO()
    torch.save({'model': {'weight': torch.zeros(2)}}, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


def array_archive() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, v_template=np.zeros(3), f=np.zeros(3))
    return buffer.getvalue()


def script() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as archive:
        archive.writestr('model/constants.pkl', b'x')
        archive.writestr('model/code/__torch__.py', b'x')
    return buffer.getvalue()


WRONG_FILES = {
    'empty': (b'', 'is empty: the download failed'),
    'page': (
        b'\n<!DOCTYPE html><html>Google Drive - virus scan warning',
        'is an HTML page: the download needs a login',
    ),
    'pointer': (b'version https://git-lfs.github.com/spec/v1\noid sha256:0\n', 'git-lfs pointer'),
    'gzip': (gzip.compress(b'x'), r'gzip archive: unpack it \(tar -xzf\)'),
    'tar': (tarred(), 'a tar archive'),
    'legacy': (legacy(), r'format of torch before 1\.6'),
    'pickle': (b'\x80\x04}.', 'a bare pickle'),
    'one byte': (b'\x80', 'of no known kind'),
    'json': (b'{"error": "quota exceeded"}', 'JSON text'),
    'text': (b'hello there', "a text file that begins with 'hello there'"),
    'noise': (b'\x07\x99\x01\xfe' * 40, 'of no known kind'),
    'zip': (zipped('models/MANO_RIGHT.pkl', 'readme.txt'), "zip file but no torch checkpoint: it holds 'models/MANO"),
    'one folder': (zipped('mano/a.txt', 'mano/b.txt'), "zip file but no torch checkpoint: it holds 'mano/a.txt'"),
    'arrays': (array_archive(), 'zip file but no torch checkpoint'),
    'script': (script(), 'zip file but a TorchScript program'),
}


@pytest.mark.parametrize('kind', WRONG_FILES)
def test_the_kind_of_a_wrong_file_is_named(tmp_path: Path, kind: str) -> None:
    content, message = WRONG_FILES[kind]
    path = tmp_path / 'hamer.ckpt'
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message) as caught, open_checkpoint(path):
        pass
    assert str(path) in str(caught.value)


STARTS = sorted({content[:16] for content, _ in WRONG_FILES.values()} | {b'PK\x03\x04', b'\x1f\x8b', b'\x8a', b'BZh'})


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_every_beginning_of_every_kind_of_file_gets_a_clear_error(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = data.draw(
        st.one_of(st.sampled_from([content for content, _ in WRONG_FILES.values()]), st.sampled_from(STARTS))
    )
    kept = data.draw(st.one_of(st.integers(0, min(len(whole), 20)), st.integers(0, len(whole))))
    content = bytearray(whole[:kept] + data.draw(st.binary(max_size=8)))
    for _ in range(data.draw(st.integers(0, 3)) if content else 0):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp('any') / 'hamer.ckpt'
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=str(path)), open_checkpoint(path):
        pass


def test_files_of_one_byte_get_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / 'hamer.ckpt'
    for value in range(256):
        path.write_bytes(bytes([value]))
        with pytest.raises(CheckpointError, match=r'hamer\.ckpt \(1 bytes\) is '), open_checkpoint(path):
            pass


def test_safetensors_folders_and_missing_files_are_named(tmp_path: Path) -> None:
    save_file({'weight': torch.zeros(2)}, tmp_path / 'c.pth')
    for path, message in (
        (tmp_path / 'c.pth', 'a safetensors file'),
        (tmp_path, 'is a folder'),
        (tmp_path / 'absent.pth', 'cannot be read: No such file'),
    ):
        with pytest.raises(CheckpointError, match=message), open_checkpoint(path):
            pass


@pytest.mark.parametrize('kept', [0.2, 0.6, 0.99])
def test_an_interrupted_download_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: float) -> None:
    path = write_cut3r(tmp_path / 'c.pth', monkeypatch)
    content = path.read_bytes()[: int(kept * path.stat().st_size)]
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=f'interrupted at {len(content)} bytes|truncated'), open_checkpoint(path):
        pass


def test_torch_files_without_parameters_are_named(tmp_path: Path) -> None:
    for content, message in (
        ({'epoch': 3, 'note': 'x'}, r"without parameters; it has the entries 'epoch', 'note'"),
        ([torch.zeros(2)], 'holds a list instead'),
        (torch.nn.Linear(2, 2), r'holds a torch\.nn\.modules\.linear\.Linear instead'),
    ):
        torch.save(content, tmp_path / 'c.pth')
        with pytest.raises(CheckpointError, match=message), open_checkpoint(tmp_path / 'c.pth'):
            pass


def test_checkpoints_of_other_networks_are_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign_files.use_small_sizes(monkeypatch)
    hamer = write_hamer(tmp_path / 'hamer.ckpt', monkeypatch)
    names = ['enc_blocks.0.norm1.weight', 'dec_blocks.0.norm1.weight', 'dec_blocks2.0.norm1.weight']
    dust3r = {name: torch.zeros(2) for name in [*names, 'downstream_head1.dpt.head.0.weight']}
    cut3r = write_cut3r(tmp_path / 'dust3r.pth', monkeypatch, dust3r)
    with pytest.raises(CheckpointError) as caught:
        convert(ConversionRequest(cut3r, hamer, tmp_path / 'out'), lambda _: None)
    message = str(caught.value)
    assert 'dust3r.pth is a torch checkpoint with 4 tensors that looks like DUSt3R, not CUT3R' in message
    assert 'Expected: cut3r_512_dpt_4_64.pth' in message and 'https://github.com/CUT3R/CUT3R' in message


def test_swapped_files_are_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign_files.use_small_sizes(monkeypatch)
    hamer = write_hamer(tmp_path / 'hamer.ckpt', monkeypatch)
    cut3r = write_cut3r(tmp_path / 'cut3r.pth', monkeypatch)
    with pytest.raises(CheckpointError, match=r'hamer\.ckpt is .* looks like HaMeR, not CUT3R'):
        convert(ConversionRequest(hamer, cut3r, tmp_path / 'out'), lambda _: None)


@pytest.mark.parametrize('family', KNOWN_NETWORKS, ids=lambda family: family.name)
def test_every_family_is_recognised_by_its_names(family: object) -> None:
    names = [f'{prefix}0.weight' for prefix in family.present]  # type: ignore[attr-defined]
    assert known_network(names) == family.name  # type: ignore[attr-defined]


def test_a_wrong_hand_model_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign_files.use_small_sizes(monkeypatch)
    hamer, cut3r = write_hamer(tmp_path / 'h.ckpt', monkeypatch), write_cut3r(tmp_path / 'c.pth', monkeypatch)
    mano = tmp_path / 'MANO_RIGHT.pkl'
    for content, message in (
        (b'<html>Please sign in', 'is an HTML page.*Expected: MANO_RIGHT.pkl, from https://mano'),
        (zipped('models/readme.txt'), r'holds no MANO: MANO_RIGHT\.pkl, from https://mano'),
        (b'\x80\x02}.', 'missing v_template'),
    ):
        mano.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            convert(ConversionRequest(cut3r, hamer, tmp_path / 'out', mano), lambda _: None)
        assert not (tmp_path / 'out').exists()
