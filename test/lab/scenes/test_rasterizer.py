"""The rasterizer against analytic surfaces: pixel convention, depth, weights, near plane, occlusion, shadows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hand3r_lab.scenes.geometry_buffer import Part, collect
from hand3r_lab.scenes.meshes import box, lathe, make_mesh, quad
from hand3r_lab.scenes.renderer import visibility
from hand3r_ros.geometry import Intrinsics, make_transform, unproject_depth
from hand3r_ros.visualization import rasterizer

CAMERA = Intrinsics(97.3, 101.7, 31.2, 22.9, 64, 48)


def draw(mesh, T_world_camera=None, camera=CAMERA):
    pose = np.eye(4) if T_world_camera is None else T_world_camera
    inverse_depth, triangle, weights = visibility(collect([Part(mesh, 0, 1)]), pose, camera)
    depth = np.where(triangle >= 0, 1.0 / np.maximum(inverse_depth, 1e-9), 0.0)
    return depth, triangle, weights


def facing_quad(corners):
    """A quad through four camera-frame corners whose outside looks at the camera at the origin."""
    corners = np.asarray(corners, float)
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    if normal @ corners[0] > 0.0:
        corners = corners[::-1]
    return make_mesh(corners, np.zeros((4, 3)), np.zeros((4, 2)), [[0, 1, 2], [0, 2, 3]])


def plane_depth(normal, distance, camera, shift=0.0):
    """Depth at which the rays of pixel (u + shift, v + shift) meet normal . p = distance."""
    v, u = np.indices((camera.height, camera.width)) + shift
    rays = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(u.shape)], -1)
    return distance / (rays @ normal)


def slanted_plane():
    normal = np.array([0.35, -0.5, 1.0])
    xy = np.array([[-1.2, -1.0], [1.2, -1.0], [1.2, 1.0], [-1.2, 1.0]])
    z = (1.0 - xy @ normal[:2]) / normal[2]
    return normal, facing_quad(np.column_stack([xy, z]))


def test_depth_of_a_slanted_plane_follows_the_opencv_pixel_convention():
    normal, mesh = slanted_plane()
    depth, triangle, _ = draw(mesh)
    assert (triangle >= 0).all()
    expected = plane_depth(normal, 1.0, CAMERA)
    np.testing.assert_allclose(depth, expected, rtol=2e-6)
    shifted = plane_depth(normal, 1.0, CAMERA, shift=0.5)
    assert np.median(np.abs(depth / shifted - 1.0)) > 3e-4  # a half-pixel shift is far beyond the tolerance


def test_weights_are_perspective_correct():
    _, mesh = slanted_plane()
    depth, triangle, weights = draw(mesh)
    corners = mesh.vertices[mesh.faces[triangle]]  # (H, W, 3, 3)
    third = 1.0 - weights.sum(-1, keepdims=True)
    points = (np.concatenate([weights, third], -1)[..., None] * corners).sum(2)
    np.testing.assert_allclose(points, unproject_depth(depth, CAMERA), atol=2e-6)


@settings(max_examples=40, deadline=None)
@given(st.floats(-0.6, 0.6), st.floats(-0.6, 0.6), st.floats(0.3, 3.0), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_any_plane_has_its_analytic_depth(slope_x, slope_y, distance, x, y):
    normal = np.array([slope_x, slope_y, 1.0])
    xy = distance * np.array([[x - 0.2, y - 0.2], [x + 0.2, y - 0.2], [x + 0.2, y + 0.2], [x - 0.2, y + 0.2]])
    mesh = facing_quad(np.column_stack([xy, distance - xy @ normal[:2]]))
    depth, triangle, _ = draw(mesh)
    seen = triangle >= 0
    np.testing.assert_allclose(depth[seen], plane_depth(normal, distance, CAMERA)[seen], rtol=1e-5)


def test_a_floor_that_passes_below_the_camera_is_drawn_up_to_the_near_plane():
    """The quad reaches from 5 m behind the camera to 5 m in front of it."""
    mesh = facing_quad([[-5, 0.3, -5], [5, 0.3, -5], [5, 0.3, 5], [-5, 0.3, 5]])
    camera = Intrinsics(20.0, 20.0, 31.5, 23.5, 64, 48)
    depth, triangle, _ = draw(mesh, camera=camera)
    expected = plane_depth(np.array([0.0, 1.0, 0.0]), 0.3, camera)
    v, u = np.indices(depth.shape)
    below = (v > camera.cy) & (expected < 5.0) & (np.abs((u - camera.cx) / camera.fx * expected) < 5.0)
    assert below.sum() > 1000
    assert (triangle[below] >= 0).all()
    np.testing.assert_allclose(depth[below], expected[below], rtol=1e-5)
    assert (triangle[: int(camera.cy)] < 0).all()


def test_surfaces_nearer_than_the_near_plane_or_behind_are_not_drawn():
    for z in (-1.0, 0.5 * rasterizer.NEAR):
        corners = np.array([[-1, -1, z], [1, -1, z], [1, 1, z], [-1, 1, z]])
        for mesh in (facing_quad(corners), facing_quad(corners[::-1])):
            assert (draw(mesh)[1] < 0).all()


def test_back_faces_are_not_drawn_and_nearer_faces_win():
    near = np.array([[-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1.0]])
    far = near * [1, 1, 2]
    seen = facing_quad(near)
    hidden = make_mesh(seen.vertices[::-1], np.zeros((4, 3)), np.zeros((4, 2)), seen.faces)
    assert (draw(hidden)[1] < 0).all()
    for order in ((near, far), (far, near)):
        buffer = collect([Part(facing_quad(corners), 0, 1) for corners in order])
        inverse_depth, triangle, _ = visibility(buffer, np.eye(4), CAMERA)
        assert (triangle >= 0).all()
        np.testing.assert_allclose(1.0 / inverse_depth, 1.0, rtol=1e-6)


def test_neighbouring_triangles_leave_no_cracks():
    rng = np.random.default_rng(3)
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 40), np.linspace(-1, 1, 40)), -1).reshape(-1, 2)
    vertices = np.column_stack([grid, 1.0 + 0.05 * rng.random(len(grid))])
    corner = (np.arange(39)[:, None] * 40 + np.arange(39)).reshape(-1)
    faces = np.concatenate(
        [np.stack([corner, corner + 41, corner + 1], -1), np.stack([corner, corner + 40, corner + 41], -1)]
    )
    mesh = make_mesh(vertices, np.zeros_like(vertices), np.zeros((len(vertices), 2)), faces)
    assert (draw(mesh)[1] >= 0).all()


_CAN = ((1e-3, -0.1), (0.2, -0.1), (0.2, 0.1), (1e-3, 0.1))


@pytest.mark.parametrize('build', [lambda: box([0.4, 0.3, 0.2]), lambda: lathe(_CAN)], ids=['box', 'lathe'])
def test_bodies_face_outwards(build):
    mesh = build()
    triangle_normals = np.cross(
        mesh.vertices[mesh.faces[:, 1]] - mesh.vertices[mesh.faces[:, 0]],
        mesh.vertices[mesh.faces[:, 2]] - mesh.vertices[mesh.faces[:, 0]],
    )
    centres = mesh.vertices[mesh.faces].mean(1)
    assert ((triangle_normals * centres).sum(-1) > 0.0).all()
    assert ((mesh.normals[mesh.faces].mean(1) * triangle_normals).sum(-1) > 0.0).all()


def test_a_box_has_the_analytic_depth_of_its_front():
    T_world_camera = make_transform(np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]), [0.0, -1.0, 0.0])  # looks along +y
    depth, triangle, _ = draw(box([0.4, 0.6, 0.2]), T_world_camera)
    seen = triangle >= 0
    np.testing.assert_allclose(depth[seen], 0.7, rtol=1e-6)
    u = np.nonzero(seen)[1]
    x = (u - CAMERA.cx) / CAMERA.fx * 0.7
    assert abs(x.min() + 0.2) < 0.7 / CAMERA.fx and abs(x.max() - 0.2) < 0.7 / CAMERA.fx


def test_orthographic_depth_is_linear_and_keeps_the_nearest():
    points = np.array([[2, 3, 1.0], [52, 3, 3.0], [52, 43, 5.0], [2, 43, 3.0]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    depth = np.full((48, 64), 10.0, np.float32)
    rasterizer.rasterize_orthographic(points, faces, depth)
    v, u = np.indices(depth.shape)
    inside = (u >= 2) & (u <= 52) & (v >= 3) & (v <= 43)
    expected = 1.0 + (u - 2) * 2.0 / 50.0 + (v - 3) * 2.0 / 40.0
    np.testing.assert_allclose(depth[inside], expected[inside], atol=1e-5)
    assert (depth[~inside] == 10.0).all()
    before = depth.copy()
    rasterizer.rasterize_orthographic(points + np.float32([0, 0, 1]), faces, depth)
    np.testing.assert_array_equal(depth, before)


def test_quads_face_along_u_cross_v():
    np.testing.assert_allclose(quad([0, 0, 0], [2, 0, 0], [0, 1, 0]).normals, np.tile([0, 0, 1.0], (4, 1)))
