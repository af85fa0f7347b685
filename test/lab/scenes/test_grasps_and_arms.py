"""Held objects touch the fingers without piercing them; arms have constant bones and reach the wrist."""

import numpy as np
import pytest

from hand3r_lab.scenes import arms
from hand3r_lab.scenes.grasps import find_grasps, posed_vertices
from hand3r_lab.scenes.hand_appearance import wrist_cut
from hand3r_lab.scenes.hand_poses import articulation, articulation_pool, flexion_axes
from hand3r_lab.scenes.paths import wander
from hand3r_ros.hand_model.data import load_open_hand


def clearance(grasp, vertices):
    """Distance (778,) of points from the grasp's endless object; negative inside."""
    local = (vertices - grasp.centre) @ grasp.axes
    if grasp.shape == 'sphere':
        return np.linalg.norm(local, axis=-1) - grasp.radius
    if grasp.shape == 'bar':
        return np.abs(local[:, :2]).max(-1) - grasp.radius
    return np.linalg.norm(local[:, :2], axis=-1) - grasp.radius


@pytest.fixture(scope='module')
def grasps():
    found = find_grasps(np.random.default_rng(5), 24)
    return found, posed_vertices(np.stack([grasp.articulation for grasp in found]))


def test_fitted_objects_are_held_and_not_pierced(grasps):
    found, vertices = grasps
    owner = load_open_hand().weights.argmax(1)
    touching = []
    for grasp, hand in zip(found, vertices, strict=True):
        gap = clearance(grasp.refitted(hand), hand)
        assert gap.min() > -0.002
        fingers = [gap[(owner > 3 * finger) & (owner <= 3 * finger + 3)].min() for finger in range(5)]
        touching.append(sum(one < 0.006 for one in fingers))
    assert np.mean(touching) > 3.0  # most fingers lie on the object


def test_different_shapes_are_grasped(grasps):
    assert {grasp.shape for grasp in grasps[0]} == {'cylinder', 'bar', 'sphere'}


def test_positive_flexion_moves_fingertips_towards_the_palm():
    flexion = np.zeros((2, 5, 3))
    flexion[1] = 0.5
    open_hand, closed = posed_vertices(articulation(flexion, np.zeros((2, 5)), np.zeros(2)))
    for tip in (320, 443, 554, 671):
        assert closed[tip, 1] < open_hand[tip, 1] - 0.02
    np.testing.assert_allclose(np.linalg.norm(flexion_axes(), axis=1), 1.0)


def test_opposition_brings_the_thumb_to_the_palm_side():
    opposition = np.array([0.0, 0.5])
    rest, opposed = posed_vertices(articulation(np.zeros((2, 5, 3)), np.zeros((2, 5)), opposition))
    assert opposed[744, 1] < rest[744, 1] - 0.01


def test_sampled_articulations_are_varied_and_bounded():
    poses = articulation_pool(104_729)[:300]
    angles = np.linalg.norm(poses, axis=-1)
    assert angles.max() < np.deg2rad(130.0)
    assert poses.reshape(300, 45).std(0).max() > 0.4
    assert np.isfinite(poses).all()


def test_arms_keep_their_bone_lengths_and_reach_the_wrist():
    rng = np.random.default_rng(2)
    shoulder = np.array([0.18, -0.15, 1.1]) + wander(rng, 20, [0.02] * 3, 8)
    wrist = np.array([0.1, 0.25, 0.85]) + wander(rng, 20, [0.06] * 3, 8)
    arm = arms.reach(shoulder, wrist, 0.74)
    np.testing.assert_allclose(np.linalg.norm(arm.elbow - arm.shoulder, axis=1), arms.UPPER_ARM, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(arm.wrist - arm.elbow, axis=1), arms.FOREARM, atol=1e-9)
    np.testing.assert_array_equal(arm.wrist, wrist)
    share = np.linspace(0.0, 1.0, 9)[:, None, None]
    forearm = arm.elbow + share * (arm.wrist - arm.elbow)
    assert forearm[forearm[..., 1] > 0.0][:, 2].min() > 0.74


def test_a_neutral_right_hand_continues_the_forearm_palm_down():
    forward = np.array([[0.0, 1.0, 0.0]])
    still = np.zeros(1)
    rotation = arms.hand_orientation(forward, still, still, still)[0]
    np.testing.assert_allclose(rotation @ [-1.0, 0, 0], [0, 1, 0], atol=1e-12)  # fingers
    np.testing.assert_allclose(rotation @ [0, -1.0, 0], [0, 0, -1], atol=1e-12)  # palm
    np.testing.assert_allclose(rotation @ [0, 0, 1.0], [-1, 0, 0], atol=1e-12)  # thumb
    turned = arms.hand_orientation(forward, np.array([np.pi / 2]), still, still)[0]
    np.testing.assert_allclose(turned @ [0, 0, 1.0], [0, 0, 1], atol=1e-12)  # thumb up
    flexed = arms.hand_orientation(forward, still, np.array([0.5]), still)[0]
    assert (flexed @ [-1.0, 0, 0])[2] < -0.4  # fingers point down


@pytest.mark.parametrize('sign', [-2.0, 0.0, 2.0])
def test_the_arm_starts_on_the_outline_of_the_hand(sign):
    """The second ring of the arm lies within 2 mm of the last vertices of the hand mesh."""
    betas = np.zeros(10)
    betas[:3] = sign
    data = load_open_hand()
    shaped = data.v_template + data.shapedirs @ betas.astype(np.float32)
    local = shaped - data.J_regressor[0] @ shaped
    cut = wrist_cut(betas, arms.RING_POINTS)
    end = local[local[:, 0] - cut.slant * local[:, 1] > cut.offset - 0.006]
    arm = arms.ArmPath(np.tile([0.5, -0.1, 0.0], (2, 1)), np.tile([0.25, 0.0, 0.0], (2, 1)), np.zeros((2, 3)))
    orientation = np.tile(np.eye(3), (2, 1, 1))
    ring = arms.arm_rings(arm, orientation, cut)[0, 1]
    fine = np.concatenate([ring[:-1] + t * (ring[1:] - ring[:-1]) for t in np.linspace(0, 1, 20)])
    distance = np.linalg.norm(end[:, None, 1:] - fine[None, :, 1:], axis=-1).min(1)
    assert distance.max() < 0.002
