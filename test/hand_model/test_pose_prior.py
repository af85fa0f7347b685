"""Sampled poses are anatomically possible, reproducible, varied, and do what their names say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from hand3r_ros.hand_model.articulation import (
    FLEXION_LIMITS,
    SPREAD_LIMITS,
    TWIST_LIMITS,
    Articulation,
    axis_angle_from_articulation,
)
from hand3r_ros.hand_model.joints import FINGERS
from hand3r_ros.hand_model.penetration import penetration_depth, posed_points, segment_distance
from hand3r_ros.hand_model.pose_prior import (
    INDEPENDENT,
    MAX_PENETRATION,
    grip_articulation,
    sample_articulations,
    sample_poses,
)
from hand3r_ros.hand_model.rig import load_open_hand_rig

THUMB, INDEX, MIDDLE = FINGERS.index('thumb'), FINGERS.index('index'), FINGERS.index('middle')
triples = arrays(np.float64, (3,), elements=st.floats(-1.0, 1.0, width=16))


def grip_points(name: str, closure: float = 1.0) -> NDArray:
    """(21, 3) joints in MANO order and fingertips (index, middle, little, ring, thumb)."""
    rig = load_open_hand_rig()
    return posed_points(axis_angle_from_articulation(grip_articulation(name, closure), rig.bone_frames), rig)[0]


@pytest.mark.parametrize('grips', [None, [INDEPENDENT], ['fist', 'pinch_index']])
def test_samples_respect_joint_limits_and_do_not_pass_through_themselves(grips: list | None) -> None:
    rig = load_open_hand_rig()
    samples = sample_articulations(np.random.default_rng(3), 300, grips)
    for angles, limits in (
        (samples.flexion, FLEXION_LIMITS),
        (samples.spread, SPREAD_LIMITS),
        (samples.twist, TWIST_LIMITS),
    ):
        assert (angles >= limits[..., 0] - 1e-12).all() and (angles <= limits[..., 1] + 1e-12).all()
    depth = penetration_depth(axis_angle_from_articulation(samples, rig.bone_frames), rig)
    assert (depth > MAX_PENETRATION).mean() < 0.01


def test_same_generator_same_poses() -> None:
    first, second, other = (sample_poses(np.random.default_rng(seed), 20) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, second)
    assert not np.allclose(first, other)
    assert first.shape == (20, 15, 3) and np.isfinite(first).all()


def test_no_poses_at_all() -> None:
    assert sample_poses(np.random.default_rng(0), 0).shape == (0, 15, 3)


def test_unknown_grips_are_refused() -> None:
    with pytest.raises(KeyError, match='vulcan'):
        sample_poses(np.random.default_rng(0), 1, ['vulcan'])


def test_samples_cover_open_and_closed_hands() -> None:
    flexion = sample_articulations(np.random.default_rng(1), 500).flexion[:, :4].sum(2)
    assert np.quantile(flexion, 0.05) < np.deg2rad(10.0) and np.quantile(flexion, 0.95) > np.deg2rad(180.0)
    assert flexion.std(axis=1).max() > 1.0, 'fingers also move on their own'


@pytest.mark.parametrize(
    ('name', 'finger'), [('pinch_index', INDEX), ('pinch_middle', MIDDLE), ('tripod', INDEX), ('tripod', MIDDLE)]
)
def test_pinching_fingers_meet_the_thumb(name: str, finger: int) -> None:
    closed, opened = grip_points(name), grip_points(name, 0.0)
    distance = [np.linalg.norm(points[16 + THUMB] - points[16 + finger]) for points in (closed, opened)]
    assert distance[0] < 0.03 and distance[1] > distance[0] + 0.01


def test_fists_bring_the_fingertips_to_the_palm_and_pointing_leaves_the_index_out() -> None:
    rest = grip_points('flat', 0.0)
    for name, curled in (('fist', (0, 1, 2, 3)), ('point', (1, 2, 3)), ('victory', (2, 3))):
        points = grip_points(name)
        for finger in range(4):
            reach = np.linalg.norm(points[16 + finger] - points[0]) / np.linalg.norm(rest[16 + finger] - rest[0])
            assert (reach < 0.65) if finger in curled else (reach > 0.9), (name, FINGERS[finger])


def test_positive_angles_have_their_anatomical_meaning() -> None:
    rig = load_open_hand_rig()
    rest = posed_points(np.zeros((1, 15, 3)), rig)[0]

    def moved(**angles: NDArray) -> NDArray:
        zero = {'flexion': np.zeros((1, 5, 3)), 'spread': np.zeros((1, 5)), 'twist': np.zeros((1, 5))}
        pose = axis_angle_from_articulation(Articulation(**{**zero, **angles}), rig.bone_frames)
        return posed_points(pose, rig)[0] - rest

    flexed, spread = moved(flexion=np.full((1, 5, 3), 0.2)), moved(spread=np.full((1, 5), 0.2))
    assert (flexed[16:20, 1] < -0.01).all(), 'flexion brings fingertips to the palm side'
    assert flexed[16 + THUMB, 2] < -0.01, 'and the thumb across the palm'
    assert spread[16 + INDEX, 2] > 0.01 and (spread[[18, 19], 2] < -0.01).all(), 'spread opens the fan of fingers'
    assert spread[16 + THUMB, 1] < -0.005, 'and lifts the thumb out of the palm'


@given(angle=st.floats(-0.4, 1.5), finger=st.integers(0, 4), joint=st.integers(0, 2))
@settings(max_examples=50)
def test_flexion_turns_one_joint_by_that_angle(angle: float, finger: int, joint: int) -> None:
    flexion = np.zeros((1, 5, 3))
    flexion[0, finger, joint] = angle
    frames = load_open_hand_rig().bone_frames
    pose = axis_angle_from_articulation(Articulation(flexion, np.zeros((1, 5)), np.zeros((1, 5))), frames)
    expected = np.zeros((15, 3))
    expected[3 * finger + joint] = angle * frames[1 + 3 * finger + joint, :, 0]
    np.testing.assert_allclose(pose[0], expected, atol=1e-12)


@given(a0=triples, a1=triples, b0=triples, b1=triples)
@settings(max_examples=100, deadline=None)
def test_segment_distance_is_the_least_over_both_segments(a0, a1, b0, b1) -> None:
    t = np.linspace(0.0, 1.0, 41)[:, None]
    first, second = a0 + t * (a1 - a0), b0 + t * (b1 - b0)
    sampled = np.linalg.norm(first[:, None] - second[None], axis=-1).min()
    step = max(np.linalg.norm(a1 - a0), np.linalg.norm(b1 - b0)) / 40
    distance = float(segment_distance(a0, a1, b0, b1))
    assert distance <= sampled + 1e-6 and distance >= sampled - step - 1e-6
