"""Rotation conversions: golden values, round trips also at 0 and pi, finite gradients."""

from __future__ import annotations

import hamer_golden
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hand3r_ros.network.rotations import (
    axis_angle_from_matrix,
    cross_product_matrix,
    matrix_from_axis_angle,
    matrix_from_rotation_6d,
    quaternion_from_matrix,
    rotation_6d_from_matrix,
)


@st.composite
def axis_angles(draw: st.DrawFn) -> np.ndarray:
    """Any axis with angles over all magnitudes, 0 and pi included."""
    axis = np.array([draw(st.floats(-1.0, 1.0)) for _ in range(3)])
    length = np.linalg.norm(axis)
    axis = axis / length if length > 1e-3 else np.array([0.0, 0.6, 0.8])
    special = st.sampled_from([0.0, 1e-12, 1e-7, 1e-4, 0.0316, 0.0317, np.pi - 1e-9, np.pi - 1e-5, np.pi])
    return axis * draw(special | st.floats(0.0, np.pi))


@hamer_golden.needs_golden
def test_6d_agrees_with_the_published_code_also_where_it_is_degenerate() -> None:
    golden = hamer_golden.arrays('rotations')
    found = matrix_from_rotation_6d(torch.from_numpy(golden['rot6d']))
    np.testing.assert_allclose(found.numpy(), golden['rotmat'], atol=2e-6)


@hamer_golden.needs_golden
@pytest.mark.parametrize('name', ['aa_rotmat_quat', 'aa_rotmat_rodrigues'])
def test_axis_angle_agrees_with_the_published_code(name: str) -> None:
    golden = hamer_golden.arrays('rotations')
    found = matrix_from_axis_angle(torch.from_numpy(golden['aa']))
    np.testing.assert_allclose(found.numpy(), golden[name], atol=2e-6)


@hamer_golden.needs_golden
def test_every_golden_rotation_array_is_compared() -> None:
    expected = {'rot6d', 'rotmat', 'aa', 'aa_rotmat_quat', 'aa_rotmat_rodrigues'}
    assert set(hamer_golden.arrays('rotations')) == expected


def test_6d_layout_is_two_consecutive_vectors_that_become_columns() -> None:
    found = matrix_from_rotation_6d(torch.tensor([0.0, 2.0, 0.0, 0.0, 5.0, 3.0]))
    expected = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize('count', [0, 1, 3, 7])
def test_6d_round_trip_for_any_number_of_rotations(count: int) -> None:
    matrices = torch.from_numpy(Rotation.random(21 * max(count, 1), random_state=0).as_matrix()[: 3 * count])
    matrices = matrices.reshape(count, 3, 3, 3)
    found = matrix_from_rotation_6d(rotation_6d_from_matrix(matrices))
    torch.testing.assert_close(found, matrices)


@settings(max_examples=100, deadline=None)
@given(vector=axis_angles())
def test_axis_angle_to_matrix_agrees_with_scipy(vector: np.ndarray) -> None:
    expected = Rotation.from_rotvec(vector).as_matrix()
    np.testing.assert_allclose(matrix_from_axis_angle(torch.from_numpy(vector)).numpy(), expected, atol=1e-10)
    single = matrix_from_axis_angle(torch.from_numpy(vector).float())
    np.testing.assert_allclose(single.numpy(), expected, atol=1e-6)


@settings(max_examples=100, deadline=None)
@given(vector=axis_angles())
def test_matrix_to_axis_angle_describes_the_same_rotation(vector: np.ndarray) -> None:
    matrix = Rotation.from_rotvec(vector).as_matrix()
    for dtype, tolerance in ((torch.float64, 1e-7), (torch.float32, 2e-6)):
        found = axis_angle_from_matrix(torch.from_numpy(matrix).to(dtype)).double().numpy()
        assert np.linalg.norm(found) <= np.pi + 1e-6
        np.testing.assert_allclose(Rotation.from_rotvec(found).as_matrix(), matrix, atol=tolerance)
        if np.linalg.norm(vector) < 3.0:  # where the vector is unique and well away from its jump
            np.testing.assert_allclose(found, vector, atol=tolerance)


@settings(max_examples=100, deadline=None)
@given(vector=axis_angles())
def test_quaternion_agrees_with_scipy(vector: np.ndarray) -> None:
    rotation = Rotation.from_rotvec(vector)
    found = quaternion_from_matrix(torch.from_numpy(rotation.as_matrix())).numpy()
    assert found[0] >= 0.0
    expected = rotation.as_quat()[[3, 0, 1, 2]]
    assert abs(float(found @ expected)) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize('angle', [0.0, 1e-20, 1e-6, 1.0, np.pi - 1e-6, np.pi])
@pytest.mark.parametrize('axis', [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0), (0.6, 0.0, 0.8)])
def test_gradients_are_finite(axis: tuple[float, ...], angle: float) -> None:
    vector = (torch.tensor(axis) * angle).requires_grad_()
    matrix = matrix_from_axis_angle(vector)
    weights = torch.arange(1.0, 4.0)
    (gradient,) = torch.autograd.grad((axis_angle_from_matrix(matrix) * weights).sum(), vector)
    assert torch.isfinite(gradient).all()
    if angle < 1e-3:  # the round trip is the identity, and so is its derivative
        torch.testing.assert_close(gradient, weights, rtol=1e-4, atol=1e-4)


def test_axis_angle_gradients_agree_with_finite_differences() -> None:
    vectors = torch.tensor(
        [[0.0, 0.0, 0.0], [0.01, 0.0, -0.02], [0.5, -1.0, 0.3], [1.9, 1.9, 0.1]], dtype=torch.float64
    )
    assert torch.autograd.gradcheck(matrix_from_axis_angle, vectors.requires_grad_())
    assert torch.autograd.gradcheck(
        lambda v: axis_angle_from_matrix(matrix_from_axis_angle(v)), vectors.detach().requires_grad_()
    )


def test_degenerate_6d_vectors_have_finite_gradients() -> None:
    vectors = torch.tensor([[0.0] * 6, [1.0, 0.0, 0.0, 2.0, 0.0, 0.0]], requires_grad=True)
    matrix_from_rotation_6d(vectors).sum().backward()
    assert vectors.grad is not None and torch.isfinite(vectors.grad).all()


def test_cross_product_matrix() -> None:
    a, b = torch.randn(5, 3, generator=torch.manual_seed(0)), torch.randn(5, 3, generator=torch.manual_seed(1))
    found = (cross_product_matrix(a) @ b[..., None])[..., 0]
    torch.testing.assert_close(found, torch.linalg.cross(a, b))


@pytest.mark.parametrize(
    ('function', 'shape'),
    [
        (matrix_from_rotation_6d, (4, 5)),
        (matrix_from_axis_angle, (4, 4)),
        (axis_angle_from_matrix, (4, 3)),
        (rotation_6d_from_matrix, (3, 4)),
    ],
)
def test_other_shapes_are_refused(function: object, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match='must have'):
        function(torch.zeros(shape))  # type: ignore[operator]
