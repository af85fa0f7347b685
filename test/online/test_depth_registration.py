"""Depth of a camera beside the colour camera lands on the pixels that show the same points."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hand3r_ros.geometry import Intrinsics, invert_transform, make_transform
from hand3r_ros.online.depth_registration import registered

COLOR = Intrinsics(500.0, 500.0, 320.0, 240.0, 640, 480)
DEPTH = Intrinsics(220.0, 220.0, 160.0, 120.0, 320, 240)


def plane_depth(camera: Intrinsics, T_world_camera: np.ndarray, normal: np.ndarray, offset: float) -> np.ndarray:
    """(H, W) m along z of the plane normal . x = offset of the world."""
    v, u = np.indices((camera.height, camera.width), float)
    rays = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones_like(u)], -1)
    rays = rays @ T_world_camera[:3, :3].T
    return (offset - normal @ T_world_camera[:3, 3]) / (rays @ normal)


@pytest.mark.parametrize('normal', [[0.0, 0.0, 1.0], [0.3, 0.2, 1.0]])
def test_a_plane_is_the_same_plane_from_the_color_camera(normal):
    T_color_depth = make_transform(Rotation.from_rotvec([0.02, -0.05, 0.01]).as_matrix(), [0.05, 0.01, -0.004])
    normal = np.array(normal)
    seen = plane_depth(DEPTH, T_color_depth, normal, 1.5).astype(np.float32)
    result = registered(seen, DEPTH, T_color_depth, COLOR)
    truth = plane_depth(COLOR, np.eye(4), normal, 1.5)
    covered = result > 0.0
    assert covered.mean() > 0.9
    assert np.abs(result - truth)[covered].max() < 0.006


def test_the_nearer_surface_hides_the_farther_one():
    T_color_depth = make_transform(np.eye(3), [0.1, 0.0, 0.0])
    depth = np.full((240, 320), 2.0, np.float32)
    depth[:, 100:140] = 0.5
    result = registered(depth, DEPTH, T_color_depth, COLOR)
    # The near strip begins at x = 0.5 * (100 - 160) / 220 + 0.1 = -0.04 m.
    assert result[240, 330] == pytest.approx(0.5)
    assert result[240, 150] == pytest.approx(2.0)


def test_what_is_behind_or_beside_the_color_camera_is_left_out():
    behind = make_transform(np.eye(3), [0.0, 0.0, -5.0])
    aside = invert_transform(make_transform(np.eye(3), [50.0, 0.0, 0.0]))
    for T_color_depth in (behind, aside):
        assert not registered(np.ones((240, 320), np.float32), DEPTH, T_color_depth, COLOR).any()
    bad = np.full((240, 320), np.nan, np.float32)
    bad[0] = -1.0
    bad[1] = np.inf
    assert not registered(bad, DEPTH, np.eye(4), COLOR).any()
