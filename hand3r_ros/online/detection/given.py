"""Detectors that look at no image: boxes that come with the frame (of a topic, a file, a rendered scene), or none."""

from __future__ import annotations

from hand3r_ros.online.results import CameraFrame, HandDetection, HandResult


class GivenDetector:
    """Hands over ``CameraFrame.detections``."""

    def detect(
        self, frame: CameraFrame, previous: tuple[HandResult, ...], head: tuple[HandDetection, ...] | None = None
    ) -> tuple[HandDetection, ...]:
        """The boxes that came with the frame; none when none came."""
        return frame.detections or ()

    def can_answer(self, frame: CameraFrame) -> bool:
        """True when boxes came with the frame, be it an empty list."""
        return frame.detections is not None

    def wants_head(self, frame: CameraFrame, previous: tuple[HandResult, ...]) -> bool:
        """Never."""
        return False

    def reset(self) -> None:
        """Stateless."""


class NoDetector:
    """Finds no hand, whatever came with the frame."""

    def detect(
        self, frame: CameraFrame, previous: tuple[HandResult, ...], head: tuple[HandDetection, ...] | None = None
    ) -> tuple[HandDetection, ...]:
        """Nothing."""
        return ()

    def can_answer(self, frame: CameraFrame) -> bool:
        """Always."""
        return True

    def wants_head(self, frame: CameraFrame, previous: tuple[HandResult, ...]) -> bool:
        """Never."""
        return False

    def reset(self) -> None:
        """Stateless."""
