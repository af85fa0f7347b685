"""Keypoints from anatomical angles are those of the hand layer, and their derivatives are finite differences."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hand3r_ros.hand_model.articulation import axis_angle_from_articulation
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.keypoint_kinematics import NUM_ANGLES, KeypointKinematics, bone_frames
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.hand_model.pose_prior import sample_articulations
from hand3r_ros.hand_model.rig import load_open_hand_rig

KINEMATICS = KeypointKinematics(load_open_hand())
LAYER = HandLayer(load_open_hand())


def sample(seed):
    rng = np.random.default_rng(seed)
    articulation = sample_articulations(rng, 1)
    angles = np.concatenate([articulation.flexion[0].ravel(), articulation.spread[0], articulation.twist[0]])
    return articulation, angles, rng.normal(size=10), Rotation.random(random_state=seed).as_matrix()


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000))
def test_keypoints_are_those_of_the_hand_layer(seed):
    articulation, angles, betas, orientation = sample(seed)
    joints = Rotation.from_rotvec(axis_angle_from_articulation(articulation, load_open_hand_rig().bone_frames)[0])
    rotations = np.concatenate([orientation[None], joints.as_matrix()])
    np.testing.assert_allclose(KINEMATICS.local_rotations(angles), joints.as_matrix(), atol=1e-6)
    mesh = LAYER(torch.from_numpy(rotations)[None].float(), torch.from_numpy(betas)[None].float(), torch.tensor([True]))
    found = KINEMATICS.pose(orientation, angles, betas).points
    np.testing.assert_allclose(found, mesh.keypoints[0].numpy(), atol=2e-7)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 10_000))
def test_derivatives_are_those_of_finite_differences(seed):
    _, angles, betas, orientation = sample(seed)
    posed, step = KINEMATICS.pose(orientation, angles, betas), 1e-6
    for index in range(NUM_ANGLES):
        moved = KINEMATICS.pose(orientation, angles + step * np.eye(NUM_ANGLES)[index], betas)
        np.testing.assert_allclose((moved.points - posed.points) / step, posed.by_angle[..., index], atol=1e-6)
    for index in range(10):
        moved = KINEMATICS.pose(orientation, angles, betas + step * np.eye(10)[index])
        np.testing.assert_allclose((moved.points - posed.points) / step, posed.by_beta[..., index], atol=1e-6)


def test_axes_of_another_hand_model_follow_its_own_bones():
    model = load_open_hand()
    joints = model.J_regressor.astype(float) @ model.v_template.astype(float)
    turned = Rotation.from_euler('y', 20, degrees=True).as_matrix()
    other = type(model)(**{**vars(model), 'id': 'mano', 'v_template': (model.v_template @ turned.T).astype(np.float32)})
    frames = bone_frames(other, joints @ turned.T)
    expected = turned @ load_open_hand_rig().bone_frames[1:]
    # The shortest turn of a bone need not turn about the bone itself, so only the bones are compared.
    np.testing.assert_allclose(frames[1:, :, 2], expected[..., 2], atol=2e-2)
    for frame in frames:
        np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-6)


@pytest.mark.parametrize('finger', range(5))
def test_flexing_a_finger_brings_its_tip_to_the_palm(finger):
    straight = np.zeros(NUM_ANGLES)
    bent = straight.copy()
    bent[3 * finger : 3 * finger + 3] = 0.5
    tip = (8, 12, 20, 16, 4)[finger]
    rest, closed = (KINEMATICS.pose(np.eye(3), angles, np.zeros(10)).points for angles in (straight, bent))
    assert np.linalg.norm(closed[tip] - closed[0]) < np.linalg.norm(rest[tip] - rest[0])
