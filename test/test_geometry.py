"""Properties of rigid transforms, quaternions, projection and the axis constants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from hand3r_ros.geometry import (
    R_BODY_OPTICAL,
    Intrinsics,
    invert_transform,
    make_transform,
    matrix_from_quaternion,
    project_points,
    quaternion_from_matrix,
    rotation_angle,
    transform_from_pose7,
    transform_points,
    unproject_depth,
)

LENGTHS = st.floats(-50.0, 50.0)
VECTORS = arrays(np.float64, 3, elements=LENGTHS)
POINTS = arrays(np.float64, (5, 3), elements=LENGTHS)


@st.composite
def rotations(draw) -> np.ndarray:
    vector = draw(arrays(np.float64, 3, elements=st.floats(-4.0, 4.0)))
    return Rotation.from_rotvec(vector).as_matrix()


@st.composite
def transforms(draw) -> np.ndarray:
    return make_transform(draw(rotations()), draw(VECTORS))


@st.composite
def cameras(draw) -> Intrinsics:
    width, height = draw(st.integers(2, 4000)), draw(st.integers(2, 3000))
    focal = draw(st.floats(0.2, 5.0)) * width
    aspect = draw(st.floats(0.8, 1.25))
    cx, cy = draw(st.floats(0.2, 0.8)) * width, draw(st.floats(0.2, 0.8)) * height
    return Intrinsics(focal, focal * aspect, cx, cy, width, height)


@given(transforms(), POINTS)
def test_inverse_brings_points_back(T, points):
    assert np.allclose(transform_points(invert_transform(T), transform_points(T, points)), points, atol=1e-9)
    assert np.allclose(T @ invert_transform(T), np.eye(4), atol=1e-9)


@given(transforms(), transforms(), POINTS)
def test_products_apply_from_right_to_left(T_a_b, T_b_c, points):
    assert np.allclose(
        transform_points(T_a_b @ T_b_c, points), transform_points(T_a_b, transform_points(T_b_c, points))
    )


@given(st.lists(transforms(), min_size=1, max_size=4), POINTS)
def test_batches_are_the_single_results(Ts, points):
    stack = np.stack(Ts)
    assert np.allclose(invert_transform(stack), [invert_transform(T) for T in Ts])
    many = transform_points(stack, np.broadcast_to(points, (len(Ts), 5, 3)))
    assert np.allclose(many, [transform_points(T, points) for T in Ts])
    assert np.allclose(make_transform(stack[:, :3, :3], stack[:, :3, 3]), stack)
    quaternions = quaternion_from_matrix(stack[:, :3, :3])
    assert np.allclose(quaternions, [quaternion_from_matrix(T[:3, :3]) for T in Ts])
    assert rotation_angle(stack[:, :3, :3]).shape == (len(Ts),)


@given(transforms(), POINTS)
def test_rigid_transforms_keep_distances(T, points):
    moved = transform_points(T, points)
    assert np.allclose(np.linalg.norm(moved - moved[:1], axis=1), np.linalg.norm(points - points[:1], axis=1))


@given(rotations())
def test_quaternions_are_unit_with_w_not_negative_and_return_the_rotation(rotation):
    quaternion = quaternion_from_matrix(rotation)
    assert np.isclose(np.linalg.norm(quaternion), 1.0)
    assert quaternion[3] >= 0.0
    assert np.allclose(matrix_from_quaternion(quaternion), rotation, atol=1e-9)


@given(rotations(), st.floats(0.01, 100.0), st.sampled_from([-1.0, 1.0]))
def test_length_and_sign_of_a_quaternion_do_not_matter(rotation, length, sign):
    quaternion = quaternion_from_matrix(rotation)
    assert np.allclose(matrix_from_quaternion(sign * length * quaternion), rotation, atol=1e-9)


def test_quaternion_order_is_x_y_z_w():
    quarter_turn_about_z = [0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)]
    assert np.allclose(matrix_from_quaternion(quarter_turn_about_z) @ [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])


@given(VECTORS, arrays(np.float64, 4, elements=st.floats(-1.0, 1.0)))
def test_pose7_holds_translation_then_quaternion(translation, quaternion):
    assume(np.linalg.norm(quaternion) > 1e-3)
    T = transform_from_pose7([*translation, *quaternion])
    assert np.allclose(T[:3, 3], translation)
    assert np.allclose(T[:3, :3], matrix_from_quaternion(quaternion))


@pytest.mark.parametrize('pose', [[0.0] * 6, [0.0] * 8, [[0.0] * 7]])
def test_pose7_of_another_length_is_refused(pose):
    with pytest.raises(ValueError, match='pose must be 7 numbers'):
        transform_from_pose7(pose)


@pytest.mark.parametrize(
    'pose', [[0.0] * 7, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, float('nan')], [float('inf')] + [0.0] * 5 + [1.0]]
)
def test_pose7_that_is_no_pose_is_refused(pose):
    with pytest.raises(ValueError, match='pose must be'):
        transform_from_pose7(pose)


def test_optical_axes_become_body_axes():
    right, down, forward = np.eye(3)
    assert np.allclose(R_BODY_OPTICAL @ right, [0.0, -1.0, 0.0])
    assert np.allclose(R_BODY_OPTICAL @ down, [0.0, 0.0, -1.0])
    assert np.allclose(R_BODY_OPTICAL @ forward, [1.0, 0.0, 0.0])
    assert np.isclose(np.linalg.det(R_BODY_OPTICAL), 1.0)


@given(cameras(), arrays(np.float64, (4, 2), elements=st.floats(-2.0, 2.0)), st.floats(0.1, 50.0))
def test_projection_is_that_of_the_camera_matrix(camera, rays, depth):
    points = np.column_stack([rays * depth, np.full(4, depth)])
    homogeneous = points @ camera.matrix().T
    assert np.allclose(project_points(points, camera), homogeneous[:, :2] / homogeneous[:, 2:])


@given(cameras(), st.integers(1, 3), st.floats(0.1, 20.0))
def test_unprojected_pixels_project_to_where_they_were(camera, rows, depth):
    small = Intrinsics(camera.fx, camera.fy, camera.cx, camera.cy, 7, rows)
    points = unproject_depth(np.full((rows, 7), depth), small)
    v, u = np.indices((rows, 7))
    assert np.allclose(project_points(points, small), np.stack([u, v], -1), atol=1e-6)
    assert np.allclose(points[..., 2], depth)


def test_points_behind_the_camera_have_no_pixel():
    camera = Intrinsics(100.0, 100.0, 50.0, 50.0, 100, 100)
    pixels = project_points([[0.0, 0.0, -1.0], [0.1, 0.1, 0.0], [0.0, 0.0, 1.0]], camera)
    assert np.isnan(pixels[:2]).all()
    assert np.allclose(pixels[2], [50.0, 50.0])


def test_depth_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r'depth must have the shape of its camera \(100, 80\)'):
        unproject_depth(np.ones((80, 100)), Intrinsics(1.0, 1.0, 0.0, 0.0, 80, 100))


@given(cameras(), st.integers(2, 4000), st.integers(2, 3000))
def test_resizing_maps_the_borders_of_the_image_to_its_borders(camera, width, height):
    """Pixel centres are at integers, so the image reaches from -0.5 to width - 0.5."""
    resized = camera.resized(width, height)
    assert (resized.width, resized.height) == (width, height)
    for source, target in (
        ((-0.5, -0.5), (-0.5, -0.5)),
        ((camera.width - 0.5, camera.height - 0.5), (width - 0.5, height - 0.5)),
    ):
        ray = [(source[0] - camera.cx) / camera.fx, (source[1] - camera.cy) / camera.fy, 1.0]
        assert np.allclose(project_points(ray, resized), target, atol=1e-6 * max(width, height))


@given(cameras(), st.integers(-50, 50), st.integers(-50, 50))
def test_cropping_shifts_pixels(camera, left, top):
    cropped = camera.cropped(left, top, 30, 20)
    point = [0.1, -0.2, 1.5]
    assert np.allclose(project_points(point, cropped) + np.array([left, top]), project_points(point, camera))
    assert (cropped.width, cropped.height) == (30, 20)


@given(st.floats(1.0, 170.0), st.integers(2, 4000), st.integers(2, 3000))
def test_field_of_view_spans_the_image_width(degrees, width, height):
    camera = Intrinsics.from_field_of_view(degrees, width, height)
    half = np.tan(np.deg2rad(degrees) / 2.0)
    assert np.allclose(project_points([[-half, 0.0, 1.0], [half, 0.0, 1.0]], camera)[:, 0], [-0.5, width - 0.5])
    assert np.isclose(project_points([0.0, 0.0, 1.0], camera)[1], (height - 1) / 2.0)


@given(arrays(np.float64, 3, elements=st.floats(-1.0, 1.0)), st.floats(0.0, np.pi))
def test_rotation_angle_is_the_angle_of_the_axis_angle(axis, angle):
    assume(np.linalg.norm(axis) > 1e-2)
    rotation = Rotation.from_rotvec(axis / np.linalg.norm(axis) * angle).as_matrix()
    assert np.isclose(rotation_angle(rotation), angle, atol=1e-6)
