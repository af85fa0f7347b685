"""Annotated poses become the network's parameters without moving a vertex."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from miniature_mano import left_hand
from scipy.spatial.transform import Rotation

from hand3r_lab.datasets.mano_annotations import AnnotationModel, mirrored_twin
from hand3r_ros.geometry import Intrinsics
from hand3r_ros.hand_model.data import HandModelData, load_open_hand
from hand3r_ros.hand_model.layer import HandLayer, _quiet_mano_layer
from hand3r_ros.hand_model.mirror import mirror_axis_angle, mirror_points
from hand3r_ros.hand_model.sides import HandSide

CAMERA = Intrinsics(600.0, 600.0, 320.0, 240.0, 640, 480)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(4)


def changed(model: HandModelData, rng: np.random.Generator) -> HandModelData:
    """A hand that is the mirror image of no other."""
    noise = {
        name: getattr(model, name) * rng.uniform(0.7, 1.3, getattr(model, name).shape).astype(np.float32)
        for name in ('v_template', 'shapedirs', 'posedirs')
    }
    return dataclasses.replace(model, **noise)


def posed(model: HandModelData, axis_angle: np.ndarray, betas: np.ndarray, translation: np.ndarray) -> np.ndarray:
    """(778, 3) vertices by smplx itself, with MANO's own convention of the translation."""
    rotations = torch.from_numpy(Rotation.from_rotvec(axis_angle.reshape(16, 3)).as_matrix()).float()[None]
    layer = _quiet_mano_layer(model)
    output = layer(
        betas=torch.from_numpy(betas).float()[None], global_orient=rotations[:, :1], hand_pose=rotations[:, 1:]
    )
    return output.vertices[0].double().numpy() + translation


@pytest.mark.parametrize('side', list(HandSide))
def test_meshes_are_those_of_the_annotators_own_model(side: HandSide, rng: np.random.Generator) -> None:
    right, left = load_open_hand(), changed(left_hand(), rng)
    axis_angle, betas = rng.normal(0.0, 0.4, 48), rng.normal(0.0, 1.0, 10)
    translation = np.array([0.1, -0.05, 0.7])
    hand = AnnotationModel(right, left).hand(side, axis_angle, betas, translation, CAMERA)
    expected = posed(right if side == HandSide.RIGHT else left, axis_angle, betas, translation)
    np.testing.assert_allclose(hand.vertices_camera, expected, atol=2e-6)


def test_without_mano_left_the_shape_space_is_the_released_one(rng: np.random.Generator) -> None:
    right = load_open_hand()
    released = dataclasses.replace(left_hand(), shapedirs=right.shapedirs)
    axis_angle, betas = rng.normal(0.0, 0.4, 48), rng.normal(0.0, 1.0, 10)
    translation = np.array([0.0, 0.0, 0.6])
    hand = AnnotationModel(right).hand(HandSide.LEFT, axis_angle, betas, translation, CAMERA)
    np.testing.assert_allclose(hand.vertices_camera, posed(released, axis_angle, betas, translation), atol=2e-6)


def test_principal_components_of_both_sides(rng: np.random.Generator) -> None:
    right, left = load_open_hand(), changed(left_hand(), rng)
    left = dataclasses.replace(left, hands_components=rng.normal(0, 1, (45, 45)).astype(np.float32))
    model = AnnotationModel(right, left)
    coefficients = rng.normal(0.0, 1.0, 45)
    for side, own in ((HandSide.RIGHT, right), (HandSide.LEFT, left)):
        expected = own.hands_mean + coefficients @ own.hands_components
        np.testing.assert_allclose(model.axis_angle_from_components(coefficients, side), expected, atol=1e-5)


def test_parameters_of_left_hands_are_right_looking(rng: np.random.Generator) -> None:
    right = load_open_hand()
    axis_angle, betas = rng.normal(0.0, 0.4, (16, 3)), rng.normal(0.0, 1.0, 10)
    hand = AnnotationModel(right, left_hand()).hand(HandSide.LEFT, axis_angle, betas, np.zeros(3), CAMERA)
    expected = Rotation.from_rotvec(mirror_axis_angle(axis_angle)).as_matrix()
    np.testing.assert_allclose(hand.rotations, expected, atol=1e-12)
    np.testing.assert_allclose(hand.betas, betas, atol=1e-4)
    mesh = HandLayer(right)(
        torch.from_numpy(hand.rotations).float()[None], torch.from_numpy(hand.betas).float()[None], torch.tensor([True])
    )
    wrist_relative = hand.vertices_camera - hand.wrist_camera
    np.testing.assert_allclose(mirror_points(mesh.vertices[0].double().numpy()), wrist_relative, atol=1e-5)


def test_betas_of_the_released_left_hand_are_the_nearest_of_the_right_model(rng: np.random.Generator) -> None:
    right = load_open_hand()
    betas = rng.normal(0.0, 1.0, 10)
    hand = AnnotationModel(right).hand(HandSide.LEFT, np.zeros(48), betas, np.zeros(3), CAMERA)

    def distance(candidate: np.ndarray) -> float:
        flat = torch.eye(3).repeat(1, 16, 1, 1)
        mesh = HandLayer(right)(flat, torch.from_numpy(candidate).float()[None], torch.tensor([True]))
        mirrored = mirror_points(mesh.vertices[0].double().numpy())
        return float(np.square(mirrored - (hand.vertices_camera - hand.wrist_camera)).sum())

    best = distance(hand.betas)
    assert best < 0.9 * distance(betas)
    for change in rng.normal(0.0, 0.1, (20, 10)):
        assert distance(hand.betas + change) > best


def test_twin_of_a_twin_is_the_model_itself(rng: np.random.Generator) -> None:
    model = changed(left_hand(), rng)
    again = mirrored_twin(mirrored_twin(model))
    for field in dataclasses.fields(model):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(model, field.name))
