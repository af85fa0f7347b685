"""Checkpoint names of the scene stream: every tensor of both published files is accounted for, by name and shape."""

from __future__ import annotations

import dataclasses

import cut3r_golden
import pytest
import torch
from cut3r_golden import SMALL

from hand3r_ros.network.scene.config import SceneConfig
from hand3r_ros.network.scene.key_map import checkpoint_key_map, rename_checkpoint
from hand3r_ros.network.scene.stream import SceneStream

FILES = {'cut3r_manifest': SceneConfig(), 'cut3r_224_linear_manifest': SceneConfig(head='linear')}


def shapes_of(config: SceneConfig) -> dict[str, tuple[int, ...]]:
    with torch.device('meta'):
        return {name: tuple(tensor.shape) for name, tensor in SceneStream(config).state_dict().items()}


def small_checkpoint() -> dict[str, torch.Tensor]:
    """A checkpoint of the small size with distinct values, tied tensors under both names, unused ones included."""
    key_map, shapes = checkpoint_key_map(SMALL), shapes_of(SMALL)
    generator = torch.Generator().manual_seed(3)
    tensors = {their: torch.randn(shapes[our], generator=generator) for their, our in key_map.parameters.items()}
    tensors |= {second: tensors[first].clone() for second, first in key_map.duplicates.items()}
    return tensors | {name: torch.zeros(1) for name in key_map.unused}


@cut3r_golden.needs_golden
@pytest.mark.parametrize('file', FILES)
def test_key_map_covers_every_tensor_of_the_file_once(file: str) -> None:
    manifest, key_map = cut3r_golden.manifest(file), checkpoint_key_map(FILES[file])
    assert key_map.names() == set(manifest)
    assert len(manifest) == len(key_map.parameters) + len(key_map.duplicates) + len(key_map.unused)
    assert len(set(key_map.parameters.values())) == len(key_map.parameters)


@cut3r_golden.needs_golden
@pytest.mark.parametrize('file', FILES)
def test_tensors_have_the_shapes_of_our_parameters(file: str) -> None:
    manifest, key_map, own = cut3r_golden.manifest(file), checkpoint_key_map(FILES[file]), shapes_of(FILES[file])
    assert {our: manifest[their] for their, our in key_map.parameters.items()} == own
    for second, first in key_map.duplicates.items():
        assert manifest[second] == manifest[first]


@pytest.mark.parametrize(
    'config',
    [
        SMALL,
        dataclasses.replace(SMALL, head='linear'),
        dataclasses.replace(SMALL, world_head=False, rgb_head=False, ray_map_depth=0),
    ],
)
def test_key_map_fills_every_parameter(config: SceneConfig) -> None:
    assert set(checkpoint_key_map(config).parameters.values()) == set(shapes_of(config))


def test_every_tensor_lands_in_its_parameter() -> None:
    checkpoint, key_map = small_checkpoint(), checkpoint_key_map(SMALL)
    renamed = rename_checkpoint({f'module.{name}': tensor for name, tensor in checkpoint.items()}, SMALL)
    for theirs, ours in key_map.parameters.items():
        assert torch.equal(renamed[ours], checkpoint[theirs])


def test_a_tied_tensor_may_be_stored_under_either_name() -> None:
    checkpoint, key_map = small_checkpoint(), checkpoint_key_map(SMALL)
    _, first = next(iter(key_map.duplicates.items()))
    expected = checkpoint.pop(first)
    renamed = rename_checkpoint(checkpoint, SMALL)
    assert torch.equal(renamed[key_map.parameters[first]], expected)


def test_disagreeing_tied_tensors_are_refused() -> None:
    checkpoint = small_checkpoint()
    second = next(iter(checkpoint_key_map(SMALL).duplicates))
    checkpoint[second] += 1.0
    with pytest.raises(ValueError, match='tied tensors'):
        rename_checkpoint(checkpoint, SMALL)


def test_missing_and_unknown_tensors_are_named() -> None:
    checkpoint = small_checkpoint()
    del checkpoint['pose_token']
    checkpoint['prediction_head.weight'] = torch.zeros(1)
    with pytest.raises(ValueError, match=r'pose_token.*missing.*prediction_head\.weight.*unknown'):
        rename_checkpoint(checkpoint, SMALL)
