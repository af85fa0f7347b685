"""Builds an ``OnlineReconstructor`` from its configuration: weights, hand model, detector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from hand3r_ros.checkpoints.locations import find_mano, find_weights_folder
from hand3r_ros.hand_model.data import HandModelData, load_mano, load_open_hand, require_same_hand_model
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.network.checkpoints import WeightsInfo, load_network, read_weights_info
from hand3r_ros.network.presets import preset as preset_config
from hand3r_ros.online.config import ReconstructorConfig
from hand3r_ros.online.detection.base import HandDetector
from hand3r_ros.online.detection.registry import make_detector
from hand3r_ros.online.reconstructor import OnlineReconstructor


def load_reconstructor(preset: str, device: str, settings: Mapping[str, Any]) -> OnlineReconstructor:
    """What ``hand3r_ros.load`` returns; errors as there."""
    known = [field.name for field in fields(ReconstructorConfig)]
    if unknown := [name for name in settings if name not in known]:
        raise TypeError(f'there is no setting {", ".join(unknown)}; known are {", ".join(known)}')
    config = ReconstructorConfig(preset=preset, device=device, **settings)
    if 'hand_model' not in settings:
        config = replace(config, hand_model=_weights_info(config).hand_model)
    return build_reconstructor(config)


def build_reconstructor(config: ReconstructorConfig, detector: HandDetector | None = None) -> OnlineReconstructor:
    """Loads everything that ``config`` names; a ``detector`` that is given takes the place of the configured one.

    Raises:
        WeightsError: the weights are missing, damaged or of another network.
        HandModelFileError: the MANO file is missing, damaged or unsafe.
        HandModelMismatchError: the weights were trained for another hand model.
        DetectorUnavailableError: the detector cannot be used on this machine.
        ValueError: another setting cannot be met here (device, precision, detector name).

    """
    require_weights(config)
    detector = make_detector(config) if detector is None else detector
    hand_model = load_hand_model(config)
    network, info = load_network(find_weights_folder(config.preset, config.weights_dir), config.preset)
    return OnlineReconstructor(network, HandLayer(hand_model), detector, config, info.pose_source)


def require_weights(config: ReconstructorConfig) -> None:
    """Looks at the header of the weights alone: that they are missing is what a user has to hear of first.

    Raises:
        ValueError: there is no such preset.
        WeightsError: there are no such weights, or they are damaged.
        HandModelMismatchError: the weights were trained for another hand model.

    """
    info = _weights_info(config)
    advice = (
        f'Set the parameter hand_model to {info.hand_model!r} (ros2 launch: hand_model:={info.hand_model}; '
        f'hand3r run: --hand-model {info.hand_model})'
    )
    require_same_hand_model(config.hand_model, info.hand_model, str(info.path), advice)


def _weights_info(config: ReconstructorConfig) -> WeightsInfo:
    preset_config(config.preset)  # the name becomes part of a path
    return read_weights_info(find_weights_folder(config.preset, config.weights_dir) / f'{config.preset}.safetensors')


def load_hand_model(config: ReconstructorConfig) -> HandModelData:
    """The configured hand model."""
    if config.hand_model == 'mano':
        return load_mano(find_mano(config.mano_dir, config.weights_dir))
    return load_open_hand()
