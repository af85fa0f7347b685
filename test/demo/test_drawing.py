"""Pictures of results: things appear where they are, in front of what they hide, and views show what they promise."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hand3r_ros.geometry import Intrinsics, make_transform, matrix_from_quaternion, project_points
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.visualization.hands import SIDE_COLORS, DrawnHand
from hand3r_ros.visualization.overlay import draw_overlay, estimate_intrinsics
from hand3r_ros.visualization.painter import Painter
from hand3r_ros.visualization.picture import SCENE_WIDTH, TITLE_HEIGHT, PictureContent, compose_picture, save_picture
from hand3r_ros.visualization.scene_view import SceneToDraw, draw_scene
from hand3r_ros.visualization.view import look_at, view_beside_camera

CAMERA = Intrinsics(100.0, 100.0, 39.5, 29.5, 80, 60)
RED, GREEN = (255.0, 0.0, 0.0), (0.0, 255.0, 0.0)
NO_CLOUD = (np.zeros((0, 3)), np.zeros((0, 3), np.uint8))


def open_hand(side: HandSide = HandSide.RIGHT, offset: tuple[float, float, float] = (0.08, 0.0, 0.5)) -> DrawnHand:
    """The resting hand in front of the camera; its keypoints are some of its vertices."""
    model = load_open_hand()
    vertices = np.asarray(model.v_template, float) + offset
    keypoints = vertices[:: len(vertices) // 21][:21]
    pixels = project_points(keypoints, CAMERA)
    corners = project_points(vertices, CAMERA)
    box = np.concatenate([corners.min(0), corners.max(0)])
    return DrawnHand(side, 0.9, box, vertices, keypoints, pixels, model.faces(side))


def pixels_of(image: np.ndarray, color: tuple[float, float, float]) -> np.ndarray:
    """(N, 2) columns and rows with this color."""
    rows, columns = np.nonzero((np.abs(image.astype(float) - color) < 2.0).all(-1))
    return np.column_stack([columns, rows])


def test_a_point_is_painted_at_its_pixel() -> None:
    painter = Painter(CAMERA, np.zeros(3))
    point = np.array([[0.05, -0.04, 0.5]])
    painter.points(point, np.array([RED]), 0.01)
    painted = pixels_of(painter.image, RED)
    np.testing.assert_allclose(painted.mean(0), project_points(point, CAMERA)[0], atol=0.3)
    assert np.ptp(painted, axis=0).max() == pytest.approx(2 * 0.01 * 100.0 / 0.5, abs=1.0)


@pytest.mark.parametrize('nearer_first', [True, False])
def test_nearer_points_hide_farther_ones(nearer_first: bool) -> None:
    painter = Painter(CAMERA, np.zeros(3))
    points = [(np.array([[0.0, 0.0, 0.4]]), RED), (np.array([[0.0, 0.0, 0.8]]), GREEN)]
    for point, color in points if nearer_first else reversed(points):
        painter.points(point, np.array([color]), 0.01)
    assert tuple(painter.image[29, 39]) == (255, 0, 0)


def test_points_and_meshes_share_their_depth() -> None:
    square = np.array([[-0.1, -0.1, 0.6], [0.1, -0.1, 0.6], [0.1, 0.1, 0.6], [-0.1, 0.1, 0.6]])
    faces = np.array([[0, 2, 1], [0, 3, 2]])
    painter = Painter(CAMERA, np.zeros(3))
    painter.points(np.array([[0.0, 0.0, 0.5], [0.05, 0.0, 0.7]]), np.array([RED, RED]), 0.01)
    painter.mesh(square, faces, GREEN)
    assert tuple(painter.image[29, 39]) == (255, 0, 0)  # in front of the square
    behind = project_points(np.array([[0.05, 0.0, 0.7]]), CAMERA)[0].round().astype(int)
    assert painter.image[behind[1], behind[0], 1] > 40 and painter.image[behind[1], behind[0], 0] < 100


def test_points_behind_the_camera_and_not_finite_are_left_out() -> None:
    painter = Painter(CAMERA, np.zeros(3))
    painter.points(np.array([[0.0, 0.0, -1.0], [np.nan, 0.0, 1.0], [0.0, 0.0, np.nan]]), np.array([RED] * 3), 0.1)
    assert not painter.image.any()


def test_a_tube_connects_its_ends_without_gaps() -> None:
    painter = Painter(CAMERA, np.zeros(3))
    painter.tube(np.array([[-0.1, 0.0, 0.5], [0.1, 0.0, 0.5]]), RED, 0.005)
    row = painter.image[29, :, 0]
    left, right = project_points(np.array([[-0.1, 0.0, 0.5], [0.1, 0.0, 0.5]]), CAMERA)[:, 0].round().astype(int)
    assert (row[left : right + 1] > 100).all() and not row[: left - 3].any()


def test_relief_darkens_what_lies_behind_an_edge() -> None:
    painter = Painter(CAMERA, np.zeros(3))
    far = np.stack(np.meshgrid(np.linspace(-0.4, 0.4, 120), np.linspace(-0.3, 0.3, 90)), -1).reshape(-1, 2)
    painter.points(np.column_stack([far, np.full(len(far), 1.0)]), np.full((len(far), 3), 200.0), 0.01)
    painter.points(np.array([[0.0, 0.0, 0.5]]), np.array([[200.0] * 3]), 0.03)
    before = painter.image
    painter.relief()
    assert painter.image[29, 39, 0] == before[29, 39, 0]  # the near point
    assert painter.image[29, 39 + 8, 0] < 0.9 * before[29, 39 + 8, 0]  # just beside it
    assert painter.image[29, 70, 0] == before[29, 70, 0]  # far from it


def test_look_at_puts_the_target_into_the_middle() -> None:
    T = look_at([1.0, 2.0, 3.0], [-1.0, 0.5, 0.0], [0.0, 0.0, 1.0])
    np.testing.assert_allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(T[:3, :3]) == pytest.approx(1.0)
    direction = T[:3, :3].T @ (np.array([-1.0, 0.5, 0.0]) - [1.0, 2.0, 3.0])
    np.testing.assert_allclose(direction[:2], 0.0, atol=1e-12)
    assert direction[2] > 0.0
    assert T[2, 1] < 0.0  # down in the picture is down in the world


numbers = st.floats(-2.0, 2.0)
quaternions = st.tuples(numbers, numbers, numbers, numbers).filter(lambda q: np.linalg.norm(q) > 0.1)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=20), quaternions)
def test_the_outside_view_shows_everything(points: list, quaternion: tuple) -> None:
    T = make_transform(matrix_from_quaternion(quaternion), [0.3, -0.2, 0.1])
    shown = np.array([*points, T[:3, 3]])
    view = view_beside_camera(T, shown, 320, 240)
    pixels = view.project(shown)
    assert (pixels >= 0.0).all() and (pixels <= [320.0, 240.0]).all()


def test_the_overlay_changes_the_hand_and_nothing_far_from_it() -> None:
    image = np.full((60, 80, 3), 90, np.uint8)
    hand = open_hand()
    drawn = draw_overlay(image, [hand], CAMERA, scale=4.0)
    assert drawn.shape == (240, 320, 3)
    x1, y1, x2, y2 = (4.0 * hand.box).round().astype(int)
    changed = (drawn != 90).any(-1)
    assert changed[y1 + 2 : y2 - 2, x1 + 2 : x2 - 2].mean() > 0.3
    assert not changed[-10:, :].any()
    assert tuple(drawn[(y1 + y2) // 2, x1]) == tuple(int(channel) for channel in SIDE_COLORS[hand.side])


def test_hands_without_mesh_or_with_wild_keypoints_are_drawn_all_the_same() -> None:
    hand = open_hand()
    bare = DrawnHand(
        hand.side, 0.5, hand.box, np.zeros((0, 3)), hand.keypoints, np.full((21, 2), np.nan), np.zeros((0, 3), int)
    )
    assert draw_overlay(np.zeros((60, 80, 3), np.uint8), [bare], CAMERA).any()


@settings(max_examples=30, deadline=None)
@given(st.floats(50.0, 2000.0), st.integers(0, 1000))
def test_the_camera_of_an_uncalibrated_image_is_found_from_keypoints(focal: float, seed: int) -> None:
    points = np.random.default_rng(seed).normal([0.1, 0.05, 0.6], [0.08, 0.08, 0.05], (21, 3))
    true = Intrinsics(focal, focal, 319.5, 239.5, 640, 480)
    found = estimate_intrinsics(points, project_points(points, true), 640, 480)
    assert found.fx == found.fy == pytest.approx(focal, rel=1e-6)
    assert (found.cx, found.cy) == (319.5, 239.5)


def test_without_keypoints_the_camera_is_an_ordinary_one() -> None:
    assert 300.0 < estimate_intrinsics(np.zeros((0, 3)), np.zeros((0, 2)), 640, 480).fx < 1000.0


def scene(hands: list[DrawnHand], cloud: tuple[np.ndarray, np.ndarray] = NO_CLOUD) -> SceneToDraw:
    path = np.stack([make_transform(np.eye(3), [0.01 * step, 0.0, 0.0]) for step in range(5)])
    return SceneToDraw(cloud[0], cloud[1], path, path[-1], CAMERA, hands)


def test_the_scene_shows_hands_and_cloud_in_their_colors() -> None:
    plane = np.stack(np.meshgrid(np.linspace(-0.3, 0.3, 60), np.linspace(-0.2, 0.2, 40)), -1).reshape(-1, 2)
    points = np.column_stack([plane, np.full(len(plane), 0.8)])
    image = draw_scene(scene([open_hand()], (points, np.full((len(points), 3), (20, 200, 40), np.uint8))), 320, 240)
    assert image.shape == (240, 320, 3)
    floats = image.astype(float)
    greenish = (floats[..., 1] > 2.0 * floats[..., 0]) & (floats[..., 1] > 100)
    orange = (floats[..., 0] > 1.3 * floats[..., 2]) & (floats[..., 0] > floats[..., 1]) & (floats[..., 0] > 80)
    assert greenish.mean() > 0.05 and orange.mean() > 0.004


def test_a_scene_without_anything_is_still_a_picture() -> None:
    assert draw_scene(scene([]), 160, 120).std() > 1.0


@pytest.mark.parametrize('size', [(60, 80), (80, 60)])
def test_the_picture_is_composed_and_saved(tmp_path: Path, size: tuple[int, int]) -> None:
    height, width = size
    camera = Intrinsics(100.0, 100.0, (width - 1) / 2, (height - 1) / 2, width, height)
    image = np.full((height, width, 3), 120, np.uint8)
    shown = SceneToDraw(*NO_CLOUD, np.eye(4)[None], np.eye(4), camera, [open_hand()])
    content = PictureContent(image, shown, 'title', 'subtitle', [('C-MPJPE', '12 mm')] * 40)
    picture = compose_picture(content)
    save_picture(tmp_path / 'new folder' / 'picture.png', picture)
    read = cv2.cvtColor(cv2.imread(str(tmp_path / 'new folder' / 'picture.png')), cv2.COLOR_BGR2RGB)
    np.testing.assert_array_equal(read, picture)
    with pytest.raises((OSError, cv2.error)):
        save_picture(tmp_path / 'picture.unknown', picture)


def test_the_legend_stays_readable_on_a_white_cloud():
    points = np.stack(np.meshgrid(*[np.linspace(-3.0, 3.0, 40)] * 3), -1).reshape(-1, 3)
    white = np.full(points.shape, 255, np.uint8)
    scene = SceneToDraw(points, white, np.eye(4)[None], np.eye(4), CAMERA, [], point_radius=0.2)
    picture = compose_picture(PictureContent(np.full((60, 80, 3), 120, np.uint8), scene, 'title'))
    panel = picture[TITLE_HEIGHT:, -SCENE_WIDTH:]
    assert panel[:60, 300:].mean() > 150  # the cloud reaches the upper edge
    assert np.median(panel[18:64, 40:120]) < 60  # and is hidden behind the names
