"""Where training starts: a network from nothing or from a weights file, streams of earlier stages."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from hand3r_lab.training.config import TrainingConfig
from hand3r_lab.training.run_files import CheckpointError, read_checkpoint
from hand3r_lab.training.sources import hand_model_of
from hand3r_ros.hand_model.data import require_same_hand_model
from hand3r_ros.network.checkpoints import load_network
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset, with_detection_head


def starting_network(config: TrainingConfig) -> Hand3R:
    """The preset's network, initialised from ``config.seed`` or with the weights of ``config.start_from``.

    Raises:
        WeightsError: the weights file is missing, damaged or of another preset.
        HandModelMismatchError: it was trained for another hand model than this run's.
        ValueError: its name does not fit the preset.

    """
    torch.manual_seed(config.seed)
    finds_hands = config.weight_detection > 0.0 and config.stage in ('scene', 'fusion')
    network = Hand3R(with_detection_head(config.preset) if finds_hands else preset(config.preset))
    if not config.start_from:
        return network
    path = Path(config.start_from)
    if path.name != f'{config.preset}.safetensors':
        raise ValueError(f'start_from must be a file named {config.preset}.safetensors, got {path}')
    finished, info = load_network(path.parent, config.preset)
    require_same_hand_model(hand_model_of(config).id, info.hand_model, str(path))
    # What the file lacks (a fusion that was never trained) keeps its initial values.
    own = network.state_dict()
    own.update({name: value for name, value in finished.state_dict().items() if name in own})
    network.load_state_dict(own)
    return network


def load_streams(network: Hand3R, config: TrainingConfig) -> None:
    """Fills both streams from the checkpoints of the stages ``scene`` and ``hand`` in ``config.out``.

    A stage that was not trained is fine where ``config.start_from`` gave its stream already.

    Raises:
        FileNotFoundError: a stream comes from nowhere.
        CheckpointError: a checkpoint is damaged or of another preset.

    """
    loaders = {'scene': _load_scene, 'hand': _load_hand}
    for stage, load in loaders.items():
        file = Path(config.out) / stage / 'checkpoint.pt'
        if file.exists():
            module = read_checkpoint(file)['module']
            try:
                load(network, module)
            except RuntimeError as error:
                raise CheckpointError(f'{file} does not fit preset {config.preset!r}: {str(error)[:200]}') from error
        elif not config.start_from:
            raise FileNotFoundError(
                f'{file} is missing: train the stage {stage!r} first (`hand3r-lab train {stage}`), or give start_from='
            )


def _load_hand(network: Hand3R, module: dict[str, Tensor]) -> None:
    network.hand.load_state_dict(module)


def _load_scene(network: Hand3R, module: dict[str, Tensor]) -> None:
    """The scene stream of ``SceneLearner``, and its detection head where both have one."""
    network.scene.load_state_dict(_part(module, 'scene.'))
    head = _part(module, 'detection_head.')
    if network.detection_head is not None and head:
        network.detection_head.load_state_dict(head)


def _part(module: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: value for name, value in module.items() if name.startswith(prefix)}
