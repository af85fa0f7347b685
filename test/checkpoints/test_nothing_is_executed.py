"""Whatever a checkpoint says, nothing of it is executed, and forged archives are refused before they cost anything."""

from __future__ import annotations

import argparse
import array
import collections
import datetime
import decimal
import fractions
import functools
import importlib
import io
import logging
import operator
import os
import pickle
import random
import re
import shutil
import struct
import subprocess
import time
import types
import uuid
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import foreign_files
import numpy as np
import pytest
import torch
from foreign_files import write_cut3r, write_hamer
from hypothesis import given, settings
from hypothesis import strategies as st

from hand3r_ros import cli
from hand3r_ros.checkpoints.containers import members
from hand3r_ros.checkpoints.errors import CheckpointError
from hand3r_ros.checkpoints.torch_checkpoint import open_checkpoint
from hand3r_ros.safe_pickle import Call, Global, Persistent, PickleProgramError, mapping_of, read_pickle

ORDINARY_TENSORS = {'weight': torch.arange(6.0).reshape(2, 3)}


class Malicious:
    """Unpickled in the ordinary way, calls a function."""

    def __init__(self, function: Callable, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple:
        return self.call


def read(path: Path) -> dict[str, Any]:
    """Opens a file and reads all of its tensors."""
    with open_checkpoint(path) as checkpoint:
        return {name: tensor.read(checkpoint.archive) for name, tensor in checkpoint.tensors.items()}


def write_archive(path: Path, program: bytes, **entries: bytes) -> Path:
    """A torch zip file with any pickle and storages."""
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('archive/data.pkl', program)
        for name, content in entries.items():
            archive.writestr(f'archive/data/{name.removeprefix("storage_")}', content)
    return path


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    return tmp_path / 'executed'


def attacks(victim: Path) -> list[Malicious]:
    code = f'open({str(victim)!r}, "w")'
    return [
        Malicious(os.system, f'touch {victim}'),
        Malicious(eval, code),
        Malicious(exec, code),
        Malicious(os.mkdir, str(victim)),
        Malicious(getattr, Path, 'unlink'),
        Malicious(torch.load, str(victim)),
        Malicious(torch.hub.load, str(victim)),
        Malicious(functools.partial, os.mkdir, str(victim)),
        Malicious(functools.reduce, os.mkdir, [str(victim), 0o777]),
        Malicious(operator.attrgetter, 'mkdir'),
        Malicious(operator.methodcaller, 'mkdir'),
        Malicious(importlib.import_module, 'this'),
        Malicious(subprocess.Popen, ['touch', str(victim)]),
        Malicious(np.load, str(victim)),
        Malicious(shutil.rmtree, str(victim)),
    ]


PLACES: dict[str, Callable[[Malicious], dict]] = {
    'beside the model': lambda attack: {'model': ORDINARY_TENSORS, 'epoch': attack},
    'in nested arguments': lambda attack: {'args': {'a': [({'b': attack},)]}, 'model': ORDINARY_TENSORS},
    'as a tensor': lambda attack: {'model': {**ORDINARY_TENSORS, 'bias': attack}},
    'as a key': lambda attack: {'model': ORDINARY_TENSORS, attack: 1},
}


@pytest.mark.parametrize('place', PLACES)
def test_calls_of_functions_are_refused_by_name_and_not_made(tmp_path: Path, victim: Path, place: str) -> None:
    for attack in attacks(victim):
        path = tmp_path / 'attack.pth'
        torch.save(PLACES[place](attack), path)
        with pytest.raises(CheckpointError, match='Nothing of it was executed') as caught:
            read(path)
        names = [getattr(part, '__name__', None) for part in (attack.call[0], *attack.call[1])]
        assert any(name in str(caught.value) for name in names if name) and str(path) in str(caught.value)
        assert not victim.exists()
    # The same file is dangerous to the ordinary reader, so this test can fail.
    torch.save(PLACES[place](Malicious(os.mkdir, str(victim))), tmp_path / 'live.pth')
    torch.load(tmp_path / 'live.pth', weights_only=False)
    assert victim.exists()


def test_the_whole_command_refuses_a_malicious_checkpoint(
    tmp_path: Path, victim: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign_files.use_small_sizes(monkeypatch)
    good, bad = tmp_path / 'good.pth', tmp_path / 'bad.ckpt'
    write_cut3r(good, monkeypatch)
    write_hamer(bad, monkeypatch, callbacks={'x': Malicious(os.system, f'touch {victim}')})
    out = tmp_path / 'weights'
    assert cli.main(['convert', '--cut3r', str(good), '--hamer', str(bad), '--out', str(out)]) == 1
    assert "names 'posix.system'" in capsys.readouterr().err
    assert not victim.exists() and not out.exists()


def test_the_whole_command_refuses_a_malicious_hand_model(
    tmp_path: Path, victim: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign_files.use_small_sizes(monkeypatch)
    cut3r, hamer = write_cut3r(tmp_path / 'c.pth', monkeypatch), write_hamer(tmp_path / 'h.ckpt', monkeypatch)
    mano = tmp_path / 'MANO_RIGHT.pkl'
    mano.write_bytes(pickle.dumps({'v_template': Malicious(os.system, f'touch {victim}')}, protocol=2))
    out = tmp_path / 'weights'
    arguments = ['convert', '--cut3r', str(cut3r), '--hamer', str(hamer), '--mano', str(mano), '--out', str(out)]
    assert cli.main(arguments) == 1
    assert 'posix.system' in capsys.readouterr().err
    assert not victim.exists() and not out.exists()


HARMLESS = {
    'a span of time': datetime.timedelta(days=1),
    'dates': [datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc), datetime.date(2026, 1, 2)],
    'a partial function': functools.partial(dict, a=1),
    'an activation': functools.partial(torch.nn.LayerNorm, eps=1e-6),
    'ordered dictionaries': collections.OrderedDict(a=collections.OrderedDict(b=1)),
    'other containers': [collections.Counter('ab'), collections.deque([1], 2), collections.ChainMap({}), {1}],
    'numpy scalars': [np.float64(1.5), np.int64(3), np.bool_(True), np.str_('x'), np.datetime64('2026-01-02')],
    'numpy types': [np.float32, np.int64, np.dtype('f4')],
    'arrays': [np.arange(3), np.ma.masked_array([1, 2], [0, 1]), array.array('d', [1.0])],
    'random states': [np.random.default_rng(0), np.random.RandomState(0), random.Random(0)],
    'numbers': [decimal.Decimal('1.5'), fractions.Fraction(1, 2), complex(1, 2), range(3), slice(1)],
    'names': [uuid.UUID(int=1), argparse.Namespace(a=1), types.SimpleNamespace(a=1), Path('/tmp/x')],
    'others': [re.compile('a+'), logging.getLogger('x'), ValueError('x'), time.gmtime(0), type(None), ...],
    'of torch': [torch.Size((1, 2)), torch.device('cpu'), torch.float32, torch.Generator().get_state()],
}


@pytest.mark.parametrize('protocol', [2, 4, 5])
@pytest.mark.parametrize('kind', HARMLESS)
def test_plain_data_of_the_standard_library_are_read_as_records(tmp_path: Path, kind: str, protocol: int) -> None:
    path = tmp_path / 'c.pth'
    torch.save({'model': ORDINARY_TENSORS, 'extra': HARMLESS[kind]}, path, pickle_protocol=protocol)
    with open_checkpoint(path) as checkpoint:
        assert checkpoint.foreign_names == () and checkpoint.tensors.keys() == {'weight'}
        assert all(type(record) in INERT for record in records(checkpoint.content['extra']))


INERT = (Call, Global, Persistent, list, tuple, dict, str, bytes, int, float, bool, type(None))


def records(value: Any) -> Iterator[Any]:
    """A record and everything in it."""
    yield value
    if isinstance(value, Call):
        parts: Iterable[Any] = (value.function, value.arguments, value.state, value.items, value.entries)
    elif isinstance(value, dict):
        parts = (*value.keys(), *value.values())
    else:
        parts = value if isinstance(value, (list, tuple)) else ()
    for part in parts:
        yield from records(part)


def test_a_record_of_a_permitted_name_is_not_made_into_an_object(
    tmp_path: Path, victim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Were anything that the file names looked up and called, it would be this.
    monkeypatch.setattr(functools, 'partial', lambda *_: victim.mkdir())
    monkeypatch.setattr(uuid, 'UUID', lambda *_: victim.mkdir())
    for module, name in ((b'functools', b'partial'), (b'uuid', b'UUID')):
        program = b'\x80\x02}(X\x05\x00\x00\x00modelc' + module + b'\n' + name + b'\nK\x01\x85RX\x01\x00\x00\x00e'
        program += b'c' + module + b'\n' + name + b'\n)\x81}bu.'
        with pytest.raises(CheckpointError, match='without parameters'):
            read(write_archive(tmp_path / 'c.pth', program))
        assert not victim.exists()
    pickle.loads(b'cfunctools\npartial\n(K\x01tR.')  # noqa: S301
    assert victim.exists()


@pytest.mark.parametrize('protocol', [0, 1, 2, 4])
def test_parameters_in_any_kind_of_dictionary_are_found(tmp_path: Path, protocol: int) -> None:
    class Pickler(pickle.Pickler):
        def persistent_id(self, value: Any) -> Any:
            return ('storage', torch.FloatStorage, '0', 'cpu', 2) if isinstance(value, StoragePlace) else None

    for kind in (dict, collections.OrderedDict, OwnDict):
        buffer = io.BytesIO()
        Pickler(buffer, protocol=max(protocol, 1)).dump(kind(state_dict=kind(weight=TensorPlace(), epoch=1)))
        path = write_archive(tmp_path / 'c.pth', buffer.getvalue(), storage_0=struct.pack('<2f', 1.5, 2.5))
        assert read(path)['weight'].tolist() == [1.5, 2.5], kind


def test_ordered_dictionaries_of_python_2_are_read() -> None:
    assert mapping_of(read_pickle(b"ccollections\nOrderedDict\n((l(lS'a'\naI1\naatR.")) == {'a': 1}
    assert mapping_of(read_pickle(b'ccollections\nOrderedDict\n((l(lI1\naatR.')) is None
    assert mapping_of(read_pickle(b'ccollections\nOrderedDict\n(tR.')) == {}


class OwnDict(dict):
    """As training codes have them, for settings and for parameters."""


class StoragePlace:
    """Stands for the storage of a tensor."""


class TensorPlace:
    """A tensor of two numbers."""

    def __reduce__(self) -> tuple:
        return torch._utils._rebuild_tensor_v2, (StoragePlace(), 0, (2,), (1,), False, None)


def test_setstate_of_an_allowed_class_is_not_run(tmp_path: Path, victim: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def attack(self: Any, state: Any) -> None:
        victim.mkdir()

    evil = foreign_files.stand_in(monkeypatch, 'omegaconf.evil', 'Evil')
    evil.__setstate__ = attack  # type: ignore[attr-defined]
    evil.__getstate__ = lambda self: {'x': 1}  # type: ignore[attr-defined]
    torch.save({'model': ORDINARY_TENSORS, 'args': evil()}, tmp_path / 'c.pth')
    assert read(tmp_path / 'c.pth').keys() == {'weight'}  # the class is importable here, and still not used
    assert not victim.exists()
    torch.load(tmp_path / 'c.pth', weights_only=False)
    assert victim.exists()


def test_names_of_unknown_packages_are_ignored_and_reported(
    tmp_path: Path, victim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = foreign_files.stand_in(monkeypatch, 'my_training.tools', 'Helper')
    helper.__reduce__ = lambda self: (helper, (str(victim),))  # type: ignore[method-assign, assignment]
    monkeypatch.setattr(helper, '__init__', lambda _, *paths: Path(*paths).mkdir() if paths else None)
    torch.save({'model': ORDINARY_TENSORS, 'extra': helper()}, tmp_path / 'c.pth')
    with open_checkpoint(tmp_path / 'c.pth') as checkpoint:
        assert checkpoint.foreign_names == ('my_training.tools.Helper',)
    assert not victim.exists()
    torch.load(tmp_path / 'c.pth', weights_only=False)
    assert victim.exists()


def test_an_attack_in_the_key_of_a_storage_is_refused(tmp_path: Path, victim: Path) -> None:
    class Pickler(pickle.Pickler):
        def persistent_id(self, value: Any) -> Any:
            return ('storage', torch.FloatStorage, Malicious(os.mkdir, str(victim)), 'cpu', 1) if value == 7 else None

    buffer = io.BytesIO()
    Pickler(buffer, protocol=2).dump({'model': {'weight': 7}})
    with pytest.raises(CheckpointError, match='mkdir'):
        read(write_archive(tmp_path / 'c.pth', buffer.getvalue()))
    assert not victim.exists()


def tensor_program(key: str = '0', offset: int = 0, shape: tuple = (2,), strides: tuple = (1,)) -> bytes:
    """A pickle of one float32 tensor with any geometry."""

    class Storage:
        pass

    class Tensor:
        def __reduce__(self) -> tuple:
            return torch._utils._rebuild_tensor_v2, (Storage(), offset, shape, strides, False, None)

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: Any) -> Any:
            return ('storage', torch.FloatStorage, key, 'cpu', 2) if isinstance(value, Storage) else None

    buffer = io.BytesIO()
    Pickler(buffer, protocol=2).dump({'model': {'weight': Tensor()}})
    return buffer.getvalue()


def test_a_written_archive_is_read(tmp_path: Path) -> None:
    path = write_archive(tmp_path / 'c.pth', tensor_program(), storage_0=struct.pack('<2f', 1.5, 2.5))
    assert read(path)['weight'].tolist() == [1.5, 2.5]


@pytest.mark.parametrize(
    ('geometry', 'message'),
    [
        ({'offset': 1}, 'reaches beyond its storage'),
        ({'shape': (2**40,)}, 'reaches beyond its storage'),
        ({'shape': (2, 2), 'strides': (2**30, 1)}, 'reaches beyond its storage'),
        ({'offset': -1}, 'impossible shape'),
        ({'shape': (-2,)}, 'impossible shape'),
        ({'shape': (2, 1)}, 'impossible shape'),
        ({'shape': (2**50,), 'strides': (0,)}, 'impossible shape'),
        ({'shape': (True,)}, 'impossible shape'),
        ({'key': '../../etc/passwd'}, 'lacks the storage'),
        ({'key': '7'}, 'lacks the storage'),
    ],
)
def test_tensors_stay_inside_their_storage(tmp_path: Path, geometry: dict, message: str) -> None:
    path = write_archive(tmp_path / 'c.pth', tensor_program(**geometry), storage_0=bytes(8))
    with pytest.raises(CheckpointError, match=message):
        read(path)


@pytest.mark.parametrize('name', ['../evil', '/etc/evil', 'archive/../../evil', 'archive\\..\\evil', 'C:/evil'])
def test_entries_that_point_out_of_the_file_are_refused(tmp_path: Path, name: str) -> None:
    path = write_archive(tmp_path / 'c.pth', tensor_program(), storage_0=bytes(8))
    with zipfile.ZipFile(path, 'a') as archive:
        archive.writestr(zipfile.ZipInfo(name), b'x')
    with pytest.raises(CheckpointError, match='points out of it: refused'):
        read(path)
    assert list(tmp_path.iterdir()) == [path]


def test_compressed_entries_are_refused_without_inflating_them(tmp_path: Path) -> None:
    path = tmp_path / 'bomb.pth'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('archive/data.pkl', tensor_program())
        archive.writestr('archive/data/0', bytes(64 * 2**20))
    assert path.stat().st_size < 2**20
    with pytest.raises(CheckpointError, match='compressed or encrypted'):
        read(path)


def forged_directory(path: Path, name: bytes, **changes: int) -> None:
    """Changes fields of an entry of the zip directory: 'crc' or 'size'."""
    content = bytearray(path.read_bytes())
    start = content.rfind(b'PK\x01\x02', 0, content.rfind(name))
    if 'crc' in changes:
        struct.pack_into('<L', content, start + 16, changes['crc'])
    if 'size' in changes:
        struct.pack_into('<2L', content, start + 20, changes['size'], changes['size'])
    path.write_bytes(content)


@pytest.mark.parametrize('entry', [b'archive/data.pkl', b'archive/data/0'])
def test_sizes_that_the_file_does_not_have_are_refused(tmp_path: Path, entry: bytes) -> None:
    path = write_archive(tmp_path / 'c.pth', tensor_program(), storage_0=bytes(8))
    forged_directory(path, entry, size=2**32 - 2)
    with pytest.raises(CheckpointError, match=r'claims 4294967294 bytes|damaged zip'):
        read(path)


def test_a_directory_that_claims_to_lie_behind_its_place_is_refused(tmp_path: Path) -> None:
    path = write_archive(tmp_path / 'c.pth', tensor_program(), storage_0=bytes(8))
    content = bytearray(path.read_bytes())
    (offset,) = struct.unpack_from('<I', content, len(content) - 6)
    struct.pack_into('<I', content, len(content) - 6, offset + 256)
    path.write_bytes(content)
    for look in (read, lambda path: list(members(path))):
        with pytest.raises(CheckpointError, match=r'c\.pth.*(damaged|download)'):
            look(path)


def test_a_directory_of_impossible_size_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = write_archive(tmp_path / 'c.pth', tensor_program(), storage_0=bytes(8))
    content = bytearray(path.read_bytes())
    struct.pack_into('<L', content, content.rfind(b'PK\x05\x06') + 12, 2**31)
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match='zip directory claims 2147483648 bytes'):
        read(path)


def test_damage_of_the_numbers_is_noticed(tmp_path: Path) -> None:
    numbers = struct.pack('<2f', 1.5, 2.5)
    path = write_archive(tmp_path / 'c.pth', tensor_program(shape=(1,)), storage_0=numbers)
    assert read(path)['weight'].tolist() == [1.5]
    path.write_bytes(path.read_bytes().replace(numbers, numbers[:-1] + b'\x00'))
    with pytest.raises(CheckpointError, match="checksum of the storage '0'"):
        read(path)
    whole = write_archive(tmp_path / 'w.pth', tensor_program(), storage_0=numbers)
    forged_directory(whole, b'archive/data/0', crc=zlib.crc32(b'other'))
    with pytest.raises(CheckpointError, match="checksum of the storage '0'"):
        read(whole)


def test_two_entries_of_one_name_are_refused(tmp_path: Path) -> None:
    path = write_archive(tmp_path / 'c.pth', tensor_program(), storage_0=bytes(8))
    with zipfile.ZipFile(path, 'a') as archive, pytest.warns(UserWarning, match='Duplicate'):
        archive.writestr('archive/data/0', bytes(8))
    with pytest.raises(CheckpointError, match='two entries'):
        read(path)


@pytest.mark.parametrize('protocol', range(6))
def test_plain_data_survive_every_protocol(protocol: int) -> None:
    value = {'a': [1, -2.5, 'text', (1, 2, 3, 4), (), None, True, 2**100], 5: {'b': {}}}
    assert read_pickle(pickle.dumps(value, protocol=protocol)) == value


def test_objects_become_records() -> None:
    record = read_pickle(pickle.dumps(Malicious(os.mkdir, 'x'), protocol=2))
    assert isinstance(record, Call) and isinstance(record.function, Global)
    assert (record.function.name, record.arguments) == ('mkdir', ('x',))


_BUILD = b'}X\x07\x00\x00\x00alteredK\x01sb.'


@pytest.mark.parametrize(
    ('program', 'message'),
    [
        (b'cos\nsystem\n' + _BUILD, 'tries to alter os.system'),
        (b']' + _BUILD, 'tries to alter a list'),
        (b'\x82\x01.', 'EXT1 is refused'),
        (b'cos\nsystem\n]R.', 'arguments that are not a tuple'),
        (b'}((K\x01tK\x02t\x85K\x03s.', 'key made of'),
        (b'}]K\x01s.', 'key made of a list'),
        (b'K\x01K\x02.', 'left at its end'),
        (b'(.', 'a mark in place of a value'),
        (b'h\x05.', 'damaged pickle'),
        (b'', 'damaged pickle'),
    ],
)
def test_programs_that_would_alter_or_exhaust_the_reader_are_refused(program: bytes, message: str) -> None:
    with pytest.raises(PickleProgramError, match=message):
        read_pickle(program)


def test_deep_nesting_does_not_exhaust_the_stack(tmp_path: Path) -> None:
    deep = b'(' * 200_000 + b't' * 200_000 + b'.'
    read_pickle(deep)
    parameter = b'ctorch._utils\n_rebuild_parameter\n('
    program = (
        b'\x80\x02}X\x05\x00\x00\x00model}X\x01\x00\x00\x00w' + parameter * 50_000 + b'N' + b'tR' * 50_000 + b'ss.'
    )
    with pytest.raises(CheckpointError, match='without parameters'):
        read(write_archive(tmp_path / 'c.pth', program))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_files_raise_only_the_documented_error(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp('damaged')
    whole = write_archive(folder / 'whole.pth', tensor_program(), storage_0=bytes(8)).read_bytes()
    damaged = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 4)) if damaged else 0):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = folder / 'c.pth'
    path.write_bytes(damaged)
    try:
        read(path)
    except CheckpointError as error:
        assert str(path) in str(error)
