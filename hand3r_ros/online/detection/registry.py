"""Detectors by name."""

from __future__ import annotations

from collections.abc import Callable

from hand3r_ros.online.config import ReconstructorConfig
from hand3r_ros.online.detection.base import HandDetector
from hand3r_ros.online.detection.given import GivenDetector, NoDetector
from hand3r_ros.online.detection.mediapipe_hands import MediaPipeDetector
from hand3r_ros.online.detection.network_head import AutomaticDetector, NetworkDetector
from hand3r_ros.online.detection.propagated import PropagatingDetector

DetectorMaker = Callable[[ReconstructorConfig], HandDetector]


def _topic(config: ReconstructorConfig) -> HandDetector:
    return GivenDetector()


def _mediapipe(config: ReconstructorConfig) -> HandDetector:
    return MediaPipeDetector.from_config(config)


def _network(config: ReconstructorConfig) -> HandDetector:
    return NetworkDetector()


def _none(config: ReconstructorConfig) -> HandDetector:
    return NoDetector()


def _auto(config: ReconstructorConfig) -> HandDetector:
    return AutomaticDetector(MediaPipeDetector.from_config(config))


DETECTORS: dict[str, DetectorMaker] = {
    'auto': _auto,
    'topic': _topic,
    'network': _network,
    'mediapipe': _mediapipe,
    'none': _none,
}


def make_detector(config: ReconstructorConfig) -> HandDetector:
    """The configured detector, wrapped so that hands are followed between its answers.

    Raises:
        DetectorUnavailableError: it cannot be used on this machine.

    """
    detector = DETECTORS[config.detection.detector](config)
    return PropagatingDetector(detector, config.detection.interval, config.tracking.timeout)
