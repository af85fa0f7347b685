"""Files in the layouts of the published checkpoints become weights that load, and nothing that does not fit passes."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import foreign_files
import pytest
import torch
from foreign_files import SMALL, write_cut3r, write_hamer
from safetensors.torch import load_file

from hand3r_ros import cli
from hand3r_ros.checkpoints.conversion import ConversionRequest, convert
from hand3r_ros.checkpoints.errors import CheckpointError, MisfitError
from hand3r_ros.network.checkpoints import load_network
from hand3r_ros.network.hand.key_map import rename_checkpoint as rename_hand
from hand3r_ros.network.scene.key_map import rename_checkpoint as rename_scene


@pytest.fixture(autouse=True)
def small_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    foreign_files.use_small_sizes(monkeypatch)


@pytest.fixture
def cut3r(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return write_cut3r(tmp_path / 'cut3r_512_dpt_4_64.pth', monkeypatch)


@pytest.fixture
def hamer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return write_hamer(tmp_path / 'hamer.ckpt', monkeypatch)


def converted(tmp_path: Path, cut3r: Path, hamer: Path, **options: object) -> Path:
    request = ConversionRequest(cut3r, hamer, tmp_path / 'weights', **options)  # type: ignore[arg-type]
    return convert(request, lambda _: None).weights


def test_the_files_need_the_packages_of_their_settings_for_an_ordinary_load(cut3r: Path, hamer: Path) -> None:
    # So these tests are about the layout that makes the published files hard to read.
    assert 'omegaconf' not in sys.modules and 'yacs' not in sys.modules
    for path in (cut3r, hamer):
        with pytest.raises(Exception, match=r'omegaconf|yacs|CfgNode'):
            torch.load(path, weights_only=True)


def test_every_parameter_arrives_unchanged(tmp_path: Path, cut3r: Path, hamer: Path) -> None:
    tensors = load_file(converted(tmp_path, cut3r, hamer))
    scene = rename_scene(foreign_files.random_tensors(foreign_files.scene_layout(SMALL), 1), SMALL.scene)
    hand = rename_hand(foreign_files.random_tensors(foreign_files.hand_layout(SMALL), 2), SMALL.hand)
    expected = {f'scene.{name}': tensor for name, tensor in scene.items()}
    expected |= {f'hand.{name}': tensor for name, tensor in hand.items()}
    assert tensors.keys() == expected.keys()
    assert all(torch.equal(tensors[name], expected[name]) for name in expected)
    network, info = load_network(tmp_path / 'weights', 'full')
    assert info.hand_model == 'mano' and network.config == foreign_files.without_fusion(SMALL)
    assert torch.equal(network.scene.state_tokens, expected['scene.state_tokens'])
    assert not any(name.startswith('.') for name in (path.name for path in (tmp_path / 'weights').iterdir()))


def test_the_record_names_sources_digests_and_licences(tmp_path: Path, cut3r: Path, hamer: Path) -> None:
    weights = converted(tmp_path, cut3r, hamer)
    record = json.loads((tmp_path / 'weights' / 'full.sources.json').read_text())
    assert record['weights']['sha256'] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert record['weights']['bytes'] == weights.stat().st_size
    source = record['sources']['cut3r']
    assert source['sha256'] == hashlib.sha256(cut3r.read_bytes()).hexdigest()
    assert (source['bytes'], source['file']) == (cut3r.stat().st_size, cut3r.name)
    assert 'CC BY-NC-SA' in source['licence'] and source['is_the_known_release'] is False
    assert 'discriminator.D_conv1.bias' in record['sources']['hamer']['tensors_ignored']
    assert 'must not be passed on' in record['note'] and record['warnings'] == []


def test_weights_are_replaced_only_when_told_to(tmp_path: Path, cut3r: Path, hamer: Path) -> None:
    weights = converted(tmp_path, cut3r, hamer)
    weights.write_bytes(b'mine')
    with pytest.raises(FileExistsError, match='--overwrite'):
        converted(tmp_path, cut3r, hamer)
    assert weights.read_bytes() == b'mine'
    converted(tmp_path, cut3r, hamer, overwrite=True)
    load_network(tmp_path / 'weights', 'full')


@pytest.mark.parametrize('prefix', ['module.', 'model.', '_orig_mod.', 'module._orig_mod.', 'model._orig_mod.module.'])
def test_names_of_wrapped_networks_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    scene, hand = foreign_files.scene_tensors(), foreign_files.hand_tensors()
    wrapped = [{prefix + name: tensor for name, tensor in tensors.items()} for tensors in (scene, hand)]
    cut3r, hamer = tmp_path / 'c.pth', tmp_path / 'h.ckpt'
    converted(tmp_path, write_cut3r(cut3r, monkeypatch, wrapped[0]), write_hamer(hamer, monkeypatch, wrapped[1]))
    assert_converted(tmp_path, scene, hand)


def test_names_of_wrapped_parts_are_read(tmp_path: Path, cut3r: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Only the backbone was compiled, and the training class held a discriminator of its own.
    hand = foreign_files.hand_tensors()
    wrapped = {f'model.{name.replace("backbone.", "backbone._orig_mod.")}': tensor for name, tensor in hand.items()} | {
        'discriminator.new_layer.weight': torch.zeros(3)
    }
    converted(tmp_path, cut3r, write_hamer(tmp_path / 'h.ckpt', monkeypatch, wrapped))
    assert_converted(tmp_path, foreign_files.scene_tensors(), hand)


def test_a_name_that_is_there_twice_is_not_guessed(
    tmp_path: Path, cut3r: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand = foreign_files.hand_tensors()
    name = 'backbone.last_norm.weight'
    once = hand | {f'model.{name}': hand[name] + 1}
    with pytest.raises(MisfitError, match=r'1 unexpected \(model\.backbone\.last_norm\.weight\)'):
        converted(tmp_path, cut3r, write_hamer(tmp_path / 'h.ckpt', monkeypatch, once))


def assert_converted(tmp_path: Path, scene: dict[str, torch.Tensor], hand: dict[str, torch.Tensor]) -> None:
    tensors = load_file(tmp_path / 'weights' / 'full.safetensors')
    expected = {f'scene.{name}': tensor for name, tensor in rename_scene(scene, SMALL.scene).items()}
    expected |= {f'hand.{name}': tensor for name, tensor in rename_hand(hand, SMALL.hand).items()}
    assert tensors.keys() == expected.keys()
    assert all(torch.equal(tensors[name], expected[name]) for name in expected)


def test_views_parameters_and_other_precisions_are_read(
    tmp_path: Path, hamer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors = foreign_files.scene_tensors()
    whole = torch.randn(3, *tensors['pose_token'].shape)
    changes = {
        'pose_token': whole[1],  # a part of a storage
        'enc_norm.weight': torch.nn.Parameter(tensors['enc_norm.weight']),
        'decoder_embed.weight': tensors['decoder_embed.weight'].T.contiguous().T,  # column-major
        'enc_norm.bias': tensors['enc_norm.bias'].double(),
        'dec_norm.bias': tensors['dec_norm.bias'].bfloat16(),
        'dec_norm.weight': tensors['dec_norm.weight'].half(),
    }
    converted(tmp_path, write_cut3r(tmp_path / 'c.pth', monkeypatch, tensors | changes), hamer)
    network, _ = load_network(tmp_path / 'weights', 'full')
    renamed = rename_scene(tensors | changes, SMALL.scene)
    for name, tensor in network.scene.state_dict().items():
        assert torch.equal(tensor, renamed[name].float()), name


def test_a_tied_tensor_may_be_stored_once_but_not_differ(
    tmp_path: Path, hamer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors = foreign_files.scene_tensors()
    first = 'downstream_head.dpt_self.scratch.layer1_rn.weight'
    second = 'downstream_head.dpt_self.scratch.layer_rn.0.weight'
    once = {name: tensor for name, tensor in tensors.items() if name != first}
    converted(tmp_path, write_cut3r(tmp_path / 'c.pth', monkeypatch, once), hamer)
    same = tensors | {second: tensors[first].clone()}
    converted(tmp_path, write_cut3r(tmp_path / 'c.pth', monkeypatch, same), hamer, overwrite=True)
    different = tensors | {second: tensors[first] + 1}
    with pytest.raises(CheckpointError, match='differs from the tensor it should be tied to'):
        converted(tmp_path, write_cut3r(tmp_path / 'c.pth', monkeypatch, different), hamer, overwrite=True)


def test_every_tensor_that_does_not_fit_is_listed(
    tmp_path: Path, cut3r: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tensors = foreign_files.hand_tensors()
    gone = [name for name in tensors if name.startswith('backbone.blocks.1.mlp')]
    for name in gone:
        del tensors[name]
    tensors['mano_head.decpose.bias'] = torch.zeros(4)
    tensors['mano_head.deccam.bias'] = torch.zeros(3, dtype=torch.int32)
    tensors['ema.unheard_of'] = torch.zeros(1)
    hamer = write_hamer(tmp_path / 'hamer.ckpt', monkeypatch, tensors)
    with pytest.raises(MisfitError) as caught:
        converted(tmp_path, cut3r, hamer, allow_unexpected=True)
    message = str(caught.value)
    assert '4 missing (backbone.blocks.1.mlp.fc1.bias' in message
    assert '2 of another shape (mano_head.deccam.bias int32 instead of float32, ' in message
    assert 'mano_head.decpose.bias [4] instead of [96]' in message
    assert '1 unexpected (ema.unheard_of)' in message
    assert len(caught.value.problems) == 7
    assert not (tmp_path / 'weights').exists()
    arguments = ['convert', '--cut3r', str(cut3r), '--hamer', str(hamer), '--out', str(tmp_path / 'weights')]
    assert cli.main(arguments) == 1
    assert '--verbose lists all 7 tensors' in capsys.readouterr().err
    assert cli.main([*arguments, '--verbose']) == 1
    errors = capsys.readouterr().err
    assert all(name in errors for name in gone)


def test_unknown_tensors_are_left_out_only_when_told_to(
    tmp_path: Path, cut3r: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors = foreign_files.hand_tensors() | {'ema.unheard_of': torch.zeros(1)}
    hamer = write_hamer(tmp_path / 'hamer.ckpt', monkeypatch, tensors)
    with pytest.raises(MisfitError, match=r'1 unexpected \(ema\.unheard_of\).*--allow-unexpected'):
        converted(tmp_path, cut3r, hamer)
    converted(tmp_path, cut3r, hamer, allow_unexpected=True)
    record = json.loads((tmp_path / 'weights' / 'full.sources.json').read_text())
    assert 'ema.unheard_of' in record['warnings'][0]


@pytest.mark.parametrize('value', [torch.nan, torch.inf])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_numbers_that_are_not_finite_are_refused_and_leave_no_file(
    tmp_path: Path, hamer: Path, monkeypatch: pytest.MonkeyPatch, value: float, dtype: torch.dtype
) -> None:
    tensors = foreign_files.scene_tensors()
    tensors['dec_norm.bias'] = tensors['dec_norm.bias'].to(dtype).index_fill(0, torch.tensor([3]), value)
    cut3r = write_cut3r(tmp_path / 'c.pth', monkeypatch, tensors)
    with pytest.raises(CheckpointError, match=r'decoder\.image_norm\.bias holds values that are not finite'):
        converted(tmp_path, cut3r, hamer)
    assert list((tmp_path / 'weights').iterdir()) == []


def test_settings_that_shapes_cannot_show_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    expression = foreign_files.MODEL_EXPRESSION.format(scene=SMALL.scene)
    expression = expression.replace('dec_num_heads=4', 'dec_num_heads=8').replace(
        "conf_mode=('exp', 1,", "conf_mode=('exp', 0,"
    )
    cut3r = write_cut3r(tmp_path / 'c.pth', monkeypatch, model=expression)
    other = {'MODEL': {'MANO_HEAD': {'IEF_ITERS': 3}}}
    hamer = write_hamer(tmp_path / 'hamer.ckpt', monkeypatch, hyper_parameters={'cfg': other})
    out = tmp_path / 'weights'
    assert cli.main(['convert', '--cut3r', str(cut3r), '--hamer', str(hamer), '--out', str(out)]) == 0
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith('warning')]
    assert len(warnings) == 3
    assert 'dec_num_heads=8, this network computes with dec_num_heads=4' in warnings[1]
    assert "conf_mode=('exp',0,inf)" in warnings[0]
    assert 'MODEL.MANO_HEAD.IEF_ITERS: 3, this network computes with MODEL.MANO_HEAD.IEF_ITERS: 1' in warnings[2]


def test_a_full_disk_is_noticed_before_writing(
    tmp_path: Path, cut3r: Path, hamer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('shutil.disk_usage', lambda _: type('Usage', (), {'free': 1000}))
    with pytest.raises(OSError, match='the weights need'):
        converted(tmp_path, cut3r, hamer)
    assert list((tmp_path / 'weights').iterdir()) == []


def test_the_folder_may_come_from_the_environment(
    tmp_path: Path, cut3r: Path, hamer: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ['convert', '--cut3r', str(cut3r), '--hamer', str(hamer)]
    monkeypatch.delenv('HAND3R_WEIGHTS', raising=False)
    assert cli.main(arguments) == 1
    assert '--out' in capsys.readouterr().err
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.setenv('HAND3R_WEIGHTS', '~/mine')
    assert cli.main(arguments) == 0
    load_network(tmp_path / 'mine', 'full')
