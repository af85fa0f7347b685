"""Weights and hand models are looked for in one way everywhere, and ``hand3r weights`` says what is there."""

from __future__ import annotations

import sys
from pathlib import Path

import foreign_files
import numpy as np
import pytest
from foreign_files import write_cut3r, write_hamer

from hand3r_lab import cli as lab
from hand3r_ros import cli
from hand3r_ros.checkpoints.locations import find_mano, find_weights_folder, packaged_weights
from hand3r_ros.hand_model.data import ARRAY_NAMES, load_mano, load_open_hand
from hand3r_ros.hand_model.unpickling import HandModelFileError
from hand3r_ros.online.config import ReconstructorConfig
from hand3r_ros.online.factory import build_reconstructor, load_hand_model

sys.path.insert(0, str(Path(__file__).parents[1] / 'hand_model'))
import mano_files


@pytest.fixture(autouse=True)
def no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('HAND3R_WEIGHTS', raising=False)


def with_weights(folder: Path, *presets: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for preset in presets:
        (folder / f'{preset}.safetensors').touch()
    return folder


def write_mano_arrays(folder: Path) -> Path:
    """The open hand in the place of MANO: the same arrays in the same shapes."""
    hand = load_open_hand()
    np.savez(folder / 'MANO_RIGHT.npz', **{name: getattr(hand, name) for name in ARRAY_NAMES})
    return folder / 'MANO_RIGHT.npz'


def test_the_shipped_weights_are_the_last_resort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_weights_folder('tiny') == packaged_weights()
    assert packaged_weights().name == 'weights'
    mine = with_weights(tmp_path / 'mine', 'full')
    monkeypatch.setenv('HAND3R_WEIGHTS', str(mine))
    assert find_weights_folder('full') == mine
    assert find_weights_folder('tiny') == packaged_weights()
    with_weights(mine, 'tiny')
    assert find_weights_folder('tiny') == mine


def test_a_folder_that_is_named_is_the_only_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HAND3R_WEIGHTS', str(with_weights(tmp_path / 'mine', 'full', 'tiny')))
    assert find_weights_folder('tiny', tmp_path / 'other') == tmp_path / 'other'


def test_nothing_found_names_the_users_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HAND3R_WEIGHTS', str(tmp_path / 'mine'))
    assert find_weights_folder('full') == tmp_path / 'mine'


def test_a_tilde_means_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.setenv('HAND3R_WEIGHTS', '~/mine')
    assert find_weights_folder('full') == tmp_path / 'mine'


def test_the_reconstruction_looks_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'tiny.safetensors').write_bytes(b'damaged')
    monkeypatch.setenv('HAND3R_WEIGHTS', str(tmp_path))
    with pytest.raises(RuntimeError, match=rf'{tmp_path}/tiny\.safetensors is damaged'):
        build_reconstructor(ReconstructorConfig())


def test_the_commands_look_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / 'tiny.safetensors').write_bytes(b'damaged')
    monkeypatch.setenv('HAND3R_WEIGHTS', str(tmp_path))
    for verb in ('benchmark', 'evaluate'):
        assert lab.main([verb]) == 1
        assert f'{tmp_path}/tiny.safetensors is damaged' in capsys.readouterr().err
    assert lab.main(['evaluate', '--preset', 'full']) == 1
    assert f'{tmp_path}/full.safetensors does not exist' in capsys.readouterr().err


def test_a_converted_network_is_not_measured_on_another_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign_files.use_small_sizes(monkeypatch)
    cut3r, hamer = write_cut3r(tmp_path / 'c.pth', monkeypatch), write_hamer(tmp_path / 'h.ckpt', monkeypatch)
    monkeypatch.chdir(tmp_path)
    assert cli.main(['convert', '--cut3r', str(cut3r), '--hamer', str(hamer), '--out', 'my weights']) == 0
    assert f"export HAND3R_WEIGHTS='{tmp_path}/my weights'" in capsys.readouterr().out  # wherever one stands
    monkeypatch.setenv('HAND3R_WEIGHTS', str(tmp_path / 'my weights'))
    assert lab.main(['evaluate', '--preset', 'full', '--processes', '1']) == 1
    assert 'on a public data set, with --data' in capsys.readouterr().err


def test_mano_is_found_beside_the_weights_or_where_it_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(HandModelFileError, match='no MANO_RIGHT'):
        find_mano()
    monkeypatch.setenv('HAND3R_WEIGHTS', str(tmp_path))
    arrays = write_mano_arrays(tmp_path)
    assert find_mano() == arrays
    assert load_hand_model(ReconstructorConfig(hand_model='mano')).id == 'mano'
    other = tmp_path / 'other'
    other.mkdir()
    (other / 'MANO_RIGHT.pkl').touch()
    assert find_mano(other) == other / 'MANO_RIGHT.pkl'
    assert find_mano(None, other) == other / 'MANO_RIGHT.pkl'


def test_the_list_without_anything_but_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(['weights']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith('tiny: ok') for line in lines)
    assert 'full: NOT USABLE, not found' in lines and 'mano: NOT USABLE, not found' in lines
    text = '\n'.join(lines)
    for expected in ('cut3r_512_dpt_4_64.pth', 'hamer.ckpt', 'https://mano.is.tue.mpg.de', 'CC BY-NC-SA', 'convert'):
        assert expected in text
    assert lines[-1] == 'ready to run: tiny'


def test_the_list_of_an_empty_folder_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(['weights', '--weights-dir', str(tmp_path)]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == 'ready to run: nothing'


def test_the_list_after_a_conversion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign_files.use_small_sizes(monkeypatch)
    cut3r, hamer = write_cut3r(tmp_path / 'c.pth', monkeypatch), write_hamer(tmp_path / 'h.ckpt', monkeypatch)
    out = tmp_path / 'weights'
    arguments = ['convert', '--cut3r', str(cut3r), '--hamer', str(hamer), '--out', str(out)]
    assert cli.main(arguments) == 0
    assert 'put MANO_RIGHT.pkl beside the weights' in capsys.readouterr().out
    look = ['weights', '--weights-dir', str(out)]
    assert cli.main(look) == 1  # weights without their hand model do not run
    assert 'full: ok' in capsys.readouterr().out
    mano = tmp_path / 'MANO_RIGHT.pkl'
    hand = mano_files.random_hand()
    mano.write_bytes(mano_files.python2_pickle(mano_files.as_in_the_released_file(hand, monkeypatch)))
    assert cli.main([*arguments, '--mano', str(mano), '--overwrite']) == 0
    capsys.readouterr()
    assert cli.main(look) == 0
    assert capsys.readouterr().out.splitlines()[-1] == 'ready to run: full'
    data = load_mano(out)
    np.testing.assert_array_equal(data.v_template, hand['v_template'].astype(np.float32))
    assert 'must not be passed on' in (out / 'full.sources.json').read_text()


def test_damaged_and_foreign_weights_are_listed_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / 'tiny.safetensors').write_bytes(b'x')
    (tmp_path / 'MANO_RIGHT.pkl').write_bytes(b'x')
    assert cli.main(['weights', '--weights-dir', str(tmp_path)]) == 1
    text = capsys.readouterr().out
    assert 'tiny: NOT USABLE' in text and 'is damaged or no safetensors file' in text
    assert 'mano: NOT USABLE' in text and 'damaged pickle' in text
