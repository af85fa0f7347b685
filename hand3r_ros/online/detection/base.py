"""What a hand detector is to the rest of the package."""

from __future__ import annotations

from typing import Protocol

from hand3r_ros.online.results import CameraFrame, HandDetection, HandResult


class HandDetector(Protocol):
    """Finds hands in an image. Boxes are tight around the hand, in pixels of the source image."""

    def detect(self, frame: CameraFrame, previous: tuple[HandResult, ...]) -> tuple[HandDetection, ...]:
        """Hands of ``frame`` in any order; ``previous`` are the hands of the frame before (empty after a reset)."""
        ...

    def can_answer(self, frame: CameraFrame) -> bool:
        """False when nothing is known about this frame, which is not the same as knowing that there is no hand."""
        ...

    def reset(self) -> None:
        """Forget earlier frames (a new session begins)."""
        ...


class DetectorUnavailableError(RuntimeError):
    """A detector cannot be used on this machine; the message says what to install or which other one to take."""
