"""Mirroring is its own inverse and agrees between points, rotations and axis-angle vectors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from hand3r_ros.hand_model.mirror import mirror_axis_angle, mirror_points, mirror_rotations

vectors = arrays(np.float64, (4, 3), elements=st.floats(-3.0, 3.0))
FUNCTIONS = [mirror_points, mirror_axis_angle, mirror_rotations]


@given(values=arrays(np.float64, (2, 3, 3), elements=st.floats(-3.0, 3.0)))
@pytest.mark.parametrize('function', FUNCTIONS)
def test_mirroring_twice_is_the_identity(function, values) -> None:
    np.testing.assert_array_equal(function(function(values)), values)


@given(axis_angle=vectors, points=vectors)
@settings(max_examples=50)
def test_mirrored_rotations_act_on_mirrored_points(axis_angle, points) -> None:
    rotations = Rotation.from_rotvec(axis_angle).as_matrix()
    expected = mirror_points(np.einsum('nab,nb->na', rotations, points))
    mirrored = mirror_rotations(rotations)
    np.testing.assert_allclose(np.einsum('nab,nb->na', mirrored, mirror_points(points)), expected, atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(mirrored), 1.0, atol=1e-12)


@given(axis_angle=vectors)
@settings(max_examples=50)
def test_axis_angle_and_matrices_agree(axis_angle) -> None:
    from_axis_angle = Rotation.from_rotvec(mirror_axis_angle(axis_angle)).as_matrix()
    np.testing.assert_allclose(
        from_axis_angle, mirror_rotations(Rotation.from_rotvec(axis_angle).as_matrix()), atol=1e-9
    )


@pytest.mark.parametrize('function', FUNCTIONS)
def test_torch_and_numpy_agree_and_keep_their_types(function) -> None:
    values = np.random.default_rng(0).standard_normal((5, 3, 3)).astype(np.float32)
    tensor = torch.from_numpy(values).requires_grad_()
    result = function(tensor)
    assert result.dtype == torch.float32 and function(values).dtype == np.float32
    np.testing.assert_array_equal(result.detach().numpy(), function(values))
    result.sum().backward()
    assert tensor.grad is not None


def test_points_change_only_in_x() -> None:
    np.testing.assert_array_equal(mirror_points(np.array([[1, 2, 3]])), [[-1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(mirror_axis_angle(np.array([1.0, 2.0, 3.0])), [1.0, -2.0, -3.0])
