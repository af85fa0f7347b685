"""A hand is found again from its landmarks, whatever its pose; what no hand explains is said to be so."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.keypoint_fitting import KeypointFitter
from hand3r_ros.hand_model.keypoint_kinematics import KeypointKinematics
from hand3r_ros.hand_model.keypoint_objective import (
    LANDMARK_OFFSETS,
    KeypointObservation,
    limited_angles,
    sight_rotation,
)
from hand3r_ros.hand_model.pose_prior import sample_articulations

KINEMATICS = KeypointKinematics(load_open_hand())
FITTER = KeypointFitter(KINEMATICS)


@dataclasses.dataclass(frozen=True, eq=False)
class TrueHand:
    keypoints: np.ndarray  # (21, 3) m, camera axes
    landmarks: np.ndarray  # (21, 3) m
    angles: np.ndarray
    betas: np.ndarray
    orientation: np.ndarray

    @property
    def observation(self) -> KeypointObservation:
        rays = self.landmarks[:, :2] / self.landmarks[:, 2:]
        metric = (self.landmarks - self.landmarks.mean(0)) @ sight_rotation(rays.mean(0))
        return KeypointObservation(rays, metric, np.ones(21))


def true_hand(seed: int, place=(0.05, -0.03, 0.6), orientation: np.ndarray | None = None) -> TrueHand:
    rng = np.random.default_rng(seed)
    sampled = sample_articulations(rng, 1)
    angles = np.concatenate([sampled.flexion[0].ravel(), sampled.spread[0], sampled.twist[0]])
    betas = 0.4 * rng.normal(size=10)
    orientation = Rotation.random(random_state=seed).as_matrix() if orientation is None else orientation
    points = KINEMATICS.pose(orientation, angles, betas).points + np.array(place)
    return TrueHand(points, points + LANDMARK_OFFSETS @ orientation.T, angles, betas, orientation)


def mean_error(fit, hand: TrueHand, aligned: bool = True) -> float:
    """Millimetres, by default after moving the centres onto each other."""
    found, true = fit.keypoints, hand.keypoints
    if aligned:
        found, true = found - found.mean(0), true - true.mean(0)
    return 1e3 * float(np.linalg.norm(found - true, axis=1).mean())


def test_hands_are_found_in_every_orientation_and_pose():
    """One in some hundred fits ends in another pose with nearly the same landmarks."""
    hands = [true_hand(seed) for seed in range(200)]
    fits = [FITTER.fit(hand.observation) for hand in hands]
    errors = [mean_error(fit, hand) for fit, hand in zip(fits, hands, strict=True)]
    assert max(fit.image_residual for fit in fits) < 0.02
    assert np.median(errors) < 1.5 and np.percentile(errors, 95) < 3.0 and max(errors) < 25.0
    assert np.mean([fit.keypoint_agreement.min() > 0.5 for fit in fits]) > 0.95


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 100_000), st.floats(0.0, 0.2))
def test_no_result_lies_outside_the_joint_limits(seed, noise):
    hand = true_hand(seed)
    rng = np.random.default_rng(seed)
    size = np.ptp(hand.observation.rays, axis=0).max()
    observed = dataclasses.replace(
        hand.observation, rays=hand.observation.rays + noise * size * rng.normal(size=(21, 2))
    )
    fit = FITTER.fit(observed)
    if fit is not None:
        np.testing.assert_allclose(fit.angles, limited_angles(fit.angles), atol=1e-9)
        assert np.isfinite(fit.keypoints).all()
        assert fit.keypoints[:, 2].min() > 0.0


def test_the_true_focal_length_gives_the_true_distance():
    errors = []
    for seed in range(12):
        hand = true_hand(seed, place=(0.0, 0.0, 0.4 + 0.05 * seed))
        fit = FITTER.fit(hand.observation)
        errors.append(abs(fit.wrist[2] / hand.keypoints[0, 2] - 1.0))
    assert np.median(errors) < 0.05


def test_one_landmark_far_off_counts_little_and_is_named():
    hand = true_hand(3)
    rays = hand.observation.rays.copy()
    rays[8] += 0.5 * np.ptp(rays, axis=0)
    clean = FITTER.fit(hand.observation)
    fit = FITTER.fit(dataclasses.replace(hand.observation, rays=rays))
    assert fit.keypoint_agreement.argmin() == 8
    assert fit.keypoint_agreement[8] < 0.2
    assert mean_error(fit, hand) < mean_error(clean, hand) + 6.0


def test_points_that_are_no_hand_are_not_explained():
    rng = np.random.default_rng(0)
    for _ in range(10):
        observed = KeypointObservation(rng.normal(0.0, 0.1, (21, 2)), rng.normal(0.0, 0.04, (21, 3)), np.ones(21))
        fit = FITTER.fit(observed)
        assert fit is None or fit.image_residual > 0.04


def test_a_moving_hand_is_followed_and_its_shape_settles():
    errors, shapes, previous = [], [], None
    rng = np.random.default_rng(1)
    base = true_hand(7)
    for step in range(40):
        turn = Rotation.from_euler('yxz', [2.0 * step, step, 0.0], degrees=True).as_matrix()
        points = KINEMATICS.pose(turn @ base.orientation, base.angles, base.betas).points
        points = points + np.array([0.004 * step - 0.08, 0.02, 0.5])
        landmarks = points + LANDMARK_OFFSETS @ (turn @ base.orientation).T
        hand = TrueHand(points, landmarks, base.angles, base.betas, turn @ base.orientation)
        rays = hand.observation.rays
        noisy = rays + 0.004 * np.ptp(rays, axis=0).max() * rng.normal(size=(21, 2))
        previous = FITTER.fit(dataclasses.replace(hand.observation, rays=noisy), previous, 1.0 / 30.0)
        errors.append(mean_error(previous, hand))
        shapes.append(previous.betas)
    assert np.mean(errors[20:]) < 6.0
    settled = np.linalg.norm(np.diff(shapes, axis=0), axis=1)
    assert settled[-10:].mean() < 0.5 * settled[:5].mean()


def test_after_a_jump_the_fit_begins_anew():
    previous = FITTER.fit(true_hand(11).observation)
    hand = true_hand(12, place=(-0.2, 0.1, 0.9))
    fit = FITTER.fit(hand.observation, previous, 1.0 / 30.0)
    fresh = FITTER.fit(hand.observation)
    assert mean_error(fit, hand) < mean_error(fresh, hand) + 3.0


def test_without_metric_points_the_image_alone_decides():
    hand = true_hand(5, orientation=Rotation.from_euler('xz', [90, 90], degrees=True).as_matrix())
    fit = FITTER.fit(dataclasses.replace(hand.observation, points_metric=None))
    assert fit is not None and fit.image_residual < 0.03


@pytest.mark.parametrize('rays', [np.full((21, 2), np.nan), np.zeros((21, 2)), np.full((21, 2), 1e300)])
def test_what_cannot_be_a_hand_gives_nothing(rays):
    assert FITTER.fit(KeypointObservation(rays, None, np.ones(21))) is None
