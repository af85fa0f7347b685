"""The hand layer agrees with golden data, an own skinning and itself under mirroring, for any number of hands."""

from __future__ import annotations

import importlib.util
import pickle
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hand3r_lab.open_hand.skinning import linear_blend, skinning_transforms
from hand3r_ros.hand_model.data import ARRAY_NAMES, HandModelData, hand_model_from_arrays, load_open_hand
from hand3r_ros.hand_model.joints import (
    FINGERTIP_VERTICES,
    JOINT_NAMES,
    JOINT_PARENTS,
    KEYPOINT_BONES,
    KEYPOINT_NAMES,
    OPENPOSE_FROM_MANO,
)
from hand3r_ros.hand_model.layer import HandLayer, HandMesh
from hand3r_ros.hand_model.mirror import mirror_rotations
from hand3r_ros.hand_model.unpickling import load_mano_pickle

GOLDEN = Path(__file__).resolve().parents[3] / 'shared' / 'reference' / 'golden_hamer'


@pytest.fixture(scope='module')
def data() -> HandModelData:
    return load_open_hand()


@pytest.fixture(scope='module')
def layer(data: HandModelData) -> HandLayer:
    return HandLayer(data)


def random_hands(seed: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    rotations = Rotation.from_rotvec(0.7 * rng.standard_normal((count * 16, 3))).as_matrix().reshape(count, 16, 3, 3)
    return torch.tensor(rotations, dtype=torch.float32), torch.tensor(rng.standard_normal((count, 10))).float()


def _generators() -> ModuleType:
    spec = importlib.util.spec_from_file_location('detgen', GOLDEN / 'detgen.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(not GOLDEN.is_dir(), reason=f'no golden data at {GOLDEN}')
def test_agrees_with_the_golden_hands(tmp_path: Path) -> None:
    path = tmp_path / 'MANO_RIGHT.pkl'
    path.write_bytes(pickle.dumps(_generators().synthetic_mano(sparse_regressor=True), protocol=2))
    golden = np.load(GOLDEN / 'mano.npz')
    layer = HandLayer(hand_model_from_arrays('mano', load_mano_pickle(path, ARRAY_NAMES), path))  # of no side
    right = torch.ones(3, dtype=torch.bool)
    mesh = layer(torch.from_numpy(golden['rotmats']), torch.from_numpy(golden['betas']), right)
    root = mesh.rest_root[:, None]
    for points, name in (
        (mesh.vertices[:, ::6], 'vertices_sub'),
        (mesh.joints, 'joints16_mano'),
        (mesh.keypoints, 'joints21_openpose'),
    ):
        np.testing.assert_allclose((points + root).numpy(), golden[name], atol=1e-6, err_msg=name)
    rest = layer(torch.eye(3).expand(1, 16, 3, 3), torch.zeros(1, 10), right[:1])
    np.testing.assert_allclose((rest.vertices[:, ::6] + rest.rest_root).numpy(), golden['rest_vertices_sub'], atol=1e-6)


def test_agrees_with_an_independent_skinning(data: HandModelData, layer: HandLayer) -> None:
    rotations, betas = random_hands(1, 3)
    mesh = layer(rotations, betas, torch.ones(3, dtype=torch.bool))
    for hand in range(3):
        shaped = data.v_template.astype(float) + data.shapedirs.astype(float) @ betas[hand].double().numpy()
        joints = data.J_regressor.astype(float) @ shaped
        R = rotations[hand].double().numpy()
        posed_shape = shaped + data.posedirs.astype(float) @ (R[1:] - np.eye(3)).reshape(135)
        vertices, _ = linear_blend(posed_shape, data.weights.astype(float), skinning_transforms(joints, R))
        np.testing.assert_allclose(mesh.rest_root[hand], joints[0], atol=1e-6)
        np.testing.assert_allclose(mesh.vertices[hand], vertices - joints[0], atol=2e-6)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_left_hands_are_mirrored_right_hands(layer: HandLayer, seed: int) -> None:
    rotations, betas = random_hands(seed, 2)
    right = layer(rotations, betas, torch.tensor([True, True]))
    mixed = layer(rotations, betas, torch.tensor([True, False]))
    flip = torch.tensor([-1.0, 1.0, 1.0])
    for name in ('vertices', 'joints', 'keypoints', 'rest_root'):
        one, other = getattr(right, name), getattr(mixed, name)
        torch.testing.assert_close(other[0], one[0], atol=1e-7, rtol=0)
        torch.testing.assert_close(other[1], one[1] * flip, atol=1e-7, rtol=0)


@given(seed=st.integers(0, 2**32 - 1), side=st.booleans())
@settings(max_examples=20, deadline=None)
def test_global_rotation_turns_the_hand_about_its_wrist(layer: HandLayer, seed: int, side: bool) -> None:
    rotations, betas = random_hands(seed, 1)
    unturned = rotations.clone()
    unturned[:, 0] = torch.eye(3)
    is_right = torch.tensor([side])
    turned, still = layer(rotations, betas, is_right), layer(unturned, betas, is_right)
    turn = rotations[0, 0] if side else mirror_rotations(rotations[0, 0])
    torch.testing.assert_close(turned.vertices[0], still.vertices[0] @ turn.T, atol=1e-6, rtol=0)
    assert turned.joints[0, 0].abs().max() == 0.0 and turned.keypoints[0, 0].abs().max() == 0.0


def test_no_hands_at_all(layer: HandLayer) -> None:
    mesh = layer(torch.zeros(0, 16, 3, 3), torch.zeros(0, 10), torch.zeros(0, dtype=torch.bool))
    assert mesh.vertices.shape == (0, 778, 3) and mesh.joints.shape == (0, 16, 3)
    assert mesh.keypoints.shape == (0, 21, 3) and mesh.rest_root.shape == (0, 3)


def test_keypoints_are_joints_and_fingertips_in_openpose_order(layer: HandLayer) -> None:
    mesh = layer(*random_hands(2, 1), torch.tensor([True]))
    for keypoint, name in enumerate(KEYPOINT_NAMES):
        if name in JOINT_NAMES:
            expected = mesh.joints[0, JOINT_NAMES.index(name)]
        else:
            finger = name.removesuffix('_tip')
            expected = mesh.vertices[
                0, FINGERTIP_VERTICES[('thumb', 'index', 'middle', 'ring', 'little').index(finger)]
            ]
        assert torch.equal(mesh.keypoints[0, keypoint], expected), name
    assert sorted(OPENPOSE_FROM_MANO) == list(range(21)) and len(KEYPOINT_BONES) == 20
    for joint in range(1, 16):  # the skeleton to draw has the bones of the kinematic tree
        pair = tuple(OPENPOSE_FROM_MANO.index(index) for index in (JOINT_PARENTS[joint], joint))
        assert pair in KEYPOINT_BONES


def test_gradients_reach_rotations_and_betas(layer: HandLayer) -> None:
    rotations, betas = random_hands(3, 2)
    rotations.requires_grad_()
    betas.requires_grad_()
    mesh: HandMesh = layer(rotations, betas, torch.tensor([True, False]))
    (mesh.vertices.square().mean() + mesh.keypoints.square().mean()).backward()
    for gradient in (rotations.grad, betas.grad):
        assert gradient is not None and torch.isfinite(gradient).all() and (gradient.abs().amax(-1) > 0).any()


def test_computes_in_float32(layer: HandLayer) -> None:
    rotations, betas = random_hands(4, 1)
    mesh = layer(rotations.double(), betas.double(), torch.tensor([True]))
    assert mesh.vertices.dtype == mesh.keypoints.dtype == mesh.rest_root.dtype == torch.float32


def test_mixed_precision_does_not_coarsen_the_hand(layer: HandLayer) -> None:
    rotations, betas = random_hands(5, 2)
    is_right = torch.tensor([True, False])
    exact = layer(rotations, betas, is_right)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        mesh = layer(rotations, betas, is_right)
    for name in ('vertices', 'keypoints', 'rest_root'):
        torch.testing.assert_close(getattr(mesh, name), getattr(exact, name), atol=1e-7, rtol=0)


def test_holds_nothing_that_could_be_saved_or_trained(layer: HandLayer) -> None:
    assert not layer.state_dict() and not list(layer.parameters())


def test_constructor_prints_nothing(data: HandModelData, capsys: pytest.CaptureFixture) -> None:
    HandLayer(data)
    assert capsys.readouterr().out == ''


@pytest.mark.parametrize(
    ('rotations', 'betas', 'is_right', 'name'),
    [
        ((2, 15, 3, 3), (2, 10), (2,), 'rotations'),
        ((2, 16, 3, 3), (1, 10), (2,), 'betas'),
        ((2, 16, 3, 3), (2, 10), (3,), 'is_right'),
    ],
)
def test_wrong_shapes_are_named(layer: HandLayer, rotations: tuple, betas: tuple, is_right: tuple, name: str) -> None:
    with pytest.raises(ValueError, match=f'{name} must have shape'):
        layer(torch.zeros(rotations), torch.zeros(betas), torch.zeros(is_right, dtype=torch.bool))
