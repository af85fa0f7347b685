"""A short rendered stream as images, an untrained network, settings of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch
from recordings import FIRST_NS, FRAME_NS, FRAMES

from hand3r_lab.scenes.sequence import RenderedFrame, SceneConfig, Sequence
from hand3r_ros.network.checkpoints import save_network
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset
from hand3r_ros.offline.inputs import Selection
from hand3r_ros.offline.settings import RunSettings


@pytest.fixture(scope='session')
def weights_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an untrained tiny network: what it sees is wrong, but how it is written is not."""
    folder = tmp_path_factory.mktemp('weights')
    torch.manual_seed(0)
    save_network(folder / 'tiny.safetensors', Hand3R(preset('tiny')), {'preset': 'tiny', 'hand_model': 'open_hand'})
    return folder


@pytest.fixture(scope='session')
def rendered() -> list[RenderedFrame]:
    sequence = Sequence(3, SceneConfig(width=224, height=160, frames=FRAMES, fps=10.0, hands='both', effects=False))
    return [sequence.frame(index) for index in range(FRAMES)]


@pytest.fixture(scope='session')
def images(rendered: list[RenderedFrame], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of PNG files that are named by their stamps, as EuRoC has them."""
    folder = tmp_path_factory.mktemp('images')
    for index, frame in enumerate(rendered):
        cv2.imwrite(str(folder / f'{FIRST_NS + index * FRAME_NS}.png'), cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
    return folder


@pytest.fixture
def settings(weights_dir: Path, tmp_path: Path) -> Callable[..., RunSettings]:
    """Settings of a run into ``tmp_path/out.mcap``; parameters of the node by name with ``__`` for the dot."""

    def make(source: Path, selection: Selection | None = None, **given: Any) -> RunSettings:
        names = set(RunSettings.__dataclass_fields__)
        values = {name.replace('__', '.'): value for name, value in given.items() if name not in names}
        values = {'weights_dir': str(weights_dir), 'device': 'cpu', 'detector': 'none', **values}
        if values['detector'] is None:
            del values['detector']
        own = {'out': tmp_path / 'out.mcap', **{name: value for name, value in given.items() if name in names}}
        return RunSettings(input=source, values=values, selection=selection or Selection(), **own)

    return make
