"""CPU time of hands by landmarks: palm detector, landmark network, and the fit of the hand model, cold and warm.

On a rendered hand, in milliseconds of CPU time of one thread, medians. Two hands that are followed take two crops and
two warm fits an image; the palm detector is asked while fewer hands are followed than are wanted.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hand3r_lab.benchmark.measuring import median_seconds
from hand3r_lab.cpu_threads import opencv_threads, torch_threads
from hand3r_ros.checkpoints.landmark_weights import load_landmark_networks
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.keypoint_fitting import KeypointFitter
from hand3r_ros.hand_model.keypoint_kinematics import NUM_ANGLES, KeypointKinematics
from hand3r_ros.hand_model.keypoint_objective import KeypointObservation
from hand3r_ros.online.detection.hand_regions import HandRegion
from hand3r_ros.online.detection.landmark_expert import LandmarkConfig, LandmarkExpert

REPETITIONS = 30
PRESENT_ANYWAY = LandmarkConfig(presence=0.0, max_hands=1)
"""The time does not depend on what a crop shows."""

SECONDS_BETWEEN = 1.0 / 30.0
PLACE = np.array([0.0, 0.0, 0.5])  # m, of the wrist
MOVED = np.array([0.01, 0.0, 0.0])  # m, between two images


def landmark_numbers(weights_dir: Path | None = None, repetitions: int = REPETITIONS) -> dict[str, float]:
    """Names to milliseconds, and the whole for two followed hands."""
    with torch_threads(1), opencv_threads(1):
        expert = LandmarkExpert(*load_landmark_networks(weights_dir))
        image = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)
        region = HandRegion(np.array([320.0, 240.0]), 200.0, 0.3)
        without = LandmarkConfig(palm_score=1.0)
        palms = median_seconds(lambda: expert.palms(image, without), repetitions).cpu
        landmarks = median_seconds(lambda: expert.find(image, (region,), PRESENT_ANYWAY), repetitions).cpu
        cold, warm = _fits(repetitions)
    return {
        'landmarks: palm detector, one image, CPU ms': 1e3 * palms,
        'landmarks: landmark network, one hand, CPU ms': 1e3 * landmarks,
        'landmarks: fit, cold, one hand, CPU ms': 1e3 * cold,
        'landmarks: fit, warm, one hand, CPU ms': 1e3 * warm,
        'landmarks: two followed hands, one image, CPU ms': 2e3 * (landmarks + warm),
    }


def _fits(repetitions: int) -> tuple[float, float]:
    """CPU seconds of a fit from nothing, and of one that begins from that of the image before."""
    kinematics = KeypointKinematics(load_open_hand())
    fitter = KeypointFitter(kinematics)
    angles = np.zeros(NUM_ANGLES)
    angles[:15] = 0.4
    points = kinematics.pose(np.diag([1.0, -1.0, -1.0]), angles, np.zeros(10)).points
    first, second = (_observed(points + place) for place in (PLACE, PLACE + MOVED))
    before = fitter.fit(first)
    cold = median_seconds(lambda: fitter.fit(first), repetitions).cpu
    return cold, median_seconds(lambda: fitter.fit(second, before, SECONDS_BETWEEN), repetitions).cpu


def _observed(points: np.ndarray) -> KeypointObservation:
    noise = np.random.default_rng(1).normal(0.0, 0.002, points.shape)
    seen = points + noise
    return KeypointObservation(seen[:, :2] / seen[:, 2:], seen - seen.mean(0), np.ones(len(points)))
