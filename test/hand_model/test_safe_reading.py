"""MANO files are read exactly, and nothing inside a file is ever executed."""

from __future__ import annotations

import collections
import datetime
import io
import os
import pickle
from pathlib import Path

import mano_files
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hand3r_ros.hand_model.data import (
    ARRAY_NAMES,
    HandModelMismatchError,
    hand_model_from_arrays,
    load_mano,
    load_open_hand,
    require_same_hand_model,
)
from hand3r_ros.hand_model.sides import HandSide, template_side
from hand3r_ros.hand_model.unpickling import HandModelFileError, load_mano_pickle


@pytest.fixture(scope='module')
def hand() -> dict:
    return mano_files.random_hand()


def write(folder: Path, content: bytes) -> Path:
    path = folder / 'MANO_RIGHT.pkl'
    path.write_bytes(content)
    return path


def assert_same(data: object, hand: dict) -> None:
    for name in ARRAY_NAMES:
        np.testing.assert_array_equal(getattr(data, name), hand[name].astype(getattr(data, name).dtype), err_msg=name)


def test_reads_the_layout_of_the_released_file(hand: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = mano_files.python2_pickle(mano_files.as_in_the_released_file(hand, monkeypatch))
    assert b'cchumpy.reordering\nSelect' in content and b'cscipy.sparse.csc\n' in content
    monkeypatch.undo()
    data = load_mano(write(tmp_path, content))
    assert data.id == 'mano'
    assert_same(data, hand)


@pytest.mark.parametrize('protocol', [0, 1, 2, 3, 4, 5])
def test_reads_pickle_protocols(hand: dict, tmp_path: Path, protocol: int) -> None:
    assert_same(load_mano(write(tmp_path, pickle.dumps(hand, protocol=protocol))), hand)


def test_reads_sparse_regressors_of_the_installed_scipy(hand: dict, tmp_path: Path) -> None:
    from scipy import sparse

    content = {**hand, 'J_regressor': sparse.csc_matrix(hand['J_regressor'])}
    assert_same(load_mano(write(tmp_path, pickle.dumps(content, protocol=2))), hand)


def test_reads_files_that_others_saved_again(hand: dict, tmp_path: Path) -> None:
    from scipy import sparse

    for protocol in (2, 4, 5):
        again = collections.OrderedDict(
            hand,
            J_regressor=sparse.csr_matrix(hand['J_regressor']),
            v_template=np.asfortranarray(hand['v_template']),
            scale=np.float64(1.0),
            saved=datetime.date(2026, 1, 2),
        )
        assert_same(load_mano(write(tmp_path, pickle.dumps(again, protocol=protocol))), hand)


def test_arrays_that_contain_themselves_are_refused(tmp_path: Path) -> None:
    # {'v_template': Ch whose x is itself}
    program = b"}(S'v_template'\nc__builtin__\nobject\n0cchumpy.ch\nCh\n)\x81q\x01}S'x'\nh\x01sbu."
    with pytest.raises(HandModelFileError, match='contain themselves'):
        load_mano(write(tmp_path, program))


def test_reads_column_major_and_big_endian_arrays(hand: dict, tmp_path: Path) -> None:
    content = {**hand, 'v_template': np.asfortranarray(hand['v_template']), 'weights': hand['weights'].astype('>f8')}
    assert_same(load_mano(write(tmp_path, pickle.dumps(content, protocol=2))), hand)


def test_finds_the_file_in_a_folder_and_reads_npz(hand: dict, tmp_path: Path) -> None:
    np.savez(tmp_path / 'MANO_RIGHT.npz', **{name: hand[name] for name in ARRAY_NAMES})
    assert_same(load_mano(tmp_path), hand)


class Malicious:
    """Unpickled naively, calls a function."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple:
        return self.call


def test_never_executes_code_from_a_file(hand: dict, tmp_path: Path) -> None:
    victim = tmp_path / 'executed'
    attacks = [
        Malicious(os.system, f'touch {victim}'),
        Malicious(eval, f'open({str(victim)!r}, "w")'),
        Malicious(exec, f'open({str(victim)!r}, "w")'),
        Malicious(os.mkdir, str(victim)),
        Malicious(__import__, 'this'),
        Malicious(np.load, str(victim)),
    ]
    for attack in attacks:
        for protocol in (0, 2, 4):
            content = pickle.dumps({**hand, 'v_template': attack}, protocol=protocol)
            with pytest.raises(HandModelFileError, match='refused to load the global') as caught:
                load_mano(write(tmp_path, content))
            function = attack.call[0]
            assert function.__name__ in str(caught.value)  # type: ignore[attr-defined]
            assert not victim.exists()
    # The same bytes are dangerous to the ordinary unpickler, so the test can fail.
    pickle.loads(pickle.dumps(Malicious(os.mkdir, str(victim))))  # noqa: S301
    assert victim.exists()


_SET_ATTRIBUTE = b'N}X\x07\x00\x00\x00alteredK\x01s\x86b.'  # BUILD with the slot state {'altered': 1}


@pytest.mark.parametrize(
    ('program', 'message'),
    [
        (b'c_codecs\nencode\n' + _SET_ATTRIBUTE, 'tries to alter _codecs.encode'),
        (b'ccopy_reg\n_reconstructor\n' + _SET_ATTRIBUTE, 'tries to alter copy_reg._reconstructor'),
        (b'cnumpy\nndarray\n' + _SET_ATTRIBUTE, 'tries to alter numpy.ndarray'),
        (b'c__builtin__\nset\n' + _SET_ATTRIBUTE, 'tries to alter __builtin__.set'),
        (
            b'ccopy_reg\n_reconstructor\n(c__builtin__\nset\nc__builtin__\nobject\nNtR.',
            'holds a copy_reg._reconstructor',
        ),
        (b'Pexternal\n.', 'holds a Persistent'),
        (b'\x82\x01.', 'EXT1 is refused'),
    ],
)
def test_a_file_cannot_alter_the_reader(program: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(HandModelFileError, match=message):
        load_mano(write(tmp_path, program))


def test_object_arrays_are_refused(hand: dict, tmp_path: Path) -> None:
    content = {**hand, 'hands_mean': np.array([None] * 45, dtype=object)}
    with pytest.raises(HandModelFileError, match="elements of type 'O8'"):
        load_mano(write(tmp_path, pickle.dumps(content, protocol=2)))
    np.savez(tmp_path / 'objects.npz', **{**{name: hand[name] for name in ARRAY_NAMES}, 'f': content['hands_mean']})
    with pytest.raises(HandModelFileError, match=r'cannot be read as \.npz'):
        load_mano(tmp_path / 'objects.npz')


def test_a_huge_memo_index_takes_no_memory(tmp_path: Path) -> None:
    with pytest.raises(HandModelFileError, match='missing v_template'):
        load_mano(write(tmp_path, b'}r\xff\xff\xff\x7f.'))


@pytest.fixture(scope='module')
def small_pickle() -> bytes:
    return mano_files.python2_pickle({'v_template': np.arange(6.0).reshape(2, 3), 'weights': np.eye(2)})


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_damaged_files_raise_only_the_documented_error(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory, small_pickle: bytes
) -> None:
    damaged = bytearray(small_pickle[: data.draw(st.integers(0, len(small_pickle)))])
    for _ in range(data.draw(st.integers(0, 4)) if damaged else 0):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = write(tmp_path_factory.mktemp('damaged'), bytes(damaged))
    try:
        load_mano_pickle(path, ARRAY_NAMES)
    except HandModelFileError as error:
        assert str(path) in str(error)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_npz_files_raise_only_the_documented_error(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    buffer = io.BytesIO()
    data.draw(st.sampled_from([np.savez, np.savez_compressed]))(buffer, v_template=np.zeros((2, 3)), f=np.zeros(3))
    whole = buffer.getvalue()
    damaged = bytearray(whole[: data.draw(st.one_of(st.just(len(whole)), st.integers(0, len(whole))))])
    for _ in range(data.draw(st.integers(0, 4)) if damaged else 0):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp('damaged') / 'MANO_RIGHT.npz'
    path.write_bytes(damaged)
    with pytest.raises(HandModelFileError) as caught:
        load_mano(path)
    assert str(path) in str(caught.value)


def test_truncated_files_are_refused(hand: dict, tmp_path: Path) -> None:
    content = mano_files.python2_pickle(hand)
    for length in (0, 1, 100, len(content) // 2, len(content) - 1):
        with pytest.raises(HandModelFileError, match='damaged pickle'):
            load_mano(write(tmp_path, content[:length]))


def test_other_files_are_refused_with_the_reason(hand: dict, tmp_path: Path) -> None:
    with pytest.raises(HandModelFileError, match='no such file'):
        load_mano(tmp_path / 'absent.pkl')
    with pytest.raises(HandModelFileError, match=r'neither MANO_RIGHT\.pkl nor'):
        load_mano(tmp_path)
    (tmp_path / 'model.txt').write_text('hand')
    with pytest.raises(HandModelFileError, match=r'\.pkl or \.npz'):
        load_mano(tmp_path / 'model.txt')
    with pytest.raises(HandModelFileError, match='holds a list'):
        load_mano(write(tmp_path, pickle.dumps([1, 2])))
    with pytest.raises(HandModelFileError, match='missing posedirs'):
        load_mano(write(tmp_path, pickle.dumps({name: hand[name] for name in ARRAY_NAMES if name != 'posedirs'})))
    with pytest.raises(HandModelFileError, match=r'weights must have shape \(778, 16\), got \(778, 15\)'):
        load_mano(write(tmp_path, pickle.dumps({**hand, 'weights': hand['weights'][:, :15]})))
    with pytest.raises(HandModelFileError, match='v_template holds values that are not finite'):
        load_mano(write(tmp_path, pickle.dumps({**hand, 'v_template': hand['v_template'] * np.nan})))
    with pytest.raises(HandModelFileError, match='f must hold vertex indices'):
        load_mano(write(tmp_path, pickle.dumps({**hand, 'f': hand['f'] + 1})))
    with pytest.raises(HandModelFileError, match='parents'):
        load_mano(write(tmp_path, pickle.dumps({**hand, 'kintree_table': hand['kintree_table'][:, ::-1].copy()})))


def test_more_betas_than_ten_are_cut_off(hand: dict) -> None:
    wide = {**hand, 'shapedirs': np.concatenate([hand['shapedirs'], hand['shapedirs']], axis=2)}
    np.testing.assert_array_equal(
        hand_model_from_arrays('mano', wide, 'test').shapedirs, hand['shapedirs'].astype('f4')
    )


def test_model_data_cannot_be_changed_by_its_users() -> None:
    with pytest.raises(ValueError, match='read-only'):
        load_open_hand().v_template[0, 0] = 1.0


def test_mixing_hand_models_is_refused() -> None:
    require_same_hand_model('mano', 'mano', 'tiny.safetensors')
    with pytest.raises(HandModelMismatchError, match=r"tiny\.safetensors was made with the hand model 'open_hand'"):
        require_same_hand_model('mano', 'open_hand', 'tiny.safetensors')


def test_a_left_hand_is_refused_whatever_its_name(tmp_path: Path) -> None:
    right = {name: getattr(load_open_hand(), name) for name in ARRAY_NAMES}
    mirror = np.array([-1.0, 1.0, 1.0])
    left = {**right, 'v_template': right['v_template'] * mirror, 'f': right['f'][:, ::-1]}
    load_mano(write(tmp_path, pickle.dumps(right)))
    path = write(tmp_path, pickle.dumps(left))
    with pytest.raises(HandModelFileError, match=r'a left hand .*MANO_RIGHT\.pkl from the same archive is needed'):
        load_mano(path)
    np.savez(tmp_path / 'MANO_RIGHT.npz', **left)
    with pytest.raises(HandModelFileError, match='a left hand'):
        load_mano(tmp_path / 'MANO_RIGHT.npz')
    load_mano(path, HandSide.LEFT)
    with pytest.raises(HandModelFileError, match=r'a right hand .*where MANO_LEFT\.pkl'):
        load_mano(write(tmp_path, pickle.dumps(right)), HandSide.LEFT)


def test_the_side_of_the_published_templates_is_told() -> None:
    # Wrist, knuckles and thumb of MANO's right hand at rest, in centimetres, roughly; its left hand is mirrored in x.
    joints = np.zeros((16, 3))
    joints[[0, 1, 4, 7, 10]] = [(9.6, 0.6, 0.6), (0.8, 0.1, 2.7), (0.1, 0.5, 0.3), (2.7, -0.4, -3.7), (1.4, 0.2, -2.0)]
    joints[[13, 14, 15]] = [(7.1, -0.9, 3.2), (5.1, -0.9, 5.3), (3.1, -1.2, 6.9)]
    assert template_side(joints) == HandSide.RIGHT
    assert template_side(joints * [-1, 1, 1]) == HandSide.LEFT
    assert template_side(joints * [1, 0, 0]) is None  # a line has no sides
    assert template_side(load_open_hand().J_regressor @ load_open_hand().v_template) == HandSide.RIGHT


def test_the_folder_of_the_unpacked_archive_will_do(hand: dict, tmp_path: Path) -> None:
    models = tmp_path / 'mano_v1_2' / 'models'
    models.mkdir(parents=True)
    write(models, pickle.dumps(hand))
    for folder in (models, models.parent, tmp_path):
        assert_same(load_mano(folder), hand)


def test_mean_parameters_are_not_taken_for_the_hand_model(tmp_path: Path) -> None:
    path = tmp_path / 'mano_mean_params.npz'
    np.savez(path, pose=np.zeros(96, 'f4'), shape=np.zeros(10, 'f4'), cam=np.zeros(3, 'f4'))
    with pytest.raises(HandModelFileError, match=r"mano_mean_params\.npz: HaMeR's mean parameters.*MANO_RIGHT\.pkl"):
        load_mano(path)
