"""Propagated boxes: from the hands of the previous frame, between detector runs and when it finds none.

The network tells precisely where the joints were one frame ago, so their box, moved on by its last motion, is a good
place to look again. It cannot tell whether a hand is still there; the detector is asked every few frames and whenever
a hand is missing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hand3r_ros.online.detection.base import HandDetector
from hand3r_ros.online.detection.boxes import box_around_keypoints
from hand3r_ros.online.results import CameraFrame, HandDetection, HandResult

SCORE_DECAY = 0.97
"""Of every propagated frame: what was not confirmed counts less, and after some 20 frames falls below 0.5."""

LARGEST_SHIFT = 0.5
"""Of the box size: extrapolation beyond it does more harm than good when a hand turns around."""


@dataclass(frozen=True)
class PropagationMemory:
    """What following hands needs to know between two frames."""

    frames_since_detector: int
    answered_ns: int | None
    expected_hands: int
    stamp_ns: int
    centres: dict[int, NDArray[np.floating]]  # (2,) px by track id
    seconds: float

    def check(self) -> None:
        """Raises ValueError for what no detector remembers."""
        if min(self.frames_since_detector, self.expected_hands) < 0:
            raise ValueError(
                f'the detector was asked {self.frames_since_detector} frames ago and found {self.expected_hands} hands'
            )
        if not all(np.isfinite(centre).all() for centre in self.centres.values()):
            raise ValueError('the centre of a hand is not finite')


class PropagatingDetector:
    """Wraps a detector and runs it only when needed."""

    def __init__(self, detector: HandDetector, interval: int = 1, timeout: float = 1.0) -> None:
        """Propagates for at most ``interval`` - 1 frames in a row, or ``timeout`` seconds when the detector is silent.

        Args:
            detector: asked on every ``interval``-th frame, and when fewer hands than it last found are tracked.
            interval: 1 asks it on every frame on which it can answer.
            timeout: seconds for which hands are followed when the detector cannot answer.

        """
        self.detector = detector
        self.interval = interval
        self.timeout = timeout
        self.reset()

    def reset(self) -> None:
        """Clears everything from earlier frames."""
        self.detector.reset()
        self._frames_since_detector = 0
        self._answered_ns: int | None = None
        self._expected_hands = 0
        self._stamp_ns = 0
        self._centres: dict[int, NDArray[np.floating]] = {}  # by track id, of the frame before the previous one
        self._seconds = 0.0  # between those two frames

    def memory(self) -> PropagationMemory:
        """What ``restore`` needs, apart from what the wrapped detector remembers."""
        return PropagationMemory(
            self._frames_since_detector,
            self._answered_ns,
            self._expected_hands,
            self._stamp_ns,
            dict(self._centres),
            self._seconds,
        )

    def restore(self, memory: PropagationMemory) -> None:
        """Goes on from there with a wrapped detector that has seen nothing; ValueError for an impossible memory."""
        memory.check()
        self.detector.reset()
        self._frames_since_detector = memory.frames_since_detector
        self._answered_ns = memory.answered_ns
        self._expected_hands = memory.expected_hands
        self._stamp_ns, self._centres, self._seconds = memory.stamp_ns, dict(memory.centres), memory.seconds

    def can_answer(self, frame: CameraFrame) -> bool:
        """Always: with the hands of the previous frame if need be."""
        return True

    def detect(
        self, frame: CameraFrame, previous: tuple[HandResult, ...], head: tuple[HandDetection, ...] | None = None
    ) -> tuple[HandDetection, ...]:
        """From the detector when it is due, else from ``previous``."""
        propagated = self._propagate(frame, previous)
        if self.detector.can_answer(frame) and self._is_due(previous):
            found = self.detector.detect(frame, previous, head)
            self._frames_since_detector = 0
            self._answered_ns = frame.stamp_ns
            self._expected_hands = len(found)
            return found
        self._frames_since_detector += 1
        if self._answered_ns is None or (frame.stamp_ns - self._answered_ns) * 1e-9 > self._longest_silence(frame):
            return ()
        return propagated

    def wants_head(self, frame: CameraFrame, previous: tuple[HandResult, ...]) -> bool:
        """As the wrapped detector, when it is asked."""
        asked = self.detector.can_answer(frame) and self._is_due(previous)
        return asked and self.detector.wants_head(frame, previous)

    def _is_due(self, previous: tuple[HandResult, ...]) -> bool:
        tracked_hands = sum(hand.is_seen for hand in previous)
        late = self._frames_since_detector >= self.interval - 1
        return late or self._answered_ns is None or tracked_hands < max(self._expected_hands, 1)

    def _longest_silence(self, frame: CameraFrame) -> float:
        # A detector that could answer but is not due is silent by choice: only the interval limits that.
        return np.inf if self.detector.can_answer(frame) else self.timeout

    def _propagate(self, frame: CameraFrame, previous: tuple[HandResult, ...]) -> tuple[HandDetection, ...]:
        seconds = (frame.stamp_ns - self._stamp_ns) * 1e-9
        boxes = {hand.track_id: box_around_keypoints(hand.keypoints_image) for hand in previous if _is_visible(hand)}
        found = tuple(
            HandDetection(
                box=self._moved_on(hand.track_id, boxes[hand.track_id], seconds),
                side=hand.side,
                score=hand.score * SCORE_DECAY,
                side_seen=False,
            )
            for hand in previous
            if hand.track_id in boxes
        )
        self._centres = {track: (box[:2] + box[2:]) / 2.0 for track, box in boxes.items()}
        self._stamp_ns, self._seconds = frame.stamp_ns, seconds
        return found

    def _moved_on(self, track_id: int, box: NDArray[np.floating], seconds: float) -> NDArray[np.floating]:
        """The box shifted by the motion between the last two frames, scaled to the time that has passed since."""
        before = self._centres.get(track_id)
        if before is None or self._seconds <= 0.0 or seconds <= 0.0:
            return box
        shift = ((box[:2] + box[2:]) / 2.0 - before) * min(seconds / self._seconds, 2.0)
        limit = LARGEST_SHIFT * (box[2:] - box[:2])
        return box + np.tile(np.clip(shift, -limit, limit), 2)


def _is_visible(hand: HandResult) -> bool:
    """A predicted hand is not followed: it was not observed at its predicted place."""
    return hand.is_seen and bool(np.isfinite(hand.keypoints_image).all())
