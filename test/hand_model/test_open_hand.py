"""The shipped open hand is a sound model: closed surface, sensible anatomy, faithful skinning, symmetric sides."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hand3r_lab.open_hand.correctives import SkinningProblem, skinning_errors
from hand3r_ros.hand_model.data import OPEN_HAND_FILE, HandModelData, load_open_hand
from hand3r_ros.hand_model.joints import FINGERS, FINGERTIP_VERTICES, KEYPOINT_NAMES, NUM_BETAS, OPENPOSE_FINGERS
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.hand_model.mirror import mirror_points
from hand3r_ros.hand_model.pose_prior import sample_poses
from hand3r_ros.hand_model.rig import HandRig, load_open_hand_rig
from hand3r_ros.hand_model.sides import HandSide


@pytest.fixture(scope='module')
def data() -> HandModelData:
    return load_open_hand()


@pytest.fixture(scope='module')
def rig() -> HandRig:
    return load_open_hand_rig()


def rest_keypoints(betas: NDArray | None = None) -> NDArray:
    betas = np.zeros((1, NUM_BETAS)) if betas is None else np.atleast_2d(betas)
    count = len(betas)
    mesh = HandLayer(load_open_hand())(
        torch.eye(3).expand(count, 16, 3, 3), torch.tensor(betas).float(), torch.ones(count, dtype=torch.bool)
    )
    return mesh.keypoints.numpy()


def volume(vertices: NDArray, faces: NDArray) -> float:
    a, b, c = vertices[faces].astype(float).transpose(1, 0, 2)
    return float(np.einsum('fi,fi->', a, np.cross(b, c)) / 6.0)


def test_file_is_small_and_its_licence_lies_beside_it() -> None:
    assert OPEN_HAND_FILE.stat().st_size < 1_000_000
    licence = OPEN_HAND_FILE.with_name('open_hand_LICENSE.txt').read_text()
    assert 'MIT License' in licence and 'Copyright (c) 2019 Amazon' in licence
    assert '@webxr-input-profiles/assets' in licence


@pytest.mark.parametrize('side', list(HandSide))
def test_surface_is_closed_and_faces_point_outwards(data: HandModelData, side: HandSide) -> None:
    faces = data.faces(side)
    edges = Counter((int(face[i]), int(face[(i + 1) % 3])) for face in faces for i in range(3))
    assert set(edges.values()) == {1}, 'an edge is used twice in the same direction'
    assert all((end, start) in edges for start, end in edges), 'the surface has a hole'
    assert len(np.unique(faces)) == 778 and len(faces) == 2 * (778 - 2)
    vertices = data.v_template if side == HandSide.RIGHT else mirror_points(data.v_template)
    assert 2e-4 < volume(vertices, faces) < 6e-4, 'cubic metres of a hand, positive when faces point outwards'


def test_left_faces_reverse_the_right_ones(data: HandModelData) -> None:
    np.testing.assert_array_equal(data.faces(HandSide.LEFT), data.faces(HandSide.RIGHT)[:, ::-1])


def test_weights_and_regressor_are_averages(data: HandModelData) -> None:
    for matrix in (data.weights, data.J_regressor):
        assert matrix.min() >= 0.0
        np.testing.assert_allclose(matrix.sum(1), 1.0, atol=1e-6)
    assert (data.weights.max(0) > 0.9).all(), 'every joint moves some vertices nearly alone'


def test_axes_and_origin(data: HandModelData) -> None:
    keypoints = dict(zip(KEYPOINT_NAMES, rest_keypoints()[0], strict=True))
    for finger in ('index', 'middle', 'ring', 'little'):
        assert keypoints[f'{finger}_tip'][0] < -0.12, 'fingers point along -x'
    assert keypoints['thumb_tip'][2] > keypoints['index_1'][2] > keypoints['middle_1'][2] > keypoints['little_1'][2]
    root = data.J_regressor[0] @ data.v_template
    assert np.linalg.norm(root) > 0.05, 'the wrist is off the origin, as in MANO: callers must not assume otherwise'


def test_palm_faces_minus_y(data: HandModelData, rig: HandRig) -> None:
    palm = data.v_template[(rig.palm_weights > 0.9) & (data.weights[:, 0] > 0.8)]
    back = data.v_template[(rig.palm_weights < 0.1) & (data.weights[:, 0] > 0.8)]
    assert palm[:, 1].mean() < back[:, 1].mean() - 0.01


def test_bones_have_human_lengths() -> None:
    keypoints = 1e3 * rest_keypoints()[0]
    point = dict(zip(KEYPOINT_NAMES, keypoints, strict=True))

    def bone(start: str, end: str) -> float:
        return float(np.linalg.norm(point[start] - point[end]))

    for finger in ('index', 'middle', 'ring', 'little'):
        proximal, middle = bone(f'{finger}_1', f'{finger}_2'), bone(f'{finger}_2', f'{finger}_3')
        distal, palm = bone(f'{finger}_3', f'{finger}_tip'), bone('wrist', f'{finger}_1')
        assert 32 < proximal < 55 and 18 < middle < 35 and 17 < distal < 30 and 70 < palm < 110, finger
        assert proximal > middle, finger
    assert 170 < bone('wrist', 'middle_tip') < 205
    assert 60 < bone('index_1', 'little_1') < 85
    assert bone('wrist', 'middle_tip') > bone('wrist', 'ring_tip') > bone('wrist', 'little_tip')


def test_fingertips_are_the_ends_of_the_fingers(data: HandModelData, rig: HandRig) -> None:
    for finger, name in enumerate(FINGERS):
        tip = FINGERTIP_VERTICES[OPENPOSE_FINGERS.index(name)]
        np.testing.assert_allclose(rig.fingertips[finger], data.v_template[tip], atol=1e-6)
        along = data.v_template @ rig.bone_frames[3 * finger + 3, :, 2]
        own = data.weights[:, 3 * finger + 3] > 0.9
        assert along[tip] == along[own].max(), name


def test_joints_lie_inside_the_flesh(data: HandModelData, rig: HandRig) -> None:
    np.testing.assert_allclose(data.J_regressor @ data.v_template, rig.joints, atol=1e-5)
    for joint in range(1, 16):
        gap = np.linalg.norm(data.v_template - rig.joints[joint], axis=1).min()
        assert 0.003 < gap < 0.02, joint


def test_first_beta_is_size_and_betas_have_unit_variance(data: HandModelData) -> None:
    sizes = [np.linalg.norm(k[0] - k[12]) for k in rest_keypoints(np.eye(NUM_BETAS)[[0, 0]] * [[-2.0], [2.0]])]
    assert sizes[1] > 1.15 * sizes[0]
    strength = np.linalg.norm(data.shapedirs.astype(float).reshape(-1, NUM_BETAS), axis=0)
    assert (np.diff(strength) <= 1e-6).all(), 'components come in the order of their variance'
    for beta in np.eye(NUM_BETAS):
        for sign in (-3.0, 3.0):
            shape = data.v_template + data.shapedirs @ (sign * beta).astype('f4')
            assert 1e-4 < volume(shape, data.f) < 9e-4


def test_blend_shapes_keep_the_volume_of_bent_fingers(data: HandModelData, rig: HandRig) -> None:
    """Against dual-quaternion skinning: millimetres at most, and much better than without them."""
    poses = sample_poses(np.random.default_rng(77), 60)
    problem = SkinningProblem(data.v_template.astype(float), data.weights.astype(float), rig.joints, poses)
    without, fitted = skinning_errors(problem, None), skinning_errors(problem, data.posedirs.astype(float))
    assert fitted.max() < 0.004 and fitted.mean() < 0.2 * without.mean() and np.quantile(fitted, 0.999) < 0.002


def test_blend_shapes_are_local(data: HandModelData) -> None:
    offsets = np.abs(data.posedirs.reshape(778, 3, 15, 9)).max(axis=(1, 3))
    assert (offsets[data.weights[:, 1:] < 1e-4] == 0.0).all()
    assert (offsets.max(0) > 1e-4).all()


def test_pose_space_is_orthonormal_and_centred_on_a_plausible_pose(data: HandModelData) -> None:
    components = data.hands_components.astype(float)
    np.testing.assert_allclose(components @ components.T, np.eye(45), atol=1e-5)
    assert np.abs(data.hands_mean).max() < 1.2


def test_rig_frames_are_rotations_and_regions_are_where_they_belong(data: HandModelData, rig: HandRig) -> None:
    for frames in (rig.bone_frames, rig.nail_frames):
        np.testing.assert_allclose(
            frames @ frames.transpose(0, 2, 1), np.broadcast_to(np.eye(3), frames.shape), atol=1e-5
        )
        np.testing.assert_allclose(np.linalg.det(frames), 1.0, atol=1e-5)
    for weights in (rig.nail_weights, rig.palm_weights, rig.knuckle_weights):
        assert weights.shape == (778,) and weights.min() >= 0.0 and weights.max() <= 1.0
    assert rig.palm_weights[rig.nail_weights > 0.5].max() < 0.3, 'nails are on the back of the fingers'
    for finger in range(5):
        assert rig.nail_weights[data.weights[:, 3 * finger + 3] > 0.9].max() > 0.5
        assert np.linalg.norm(data.v_template - rig.nail_centers[finger], axis=1).min() < 0.004
    assert rig.bone_radii[1:].min() > 0.003 and rig.bone_radii.max() < 0.025


def test_wrist_ring_goes_around_the_forearm(data: HandModelData, rig: HandRig) -> None:
    ring = data.v_template[rig.wrist_ring].astype(float)
    steps = np.linalg.norm(ring - np.roll(ring, -1, axis=0), axis=1)
    assert 0.12 < steps.sum() < 0.25 and steps.max() < 0.03
    offsets = (ring - ring.mean(0)) @ rig.wrist_direction
    assert np.abs(offsets).max() < 0.002, 'the cut is flat'
    assert (ring - data.J_regressor[0] @ data.v_template)[:, 0].min() > 0.0, 'the cut is on the elbow side of the wrist'
    assert (data.v_template @ rig.wrist_direction).max() < (ring @ rig.wrist_direction).max() + 0.001
