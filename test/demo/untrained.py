"""An untrained network for tests of the chain: what it sees is wrong, but how it is published is not."""

from __future__ import annotations

from pathlib import Path

import torch

from hand3r_ros.network.checkpoints import save_network
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset


def save_untrained_network(folder: Path) -> Path:
    """Writes ``tiny.safetensors`` into the folder; gives the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    save_network(folder / 'tiny.safetensors', Hand3R(preset('tiny')), {'preset': 'tiny', 'hand_model': 'open_hand'})
    return folder
