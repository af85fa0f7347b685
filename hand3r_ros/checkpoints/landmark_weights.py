"""Loads the palm detector and the hand landmark network from the weights that come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from hand3r_ros.checkpoints.locations import places
from hand3r_ros.network.checkpoints import WeightsError
from hand3r_ros.network.landmarks.landmark_network import LandmarkNetwork
from hand3r_ros.network.landmarks.palm_detector import PalmDetector

PALM_DETECTOR_FILE = 'palm_detector.safetensors'
LANDMARK_FILE = 'hand_landmarks.safetensors'

Network = TypeVar('Network', bound=nn.Module)


def load_landmark_networks(weights_dir: Path | str | None = None) -> tuple[PalmDetector, LandmarkNetwork]:
    """Both networks in evaluation mode, float32.

    Args:
        weights_dir: folder that is looked into first; the package's own weights follow.

    Raises:
        WeightsError: a file is missing, damaged or of another network.

    """
    folders = [place.folder for place in (*(places(weights_dir) if weights_dir else ()), *places())]
    return _load(PalmDetector(), PALM_DETECTOR_FILE, folders), _load(LandmarkNetwork(), LANDMARK_FILE, folders)


def _load(network: Network, name: str, folders: list[Path]) -> Network:
    path = next((folder / name for folder in folders if (folder / name).is_file()), None)
    if path is None:
        raise WeightsError(f'{name} is in none of {", ".join(map(str, folders))}; it is part of the package')
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f'{path} cannot be read: {error}') from error
    wanted = network.state_dict()
    for key in sorted(wanted.keys() | tensors.keys()):
        found = None if key not in tensors else tuple(tensors[key].shape)
        expected = None if key not in wanted else tuple(wanted[key].shape)
        if found != expected:
            raise WeightsError(f'{path}: {key} has shape {found}, expected {expected}')
        if not torch.isfinite(tensors[key]).all():
            raise WeightsError(f'{path}: {key} holds values that are not finite')
    network.load_state_dict({key: tensor.float() for key, tensor in tensors.items()})
    return network.eval().requires_grad_(False)
