"""Fixtures of the node tests."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hand3r_ros.network.checkpoints import save_network
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset


@pytest.fixture(scope='session')
def weights_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an untrained tiny network: what it sees is wrong, but how it is published is not."""
    folder = tmp_path_factory.mktemp('weights')
    torch.manual_seed(0)
    save_network(folder / 'tiny.safetensors', Hand3R(preset('tiny')), {'preset': 'tiny', 'hand_model': 'open_hand'})
    return folder
