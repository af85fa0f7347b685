"""Hand3R for ROS 2: camera pose, metric scene and two-hand meshes from one RGB camera, online.

Without ROS: ``load`` gives a reconstructor, and its ``process`` takes images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hand3r_ros.online.reconstructor import OnlineReconstructor

__version__ = '0.1.0'


def load(preset: str = 'tiny', device: str = 'auto', **settings: Any) -> OnlineReconstructor:
    """A reconstructor ready for its first image: weights, hand model and hand detector are loaded.

    Args:
        preset: 'tiny' (its weights are part of the package) or 'full' (``hand3r convert`` makes its weights).
        device: 'auto' (CUDA where there is any), 'cpu', 'cuda' or 'cuda:<n>'.
        settings: other fields of ``hand3r_ros.online.config.ReconstructorConfig``. ``hand_model`` is by default the one
            that the weights were trained for.

    Raises:
        TypeError: there is no such setting.
        ValueError: the value of a setting cannot be used, or there is no such preset or device.
        WeightsError: the weights are missing or damaged.
        HandModelFileError: the MANO file is missing, damaged or unsafe.

    """
    from hand3r_ros.online.factory import load_reconstructor  # torch takes seconds to import

    return load_reconstructor(preset, device, settings)
