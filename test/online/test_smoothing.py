"""One-euro filters: no effect on the first frame, less jitter at rest, little lag in motion."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hand3r_ros.geometry import make_transform, rotation_angle
from hand3r_ros.online.config import SmoothingConfig
from hand3r_ros.online.smoothing import HandSmoother, OneEuroPosition, OneEuroRotation, smoothing_fraction

FRAME_NS = 33_333_333


@given(st.floats(1e-3, 100.0), st.floats(1e-4, 10.0))
def test_the_fraction_is_between_standing_still_and_following(cutoff, seconds):
    assert 0.0 < smoothing_fraction(cutoff, seconds) < 1.0
    assert smoothing_fraction(cutoff, 2.0 * seconds) > smoothing_fraction(cutoff, seconds)


def test_jitter_at_rest_becomes_smaller():
    rng = np.random.default_rng(0)
    position, rotation = OneEuroPosition(SmoothingConfig()), OneEuroRotation(SmoothingConfig())
    raw = rng.normal(0.0, 0.004, (300, 3))
    turns = Rotation.from_rotvec(rng.normal(0.0, 0.03, (300, 3))).as_matrix()
    smooth = np.array([position.update(p, i * FRAME_NS) for i, p in enumerate(raw)])
    turned = np.array([rotation.update(r, i * FRAME_NS) for i, r in enumerate(turns)])
    assert smooth[50:].std() < 0.6 * raw[50:].std()
    assert rotation_angle(turned[50:]).mean() < 0.7 * rotation_angle(turns[50:]).mean()


def test_fast_motion_is_followed_closely():
    position = OneEuroPosition(SmoothingConfig())
    speed = np.array([1.0, 0.0, 0.0])
    last = [position.update(speed * i * FRAME_NS * 1e-9, i * FRAME_NS) for i in range(60)][-1]
    assert np.linalg.norm(last - speed * 59 * FRAME_NS * 1e-9) < 0.05


def test_constant_input_is_kept_exactly_and_the_first_frame_is_untouched():
    T = make_transform(Rotation.from_rotvec([0.3, -2.0, 1.0]).as_matrix(), [0.1, 0.2, 0.3])
    smoother = HandSmoother(SmoothingConfig())
    for i in range(5):
        assert np.allclose(smoother.update(1, T, i * FRAME_NS), T)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3), st.integers(0, 10**9)), min_size=1))
def test_results_are_rigid_whatever_comes(inputs):
    smoother, stamp = HandSmoother(SmoothingConfig()), 0
    for x, y, z, step in inputs:
        stamp += step
        T = make_transform(Rotation.from_rotvec([x, y, z]).as_matrix(), [z, x, y])
        smoothed = smoother.update(3, T, stamp)
        assert np.allclose(smoothed[:3, :3] @ smoothed[:3, :3].T, np.eye(3), atol=1e-9)
        assert np.abs(smoothed[:3, 3]).max() <= 3.0 + 1e-9


def test_rotations_take_the_short_way_round():
    rotation = OneEuroRotation(SmoothingConfig(min_cutoff=3.0))
    rotation.update(Rotation.from_rotvec([0, 0, np.deg2rad(179)]).as_matrix(), 0)
    result = rotation.update(Rotation.from_rotvec([0, 0, np.deg2rad(-179)]).as_matrix(), FRAME_NS)
    assert abs(Rotation.from_matrix(result).as_rotvec()[2]) > np.deg2rad(178.9)


def test_tracks_are_filtered_apart_and_forgotten():
    smoother = HandSmoother(SmoothingConfig())
    here, there = make_transform(np.eye(3), [0, 0, 0]), make_transform(np.eye(3), [1, 0, 0])
    smoother.update(1, here, 0)
    assert np.allclose(smoother.update(2, there, 0), there)
    smoother.keep_only({2})
    assert np.allclose(smoother.update(1, there, FRAME_NS), there)
