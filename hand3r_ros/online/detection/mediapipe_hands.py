"""MediaPipe's palm detector and landmark network as detector; both come with the package.

Hands of the image before are followed by their fitted keypoints, so nothing is remembered here. Made for hands in front
of a camera: gloves, hands of which little is visible and head-mounted cameras are sometimes missed.
"""

from __future__ import annotations

import numpy as np

from hand3r_ros.checkpoints.landmark_weights import load_landmark_networks
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.network.checkpoints import WeightsError
from hand3r_ros.online.config import ReconstructorConfig
from hand3r_ros.online.detection.base import DetectorUnavailableError
from hand3r_ros.online.detection.boxes import box_around_keypoints
from hand3r_ros.online.detection.hand_regions import HandRegion, region_from_landmarks
from hand3r_ros.online.detection.landmark_expert import LandmarkConfig, LandmarkExpert
from hand3r_ros.online.inference import resolve_device
from hand3r_ros.online.results import CameraFrame, HandDetection, HandLandmarks, HandResult


class MediaPipeDetector:
    """Boxes around 21 landmarks, which the detections carry; the score is the probability that there is a hand."""

    def __init__(self, expert: LandmarkExpert, config: LandmarkConfig) -> None:
        self._expert = expert
        self._config = config

    @classmethod
    def from_config(cls, config: ReconstructorConfig) -> MediaPipeDetector:
        """With the package's weights, on the configured device.

        Raises:
            DetectorUnavailableError: the weights are missing or damaged.

        """
        try:
            networks = load_landmark_networks(config.weights_dir)
        except WeightsError as error:
            raise DetectorUnavailableError(str(error)) from error
        settings = LandmarkConfig(presence=config.detection.min_score, max_hands=max(1, config.max_hands))
        return cls(LandmarkExpert(*networks, resolve_device(config.device)), settings)

    def can_answer(self, frame: CameraFrame) -> bool:
        """Always."""
        return True

    def detect(
        self, frame: CameraFrame, previous: tuple[HandResult, ...], head: tuple[HandDetection, ...] | None = None
    ) -> tuple[HandDetection, ...]:
        """Hands in the image, with their landmarks."""
        followed = tuple(_region(hand) for hand in previous if np.isfinite(hand.keypoints_image).all())
        return tuple(_detection(hand) for hand in self._expert.find(frame.image, followed, self._config))

    def wants_head(self, frame: CameraFrame, previous: tuple[HandResult, ...]) -> bool:
        """Never."""
        return False

    def reset(self) -> None:
        """Stateless."""


def _region(hand: HandResult) -> HandRegion:
    return region_from_landmarks(np.asarray(hand.keypoints_image, np.float64))


def _detection(hand: HandLandmarks) -> HandDetection:
    side = HandSide.RIGHT if hand.right > 0.5 else HandSide.LEFT
    return HandDetection(box_around_keypoints(hand.pixels), side, hand.presence, landmarks=hand)
