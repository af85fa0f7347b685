"""Reads the golden data of the published scene stream; tests that need it skip where it is absent."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hand3r_ros.network.scene.config import SceneConfig
from hand3r_ros.network.scene.key_map import checkpoint_key_map, rename_checkpoint
from hand3r_ros.network.scene.stream import SceneStream
from hand3r_ros.network.types import Frame

REFERENCE = Path(__file__).resolve().parents[3] / 'shared' / 'reference'
FOLDER = REFERENCE / 'golden_cut3r'

needs_golden = pytest.mark.skipif(not FOLDER.is_dir(), reason='golden data of the scene stream not found')

SMALL = SceneConfig(
    encoder_width=128,
    encoder_depth=2,
    encoder_heads=4,
    decoder_width=96,
    decoder_depth=4,
    decoder_heads=4,
    state_size=27,
    state_heads=6,
    memory_slots=8,
    memory_heads=4,
)

OUTPUTS = {
    'pts3d_in_self_view': 'points_self',
    'conf_self': 'confidence_self',
    'rgb': 'rgb',
    'camera_pose': 'camera_pose',
    'pts3d_in_other_view': 'points_world',
    'conf': 'confidence_world',
}
"""Name in the golden files to field of ``ScenePrediction``."""

MAPS = frozenset(OUTPUTS) - {'camera_pose'}


@functools.cache
def rule() -> ModuleType:
    """The exact recipes of weights and inputs."""
    spec = importlib.util.spec_from_file_location('cut3r_golden_rule', FOLDER / 'golden_rule.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class GoldenArrays(dict[str, np.ndarray]):
    """Arrays of one golden file, which remembers those that were looked at."""

    def __init__(self, values: Mapping[str, np.ndarray]) -> None:
        super().__init__(values)
        self.used: set[str] = set()

    def __getitem__(self, name: str) -> np.ndarray:
        self.used.add(name)
        return super().__getitem__(name)

    def unused(self, prefix: str = '') -> list[str]:
        """Names that start with ``prefix`` and that no test has looked at yet."""
        return sorted(name for name in self if name.startswith(prefix) and name not in self.used)


def arrays(name: str) -> GoldenArrays:
    with np.load(FOLDER / f'{name}.npz') as file:
        return GoldenArrays(file)


def case(name: str) -> dict[str, Any]:
    """Description of a rollout: size, frames, file, strides."""
    return json.loads((FOLDER / 'golden.json').read_text())['cases'][name]


def manifest(name: str) -> dict[str, tuple[int, ...]]:
    """Name and shape of all tensors of a published checkpoint."""
    entries = json.loads((REFERENCE / f'{name}.json').read_text())
    return {entry['name']: tuple(entry['shape']) for entry in entries}


def golden_stream(config: SceneConfig) -> SceneStream:
    """A scene stream with the golden weights, put in by the names of the checkpoint."""
    with torch.device('meta'):
        stream = SceneStream(config)
    same_weights = dataclasses.replace(config, rope_half=False, state_update='cut3r', pose_token_after_reset='memory')
    stream.load_state_dict(rename_checkpoint(golden_checkpoint(same_weights), config), assign=True)
    return stream.eval()


@functools.lru_cache(maxsize=1)
def golden_checkpoint(config: SceneConfig) -> dict[str, Tensor]:
    """The golden weights under the names of the checkpoint. They take seconds to make, so the last are kept."""
    with torch.device('meta'):
        own = SceneStream(config).state_dict()
    return {
        theirs: torch.from_numpy(rule().golden_weights(theirs, own[ours].shape))
        for theirs, ours in checkpoint_key_map(config).parameters.items()
    }


def golden_frame(entry: dict[str, Any], height: int, width: int, ray_maps: bool, mark_missing: bool) -> Frame:
    """The frame that an entry of a case's frame list stands for."""
    index = entry['frame']

    def flag(name: str, default: bool) -> Tensor:
        return torch.tensor([entry.get(name, default)])

    plain = Frame(
        torch.from_numpy(rule().golden_image(index, height, width)),
        update=flag('update', True),
        reset=flag('reset', False),
    )
    if not ray_maps:
        return plain
    return dataclasses.replace(
        plain,
        ray_map=torch.from_numpy(rule().golden_ray_map(index, height, width)),
        has_image=flag('img', True),
        has_ray_map=flag('ray', False),
        mark_missing=mark_missing,
    )


def largest_excess(found: Tensor, expected: np.ndarray, absolute: float = 2e-5, relative: float = 2e-5) -> float:
    """How far the worst element is over the tolerance; at most 0 when all agree."""
    assert tuple(found.shape) == expected.shape, f'{tuple(found.shape)} is not {expected.shape}'
    difference = np.abs(found.detach().double().numpy() - expected.astype(np.float64))
    return float((difference - absolute - relative * np.abs(expected)).max())
