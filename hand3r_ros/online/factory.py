"""Builds an ``OnlineReconstructor`` from its configuration: weights, hand model, detector."""

from __future__ import annotations

from pathlib import Path

from hand3r_ros.hand_model.data import HandModelData, load_mano, load_open_hand, require_same_hand_model
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.network.checkpoints import load_network
from hand3r_ros.online.config import ReconstructorConfig
from hand3r_ros.online.detection.registry import make_detector
from hand3r_ros.online.reconstructor import OnlineReconstructor


def build_reconstructor(config: ReconstructorConfig) -> OnlineReconstructor:
    """Loads everything that ``config`` names.

    Raises:
        WeightsError: the weights are missing, damaged or of another network.
        HandModelFileError: the MANO file is missing, damaged or unsafe.
        HandModelMismatchError: the weights were trained for another hand model.
        DetectorUnavailableError: the detector cannot be used on this machine.
        ValueError: another setting cannot be met here (device, precision, detector name).

    """
    detector = make_detector(config)
    hand_model = load_hand_model(config)
    weights_dir = default_weights_dir() if config.weights_dir is None else config.weights_dir
    network, info = load_network(weights_dir, config.preset)
    require_same_hand_model(hand_model.id, info.hand_model, str(weights_dir / f'{config.preset}.safetensors'))
    return OnlineReconstructor(network, HandLayer(hand_model), detector, config)


def load_hand_model(config: ReconstructorConfig) -> HandModelData:
    """The configured hand model."""
    if config.hand_model == 'mano':
        assert config.mano_path is not None  # checked by the configuration
        return load_mano(config.mano_path)
    return load_open_hand()


def default_weights_dir() -> Path:
    """The weights that come with the package: in its share folder where it is installed, else in the repository."""
    package = Path(__file__).resolve().parents[1]
    candidates = [package.parent / 'weights', *_installed_weights(package)]
    for folder in candidates:
        if folder.is_dir() and any(folder.glob('*.safetensors')):
            return folder
    return candidates[0]


def _installed_weights(package: Path) -> list[Path]:
    """``<prefix>/share/hand3r_ros/weights`` for every prefix above the module (``<prefix>/lib/python3.x/...``)."""
    return [prefix / 'share' / 'hand3r_ros' / 'weights' for prefix in list(package.parents)[1:6]]
