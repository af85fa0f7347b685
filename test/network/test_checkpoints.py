"""Weights files: what is saved is what is loaded, and whatever does not fit is refused with its reason."""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from hand3r_ros.network import checkpoints
from hand3r_ros.network.checkpoints import WeightsError, load_network, read_weights_info, save_network
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset
from hand3r_ros.network.types import Frame, HandBoxes

METADATA = {'preset': 'tiny', 'hand_model': 'open_hand', 'steps': 12}


@functools.cache
def network() -> Hand3R:
    torch.manual_seed(1)
    return Hand3R(preset('tiny')).eval()


def saved(folder: Path, **options: bool) -> Path:
    file = folder / 'tiny.safetensors'
    save_network(file, network(), METADATA, **options)
    return file


def rewritten(file: Path, header: dict[str, str] | None = None, **changes: torch.Tensor | None) -> None:
    """Writes the file again with other tensors (None removes one) or another header."""
    with checkpoints.safe_open(file, framework='pt') as opened:
        old_header = opened.metadata()
    tensors = {name: tensor for name, tensor in (load_file(file) | changes).items() if tensor is not None}
    save_file(tensors, file, metadata=old_header if header is None else header)


def test_a_loaded_network_predicts_the_same(tmp_path: Path) -> None:
    saved(tmp_path)
    loaded, info = load_network(tmp_path, 'tiny')
    assert (info.preset, info.hand_model, info.metadata['steps']) == ('tiny', 'open_hand', 12)
    assert info.config == loaded.config == preset('tiny')
    assert not loaded.training
    image = torch.rand(1, 3, 32, 48) * 2.0 - 1.0
    with torch.inference_mode():
        _, expected = network().step(
            network().init_state(), Frame(image), HandBoxes.empty(preset('tiny').hand.crop_size)
        )
        _, found = loaded.step(loaded.init_state(), Frame(image), HandBoxes.empty(preset('tiny').hand.crop_size))
    assert torch.equal(expected.scene.points_self, found.scene.points_self)


def test_half_precision_files_are_half_as_large_and_load_as_float32(tmp_path: Path) -> None:
    full_size = saved(tmp_path).stat().st_size
    assert saved(tmp_path, half=True).stat().st_size < 0.55 * full_size
    loaded, _ = load_network(tmp_path, 'tiny')
    for name, parameter in loaded.named_parameters():
        assert parameter.dtype == torch.float32
        torch.testing.assert_close(parameter, network().get_parameter(name), atol=1e-4, rtol=1e-3)


def test_weights_without_fusion_load_as_such(tmp_path: Path) -> None:
    config = dataclasses.replace(preset('tiny'), fusion=False)
    save_network(tmp_path / 'tiny.safetensors', Hand3R(config), METADATA)
    loaded, _ = load_network(tmp_path, 'tiny')
    assert loaded.config.fusion is False and loaded.prompt_encoder is None


def test_every_tensor_of_a_network_is_in_its_file() -> None:
    # Loading fills an uninitialised network, which is safe only if nothing is left out of the state dict.
    names = set(network().state_dict())
    assert {name for name, _ in network().named_buffers()} <= names
    assert {name for name, _ in network().named_parameters()} <= names


def test_failed_write_leaves_the_old_file(tmp_path: Path, full_disk) -> None:
    file = saved(tmp_path)
    before = file.read_bytes()
    with full_disk(len(before) // 2), pytest.raises(OSError, match='too large'):
        save_network(file, network(), METADATA)
    assert file.read_bytes() == before and [found.name for found in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize('metadata', [{'preset': 'tiny'}, {'hand_model': 'mano', 'preset': 3}])
def test_metadata_must_say_what_the_weights_are_for(tmp_path: Path, metadata: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r'must name'):
        save_network(tmp_path / 'x.safetensors', network(), metadata)


def test_weights_may_recommend_a_source_of_the_camera_pose(tmp_path: Path) -> None:
    assert read_weights_info(saved(tmp_path)).pose_source == 'network'
    save_network(tmp_path / 'x.safetensors', network(), METADATA | {'pose_source': 'geometric'})
    assert read_weights_info(tmp_path / 'x.safetensors').pose_source == 'geometric'


def test_a_recommendation_that_weights_cannot_give_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'pose_source' is 'tf', not one of network, geometric"):
        save_network(tmp_path / 'x.safetensors', network(), METADATA | {'pose_source': 'tf'})
    file = saved(tmp_path)
    header = json.dumps({'metadata': METADATA | {'pose_source': 'magic'}, 'config': {}, 'config_hash': ''})
    rewritten(file, header={checkpoints.HEADER_KEY: header})
    with pytest.raises(WeightsError, match="'pose_source' is 'magic'"):
        read_weights_info(file)


def test_metadata_must_be_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='JSON'):
        save_network(tmp_path / 'x.safetensors', network(), METADATA | {'path': Path('a')})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r'tiny\.safetensors does not exist.*weights_dir'):
        load_network(tmp_path, 'tiny')


def test_an_unknown_preset_is_named_and_never_becomes_a_path(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\['full', 'tiny'\].*'\.\./tiny'"):
        load_network(tmp_path, '../tiny')


@pytest.mark.parametrize('kept', [0, 5, 3000, -1000])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: int) -> None:
    file = saved(tmp_path)
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(WeightsError, match='damaged'):
        load_network(tmp_path, 'tiny')


def test_a_pickle_is_refused_without_being_opened(tmp_path: Path) -> None:
    torch.save({'model': {}}, tmp_path / 'tiny.safetensors')
    with pytest.raises(WeightsError, match='no safetensors file'):
        load_network(tmp_path, 'tiny')


def test_a_foreign_safetensors_file_is_refused(tmp_path: Path) -> None:
    save_file({'weight': torch.zeros(3)}, tmp_path / 'tiny.safetensors', metadata={'format': 'pt'})
    with pytest.raises(WeightsError, match='not one of hand3r_ros'):
        load_network(tmp_path, 'tiny')


@pytest.mark.parametrize('header', ['not json', '{}', '[]', '{"metadata": {"preset": "tiny", "hand_model": "mano"}}'])
def test_an_unreadable_header_is_refused(tmp_path: Path, header: str) -> None:
    file = saved(tmp_path)
    rewritten(file, header={checkpoints.HEADER_KEY: header})
    with pytest.raises(WeightsError, match='header'):
        read_weights_info(file)


def test_a_header_of_nested_lists_is_refused(tmp_path: Path) -> None:
    file = saved(tmp_path)
    rewritten(file, header={checkpoints.HEADER_KEY: '[' * 200_000})
    with pytest.raises(WeightsError, match='header'):
        read_weights_info(file)


@pytest.mark.parametrize(
    ('part', 'value', 'message'),
    [
        ('detection', {'width': 10**12}, 'detection.width'),
        ('detection', {'width': '64'}, 'detection.width'),
        ('detection', {'blocks': 10**9}, 'detection.blocks'),
        ('detection', {'blocks': True}, 'detection.blocks'),
        ('detection', {'stem_widths': [8] * 1000}, 'detection.stem_widths'),
        ('detection', {'initial_box': float('nan')}, 'detection.initial_box'),
        ('detection', {'width': 4096, 'blocks': 100}, 'detection_head.* is missing'),
        ('fusion', 'yes', 'fusion must be True or False'),
    ],
)
def test_sizes_in_a_header_are_judged_before_memory_is_taken(
    tmp_path: Path, part: str, value: object, message: str
) -> None:
    file = saved(tmp_path)
    with checkpoints.safe_open(file, framework='pt') as opened:
        content = json.loads(opened.metadata()[checkpoints.HEADER_KEY])
    content['config'][part] = value
    rewritten(file, header={checkpoints.HEADER_KEY: json.dumps(content)})
    with pytest.raises(WeightsError, match=message):
        load_network(tmp_path, 'tiny')


def test_weights_of_another_preset_are_refused(tmp_path: Path) -> None:
    save_network(tmp_path / 'tiny.safetensors', network(), METADATA | {'preset': 'full'})
    with pytest.raises(WeightsError, match="preset 'full', not 'tiny'"):
        load_network(tmp_path, 'tiny')


def test_weights_of_another_configuration_name_the_difference(tmp_path: Path) -> None:
    config = preset('tiny')
    other = dataclasses.replace(config, scene=dataclasses.replace(config.scene, state_size=16))
    save_network(tmp_path / 'tiny.safetensors', Hand3R(other), METADATA)
    with pytest.raises(WeightsError, match=rf'scene\.state_size is 16 instead of {config.scene.state_size}'):
        load_network(tmp_path, 'tiny')


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'scene.state_tokens': None}, 'scene.state_tokens is missing'),
        ({'surplus': torch.zeros(2)}, 'surplus is unknown'),
        ({'scene.state_tokens': torch.zeros(2, 3)}, r'scene.state_tokens is \[2, 3\] instead of'),
        (
            {'scene.first_pose_token': torch.full((1, 1, preset('tiny').scene.decoder_width), torch.nan)},
            'first_pose_token is not finite',
        ),
    ],
)
def test_tensors_that_do_not_fit_are_named(
    tmp_path: Path, change: dict[str, torch.Tensor | None], message: str
) -> None:
    file = saved(tmp_path)
    rewritten(file, **change)
    with pytest.raises(WeightsError, match=message):
        load_network(tmp_path, 'tiny')
