"""Hand detection by the network's own detection head: no other detector, no other package."""

from __future__ import annotations

from hand3r_ros.network.config import Hand3RConfig
from hand3r_ros.online.config import DetectionConfig
from hand3r_ros.online.detection.base import DetectorUnavailableError, HandDetector
from hand3r_ros.online.detection.boxes import intersection_over_union
from hand3r_ros.online.results import CameraFrame, HandDetection, HandResult

SURE_SCORE = 0.7
"""Of a hand that only the head sees. On 75 photographs of hands and rooms it saw four, all wrong, with 0.58 at most."""

SAME_HAND_OVERLAP = 0.2


class NetworkDetector:
    """Asks the head that runs on the scene tokens, which the following step of the network uses again."""

    def detect(
        self, frame: CameraFrame, previous: tuple[HandResult, ...], head: tuple[HandDetection, ...] | None = None
    ) -> tuple[HandDetection, ...]:
        """Hands in the image."""
        return head or ()

    def can_answer(self, frame: CameraFrame) -> bool:
        """Always: weights without the head are refused before."""
        return True

    def wants_head(self, frame: CameraFrame, previous: tuple[HandResult, ...]) -> bool:
        """Always."""
        return True

    def reset(self) -> None:
        """Stateless."""


class AutomaticDetector:
    """The boxes that came with the frame; else the hands of another detector and those the network's head adds."""

    def __init__(self, detector: HandDetector) -> None:
        """``detector`` looks at images that came without boxes."""
        self._detector = detector

    def detect(
        self, frame: CameraFrame, previous: tuple[HandResult, ...], head: tuple[HandDetection, ...] | None = None
    ) -> tuple[HandDetection, ...]:
        """Given boxes go first, also an empty list of them."""
        if frame.detections is not None:
            return frame.detections
        found = self._detector.detect(frame, previous)
        return found + tuple(hand for hand in head or () if _is_added(hand, found))

    def can_answer(self, frame: CameraFrame) -> bool:
        """Always."""
        return True

    def wants_head(self, frame: CameraFrame, previous: tuple[HandResult, ...]) -> bool:
        """Where no boxes came."""
        return frame.detections is None

    def reset(self) -> None:
        """Forget what the other detector remembers."""
        self._detector.reset()


def _is_added(hand: HandDetection, found: tuple[HandDetection, ...]) -> bool:
    """Whether the head is sure of a hand that the other detector does not have."""
    if hand.score < SURE_SCORE:
        return False
    return all(intersection_over_union(hand.box, other.box) < SAME_HAND_OVERLAP for other in found)


def check_detector(config: DetectionConfig, network: Hand3RConfig) -> None:
    """Raises ``DetectorUnavailableError`` when the detector 'network' is asked of weights without the head."""
    if config.detector == 'network' and network.detection is None:
        raise DetectorUnavailableError(
            "detector 'network' needs weights with a hand detection head, which these lack: add one with "
            '`hand3r-lab train detector`, or choose another detector'
        )
