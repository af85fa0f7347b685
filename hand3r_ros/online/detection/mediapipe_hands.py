"""MediaPipe's hand tracker as detector (optional extra ``mediapipe==0.10.21``; Apache-2.0, runs offline).

Later wheels hold no hand model, and versions from 1.0 on report usage to their vendor, so only the 0.10 line up to
this version is accepted. It is made for hands in front of a camera; hands that hold objects, gloves and head-mounted
cameras are often missed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.online.detection.base import DetectorUnavailableError
from hand3r_ros.online.detection.boxes import box_around_keypoints
from hand3r_ros.online.results import CameraFrame, HandDetection, HandResult

INSTALL_HINT = "install it with 'pip install mediapipe==0.10.21', or choose the detector 'given'"

_ANATOMICAL_SIDE = {'Left': HandSide.RIGHT, 'Right': HandSide.LEFT}
"""``mp.solutions.hands`` names sides as in a mirrored selfie image; ours are not mirrored."""


class MediaPipeDetector:
    """Boxes around MediaPipe's 21 landmarks; the score is that of the side. Not to be shared between threads."""

    def __init__(self, max_hands: int = 2, threshold: float = 0.5, static_images: bool = False) -> None:
        """Loads the models.

        Args:
            max_hands: found at most.
            threshold: least confidence of palm detection and of landmark tracking.
            static_images: look for palms in every image instead of following the hands of the previous one.

        Raises:
            DetectorUnavailableError: mediapipe is not installed, or is a version without the hand models.

        """
        self._solution = _load_solution()
        self._options = {
            'static_image_mode': static_images,
            'max_num_hands': max(1, max_hands),
            'model_complexity': 1,
            'min_detection_confidence': threshold,
            'min_tracking_confidence': threshold,
        }
        self._hands = self._solution.Hands(**self._options)

    def can_answer(self, frame: CameraFrame) -> bool:
        """Always."""
        return True

    def detect(self, frame: CameraFrame, previous: tuple[HandResult, ...]) -> tuple[HandDetection, ...]:
        """Hands in the image."""
        found = self._hands.process(np.ascontiguousarray(frame.image))
        if not found.multi_hand_landmarks:
            return ()
        height, width = frame.image.shape[:2]
        return tuple(
            _detection(landmarks.landmark, sides.classification[0], width, height)
            for landmarks, sides in zip(found.multi_hand_landmarks, found.multi_handedness, strict=True)
        )

    def reset(self) -> None:
        """Stop following the hands of earlier images."""
        self._hands.close()
        self._hands = self._solution.Hands(**self._options)


def _load_solution() -> Any:
    try:
        import mediapipe
    except ImportError as error:
        raise DetectorUnavailableError(f'mediapipe is not installed: {INSTALL_HINT}') from error
    solution = getattr(getattr(mediapipe, 'solutions', None), 'hands', None)
    if solution is None:
        version = getattr(mediapipe, '__version__', 'unknown')
        raise DetectorUnavailableError(f'mediapipe {version} comes without hand models: {INSTALL_HINT}')
    return solution


def _detection(landmarks: Any, side: Any, width: int, height: int) -> HandDetection:
    # Landmarks are fractions of the image, 0 and 1 at its outer edges; pixel centres are at integers here.
    pixels = np.array([[point.x * width - 0.5, point.y * height - 0.5] for point in landmarks])
    return HandDetection(box_around_keypoints(pixels), _ANATOMICAL_SIDE[side.label], float(side.score))
