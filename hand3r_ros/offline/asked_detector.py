"""A detector that remembers which images it was asked about, because what it knows cannot be stored.

MediaPipe follows hands from image to image with a state that nobody can read out. When a run continues, the same
images are shown to it again, in the same order; that costs a fraction of reconstructing them.
"""

from __future__ import annotations

from hand3r_ros.online.detection.base import HandDetector
from hand3r_ros.online.results import CameraFrame, HandDetection, HandResult


class AskedDetector:
    """Wraps a detector."""

    def __init__(self, detector: HandDetector) -> None:
        self.detector = detector
        self.current_image = 0
        """Number of the image that is being processed; set by the run."""
        self.asked: list[int] = []
        """Numbers of the images it was asked about since it was reset."""

    def can_answer(self, frame: CameraFrame) -> bool:
        """As the wrapped detector."""
        return self.detector.can_answer(frame)

    def detect(
        self, frame: CameraFrame, previous: tuple[HandResult, ...], head: tuple[HandDetection, ...] | None = None
    ) -> tuple[HandDetection, ...]:
        """As the wrapped detector."""
        self.asked.append(self.current_image)
        return self.detector.detect(frame, previous, head)

    def wants_head(self, frame: CameraFrame, previous: tuple[HandResult, ...]) -> bool:
        """As the wrapped detector."""
        return self.detector.wants_head(frame, previous)

    def show_again(self, frame: CameraFrame) -> None:
        """An image it was asked about before the run was interrupted."""
        self.detector.detect(frame, ())

    def reset(self) -> None:
        """Forget earlier frames."""
        self.asked.clear()
        self.detector.reset()
