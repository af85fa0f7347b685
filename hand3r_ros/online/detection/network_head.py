"""Hands found by the network's own detection head: no other detector, no other package."""

from __future__ import annotations

from hand3r_ros.network.config import Hand3RConfig
from hand3r_ros.online.config import DetectionConfig
from hand3r_ros.online.detection.base import DetectorUnavailableError
from hand3r_ros.online.results import CameraFrame, HandDetection, HandResult


class NetworkDetector:
    """Asks the head that runs on the scene tokens, which the following step of the network uses again."""

    def detect(self, frame: CameraFrame, previous: tuple[HandResult, ...]) -> tuple[HandDetection, ...]:
        """Hands in the image."""
        return () if frame.find_hands is None else frame.find_hands()

    def can_answer(self, frame: CameraFrame) -> bool:
        """True with weights that have the head."""
        return frame.find_hands is not None

    def reset(self) -> None:
        """Nothing to forget."""


class AutomaticDetector:
    """The boxes that came with the frame, else those of the network's own head, else none."""

    def detect(self, frame: CameraFrame, previous: tuple[HandResult, ...]) -> tuple[HandDetection, ...]:
        """Given boxes go first, also an empty list of them."""
        if frame.detections is not None:
            return frame.detections
        return () if frame.find_hands is None else frame.find_hands()

    def can_answer(self, frame: CameraFrame) -> bool:
        """True with boxes or with weights that have the head."""
        return frame.detections is not None or frame.find_hands is not None

    def reset(self) -> None:
        """Nothing to forget."""


def check_detector(config: DetectionConfig, network: Hand3RConfig) -> None:
    """Raises ``DetectorUnavailableError`` when the detector 'network' is asked of weights without the head."""
    if config.detector == 'network' and network.detection is None:
        raise DetectorUnavailableError(
            "detector 'network' needs weights with a hand detection head, which these lack: add one with "
            '`hand3r train detector`, or choose another detector'
        )
