"""The steps of the open hand's build, on small cases with known answers."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hand3r_lab.open_hand.anthropometry import fit_joint_regressor, random_shapes, shape_space
from hand3r_lab.open_hand.correctives import SkinningProblem, fit_pose_blend_shapes, skinning_errors
from hand3r_lab.open_hand.glb import read_glb
from hand3r_lab.open_hand.skinning import dual_quaternion_blend, linear_blend, skinning_transforms
from hand3r_lab.open_hand.source import SourceHand, read_source
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.rig import load_open_hand_rig


@pytest.fixture(scope='module')
def hand() -> SourceHand:
    data, rig = load_open_hand(), load_open_hand_rig()
    return SourceHand(data.v_template.astype(float), data.f, data.weights.astype(float), rig.joints, rig.bone_frames)


def curled(degrees: float) -> np.ndarray:
    """(16, 3, 3): every joint of the index finger flexed by ``degrees``."""
    rotations = np.tile(np.eye(3), (16, 1, 1))
    axes = load_open_hand_rig().bone_frames[1:4, :, 0]
    rotations[1:4] = Rotation.from_rotvec(np.deg2rad(degrees) * axes).as_matrix()
    return rotations


def test_other_source_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / 'right.glb').write_bytes(b'glTF')
    with pytest.raises(ValueError, match=r'SHA-256 is .* not that of dist/profiles/generic-hand/right\.glb'):
        read_source(tmp_path / 'right.glb')


def test_reads_a_skinned_glb(tmp_path: Path) -> None:
    positions = np.arange(9, dtype='<f4').reshape(3, 3)
    joints = np.array([[0, 1, 0, 0]] * 3, 'u1')
    weights = np.tile(np.array([[0.25, 0.75, 0, 0]], '<f4'), (3, 1))
    indices = np.array([0, 1, 2, 0], '<u2')[:3]
    bind = np.tile(np.eye(4, dtype='<f4'), (2, 1, 1))
    bind[1, :3, 3] = 1, 2, 3
    arrays = [positions, joints, weights, indices, np.linalg.inv(bind).transpose(0, 2, 1).astype('<f4')]
    kinds = [(5126, 'VEC3', 3), (5121, 'VEC4', 3), (5126, 'VEC4', 3), (5123, 'SCALAR', 3), (5126, 'MAT4', 2)]
    binary, views = b'', []
    for array in arrays:
        binary += b'\0' * (-len(binary) % 4)
        views.append({'buffer': 0, 'byteOffset': len(binary), 'byteLength': array.nbytes})
        binary += array.tobytes()
    scene = {
        'bufferViews': views,
        'accessors': [
            {'bufferView': index, 'componentType': component, 'type': kind, 'count': count}
            for index, (component, kind, count) in enumerate(kinds)
        ],
        'meshes': [{'primitives': [{'attributes': {'POSITION': 0, 'JOINTS_0': 1, 'WEIGHTS_0': 2}, 'indices': 3}]}],
        'skins': [{'joints': [1, 0], 'inverseBindMatrices': 4}],
        'nodes': [{'name': 'tip'}, {'name': 'base'}],
    }
    text = json.dumps(scene).encode()
    text += b' ' * (-len(text) % 4)
    header = struct.pack('<4sII', b'glTF', 2, 28 + len(text) + len(binary)) + struct.pack('<I4s', len(text), b'JSON')
    path = tmp_path / 'hand.glb'
    path.write_bytes(header + text + struct.pack('<I4s', len(binary), b'BIN\0') + binary)
    mesh = read_glb(path)
    np.testing.assert_array_equal(mesh.vertices, positions)
    np.testing.assert_array_equal(mesh.faces, [[0, 1, 2]])
    np.testing.assert_array_equal(mesh.joint_weights, weights)
    assert mesh.joint_names == ('base', 'tip')
    np.testing.assert_allclose(mesh.bind_poses[1, :3, 3], [1, 2, 3], atol=1e-6)
    path.write_bytes(b'not a model at all')
    with pytest.raises(ValueError, match='not a binary glTF 2 file'):
        read_glb(path)


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_both_skinnings_agree_where_one_joint_moves_a_vertex(hand: SourceHand, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rotations = Rotation.from_rotvec(rng.normal(0.0, 1.0, (16, 3))).as_matrix()
    transforms = skinning_transforms(hand.joints, rotations)
    rigid = np.eye(16)[rng.integers(0, 16, len(hand.vertices))]
    linear, _ = linear_blend(hand.vertices, rigid, transforms)
    np.testing.assert_allclose(dual_quaternion_blend(hand.vertices, rigid, transforms), linear, atol=1e-9)


def test_dual_quaternions_do_not_tear_a_finger_that_turns_past_half_a_revolution(hand: SourceHand) -> None:
    """Three joints of 85 degrees turn the fingertip by 255: signs taken relative to the wrist would flip it."""
    edges = np.unique(np.sort(np.vstack([hand.faces[:, [0, 1]], hand.faces[:, [1, 2]]]), axis=1), axis=0)
    length = np.linalg.norm(hand.vertices[edges[:, 0]] - hand.vertices[edges[:, 1]], axis=1)
    finger = (hand.weights[:, 2:4].sum(1) > 0.99)[edges].all(1)
    previous = None
    for degrees in (55.0, 65.0, 75.0, 85.0):
        transforms = skinning_transforms(hand.joints, curled(degrees))
        posed = dual_quaternion_blend(hand.vertices, hand.weights, transforms)
        stretched = np.linalg.norm(posed[edges[:, 0]] - posed[edges[:, 1]], axis=1) / length
        assert stretched[finger].max() < 3.0, f'skin of the last joints is torn at {degrees} degrees'
        if previous is not None:
            assert np.linalg.norm(posed - previous, axis=1).max() < 0.06, 'the skin jumps'
        previous = posed


def test_blend_shapes_recover_most_of_the_volume(hand: SourceHand) -> None:
    rng = np.random.default_rng(0)
    poses = np.zeros((40, 15, 3))
    poses[:, :3] = rng.uniform(0.0, 1.4, (40, 3, 1)) * hand.bone_frames[1:4, :, 0]
    problem = SkinningProblem(hand.vertices, hand.weights, hand.joints, poses)
    blend_shapes = fit_pose_blend_shapes(problem)
    assert skinning_errors(problem, blend_shapes).mean() < 0.15 * skinning_errors(problem, None).mean()


def test_random_hands_keep_their_wrist_and_regressed_joints(hand: SourceHand) -> None:
    vertices, joints = random_shapes(hand, 30, np.random.default_rng(2))
    np.testing.assert_allclose(joints[:, 0], np.broadcast_to(hand.joints[0], (30, 3)), atol=1e-12)
    again, _ = random_shapes(hand, 30, np.random.default_rng(2))
    np.testing.assert_array_equal(vertices, again)
    regressor, errors = fit_joint_regressor(hand, vertices, joints)
    assert errors.max() < 5e-4 and regressor.min() >= 0.0
    np.testing.assert_allclose(regressor.sum(1), 1.0)


def test_shape_space_restores_the_hands_it_was_made_from(hand: SourceHand) -> None:
    vertices, _ = random_shapes(hand, 60, np.random.default_rng(4))
    space = shape_space(vertices)
    basis = space.shapedirs.reshape(-1, 10)
    betas = np.linalg.lstsq(basis, (vertices - space.template).reshape(60, -1).T, rcond=None)[0]
    restored = space.template + np.einsum('vcb,bn->nvc', space.shapedirs, betas)
    assert np.abs(restored - vertices).max() < 2e-3 and space.explained > 0.99
    np.testing.assert_allclose(betas.std(1), 1.0, atol=0.02)
