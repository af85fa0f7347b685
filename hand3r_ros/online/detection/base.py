"""The protocol of hand detectors."""

from __future__ import annotations

from typing import Protocol

from hand3r_ros.online.results import CameraFrame, HandDetection, HandResult


class HandDetector(Protocol):
    """Finds hands in an image. Boxes are tight around the hand, in pixels of the source image."""

    def detect(
        self, frame: CameraFrame, previous: tuple[HandResult, ...], head: tuple[HandDetection, ...] | None = None
    ) -> tuple[HandDetection, ...]:
        """Hands of ``frame`` in any order.

        Args:
            frame: the image and what came with it.
            previous: the hands of the frame before, empty after a reset.
            head: what the network's own detection head sees; None where it was not asked or is not there.

        """
        ...

    def wants_head(self, frame: CameraFrame, previous: tuple[HandResult, ...]) -> bool:
        """Whether ``detect`` of this frame looks at what the network's detection head sees."""
        ...

    def can_answer(self, frame: CameraFrame) -> bool:
        """False when nothing is known about this frame, which is not the same as knowing that there is no hand."""
        ...

    def reset(self) -> None:
        """Forget earlier frames (a new session begins)."""
        ...


class DetectorUnavailableError(RuntimeError):
    """A detector cannot be used on this machine; the message says what to install or which other one to take."""
