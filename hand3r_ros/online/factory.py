"""Builds an ``OnlineReconstructor`` from its configuration: weights, hand model, detector."""

from __future__ import annotations

from hand3r_ros.checkpoints.locations import find_mano, find_weights_folder
from hand3r_ros.hand_model.data import HandModelData, load_mano, load_open_hand, require_same_hand_model
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.network.checkpoints import load_network
from hand3r_ros.online.config import ReconstructorConfig
from hand3r_ros.online.detection.base import HandDetector
from hand3r_ros.online.detection.registry import make_detector
from hand3r_ros.online.reconstructor import OnlineReconstructor


def build_reconstructor(config: ReconstructorConfig, detector: HandDetector | None = None) -> OnlineReconstructor:
    """Loads everything that ``config`` names; a ``detector`` that is given takes the place of the configured one.

    Raises:
        WeightsError: the weights are missing, damaged or of another network.
        HandModelFileError: the MANO file is missing, damaged or unsafe.
        HandModelMismatchError: the weights were trained for another hand model.
        DetectorUnavailableError: the detector cannot be used on this machine.
        ValueError: another setting cannot be met here (device, precision, detector name).

    """
    detector = make_detector(config) if detector is None else detector
    hand_model = load_hand_model(config)
    weights_dir = find_weights_folder(config.preset, config.weights_dir)
    network, info = load_network(weights_dir, config.preset)
    require_same_hand_model(hand_model.id, info.hand_model, str(weights_dir / f'{config.preset}.safetensors'))
    return OnlineReconstructor(network, HandLayer(hand_model), detector, config, info.pose_source)


def load_hand_model(config: ReconstructorConfig) -> HandModelData:
    """The configured hand model."""
    if config.hand_model == 'mano':
        return load_mano(find_mano(config.mano_path, config.weights_dir))
    return load_open_hand()
