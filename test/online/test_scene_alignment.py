"""Where a hand's surface meets the scene's points: found, weighed against the apparent size, refused when unclear."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hand3r_ros.geometry import Intrinsics
from hand3r_ros.online.config import PlacementConfig
from hand3r_ros.online.hand_mask import mesh_depth
from hand3r_ros.online.scene_alignment import align_to_scene, likeliest_offset, surface_differences

CONFIG = PlacementConfig(translation='aligned')
CAMERA = Intrinsics(200.0, 200.0, 111.5, 79.5, 224, 160)
CENTRE = np.array([0.0, 0.0, 0.5])


def ball(radius=0.04) -> tuple[np.ndarray, np.ndarray]:
    """A sphere as mesh around the origin."""
    u, v = np.meshgrid(np.linspace(0, 2 * np.pi, 25), np.linspace(0.01, np.pi - 0.01, 13))
    vertices = radius * np.stack([np.sin(v) * np.cos(u), np.sin(v) * np.sin(u), np.cos(v)], -1).reshape(-1, 3)
    index = np.arange(13 * 25).reshape(13, 25)
    a, b, c, d = index[:-1, :-1].ravel(), index[:-1, 1:].ravel(), index[1:, 1:].ravel(), index[1:, :-1].ravel()
    return vertices, np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def align(wrist, vertices, faces, depth, camera, config, keypoints=None):
    """A ball has no keypoints; its vertices stand for them."""
    return align_to_scene(wrist, vertices, vertices if keypoints is None else keypoints, faces, depth, camera, config)


def scene_with_ball(centre, background=1.5, camera=CAMERA):
    vertices, faces = ball()
    depth = mesh_depth(vertices + centre, faces, camera)
    return vertices, faces, np.where(np.isfinite(depth), depth, background)


@settings(deadline=None)
@given(st.floats(0.8, 1.28), st.floats(-0.1, 0.1), st.floats(-0.08, 0.08))
def test_the_distance_along_the_line_of_sight_is_found(factor, x, y):
    centre = np.array([x, y, 0.5])
    vertices, faces, depth = scene_with_ball(centre)
    found = align(centre * factor, vertices, faces, depth, CAMERA, CONFIG)
    assert found.on_scene
    assert np.allclose(found.wrist, centre, atol=4e-3)
    assert found.deviation < 0.01


@pytest.mark.parametrize('factor', [0.8, 1.28])
def test_a_wrong_distance_is_no_reason_to_move_what_the_crop_camera_shows_sideways(factor):
    centre = np.array([0.05, -0.03, 0.5])
    vertices, faces, depth = scene_with_ball(centre)
    keypoints = np.array([[0.04, 0.03, 0.0]])
    wrist = (centre + keypoints[0]) * factor - keypoints[0]
    found = align(wrist, vertices, faces, depth, CAMERA, CONFIG, keypoints)
    seen, shown = found.wrist + keypoints[0], centre + keypoints[0]
    assert np.allclose(seen / seen[2], shown / shown[2], atol=1e-9)
    assert np.allclose(found.wrist, centre, atol=4e-3)


def test_a_large_hand_is_found_from_a_sample_of_its_pixels():
    camera = Intrinsics(900.0, 900.0, 511.5, 383.5, 1024, 768)
    centre = np.array([0.05, -0.03, 0.3])
    vertices, faces, depth = scene_with_ball(centre, camera=camera)
    differences, pixels_each = surface_differences(vertices + centre * 1.1, faces, depth, camera)
    assert len(differences) < 64 * 64
    assert pixels_each == 16
    found = align(centre * 1.1, vertices, faces, depth, camera, CONFIG)
    assert np.allclose(found.wrist, centre, atol=4e-3)


def test_what_hides_most_of_a_hand_is_looked_past():
    vertices, faces, depth = scene_with_ball(CENTRE)
    depth[:, 105:] = np.linspace(0.30, 0.40, 224 - 105)  # something slanted in front of 65 % of it
    found = align(CENTRE * 1.1, vertices, faces, depth, CAMERA, CONFIG)
    assert np.allclose(found.wrist, CENTRE, atol=5e-3)


def test_a_surface_in_front_loses_against_one_behind_with_as_many_pixels():
    """Things hide hands; nothing lies behind a hand inside of its outline."""
    rng = np.random.default_rng(0)
    differences = np.concatenate([rng.normal(-0.06, 0.008, 300), rng.normal(0.0, 0.008, 250)])
    found = likeliest_offset(differences, 0.011, expected=-0.03, doubt=0.05, limits=(-0.2, 0.4))
    assert found.value == pytest.approx(0.0, abs=0.004)
    assert found.agreement == pytest.approx(250 / 550, abs=0.05)


def test_between_two_surfaces_the_apparent_size_decides():
    rng = np.random.default_rng(0)
    differences = np.concatenate([rng.normal(-0.15, 0.008, 330), rng.normal(0.15, 0.008, 100)])
    near = likeliest_offset(differences, 0.011, expected=-0.15, doubt=0.05, limits=(-0.4, 0.4))
    far = likeliest_offset(differences, 0.011, expected=0.15, doubt=0.05, limits=(-0.4, 0.4))
    assert near.value == pytest.approx(-0.15, abs=0.004)
    assert far.value == pytest.approx(0.15, abs=0.004)


def test_two_surfaces_that_are_about_as_likely_give_a_large_deviation():
    torn = likeliest_offset(
        np.concatenate([np.full(320, -0.05), np.full(100, 0.05)]), 0.011, expected=0.0, doubt=0.05, limits=(-0.4, 0.4)
    )
    sure = likeliest_offset(np.full(420, 0.05), 0.011, expected=0.0, doubt=0.05, limits=(-0.4, 0.4))
    assert torn.deviation > 0.02
    assert sure.deviation < 0.005


@settings(deadline=None)
@given(st.floats(-0.1, 0.1), st.integers(0, 1000))
def test_the_offset_is_where_the_differences_agree(offset, seed):
    rng = np.random.default_rng(seed)
    differences = np.concatenate([offset + rng.normal(0.0, 0.004, 300), rng.uniform(-0.3, 0.6, 250)])
    found = likeliest_offset(differences, 0.011, expected=0.0, doubt=0.1, limits=(-0.4, 0.6))
    assert found.value == pytest.approx(offset, abs=0.006)


def test_the_outline_of_the_hand_does_not_count():
    """A pointmap mixes hand and background there, and a hand that is a bit off shows the background itself."""
    vertices, faces, depth = scene_with_ball(CENTRE)
    shifted = CENTRE + np.array([0.002, 0.0, 0.0])  # by most of a pixel
    differences, _ = surface_differences(vertices + shifted, faces, depth, CAMERA)
    assert np.abs(differences).max() < 0.02


@pytest.mark.parametrize('value', [np.nan, 0.0, -1.0, np.inf])
def test_a_pointmap_without_points_leaves_the_apparent_size(value):
    vertices, faces = ball()
    wrist = np.array([0.0, 0.0, 0.6])
    found = align(wrist, vertices, faces, np.full((160, 224), value), CAMERA, CONFIG)
    assert not found.on_scene
    assert 'only 0 scene points' in found.refused
    assert np.array_equal(found.wrist, wrist)
    assert found.deviation == pytest.approx(0.06, rel=0.01)


@pytest.mark.parametrize('value', [30.0, 0.05])
def test_a_scene_that_is_nowhere_near_leaves_the_apparent_size(value):
    vertices, faces = ball()
    wrist = np.array([0.0, 0.0, 0.4])
    found = align(wrist, vertices, faces, np.full((160, 224), value), CAMERA, CONFIG)
    assert 'agree' in found.refused
    assert np.array_equal(found.wrist, wrist)


def test_a_scene_beyond_the_largest_correction_leaves_the_apparent_size():
    vertices, faces, depth = scene_with_ball(CENTRE, background=np.nan)
    strict = replace(CONFIG, max_depth_correction=1.1)
    assert not align(CENTRE * 1.25, vertices, faces, depth, CAMERA, strict).on_scene
    assert align(CENTRE * 1.25, vertices, faces, depth, CAMERA, CONFIG).on_scene


def test_a_hand_that_is_hidden_entirely_is_not_put_onto_what_hides_it():
    vertices, faces = ball()
    wall = np.full((160, 224), 0.3)
    found = align(CENTRE, vertices, faces, wall, CAMERA, CONFIG)
    assert 'agree' in found.refused
    assert np.array_equal(found.wrist, CENTRE)


def test_a_few_visible_pixels_are_not_enough():
    vertices, faces, depth = scene_with_ball(CENTRE)
    sliver = np.full_like(depth, np.nan)
    sliver[79, 108:114] = depth[79, 108:114]
    found = align(CENTRE * 1.1, vertices, faces, sliver, CAMERA, CONFIG)
    assert 'scene points lie on the hand' in found.refused
    relaxed = align(CENTRE * 1.1, vertices, faces, sliver, CAMERA, replace(CONFIG, min_scene_points=3))
    assert np.allclose(relaxed.wrist, CENTRE, atol=0.01)


def test_points_that_agree_on_nothing_are_not_believed():
    vertices, faces = ball()
    noise = np.random.default_rng(0).uniform(0.25, 2.0, (160, 224))
    found = align(CENTRE, vertices, faces, noise, CAMERA, CONFIG)
    assert 'agree on a distance' in found.refused


@pytest.mark.parametrize('wrist', [[5.0, 0.0, 0.5], [0.0, -3.0, 0.5]])
def test_hands_outside_of_the_image_keep_the_apparent_size(wrist):
    vertices, faces = ball()
    found = align(np.array(wrist), vertices, faces, np.ones((160, 224)), CAMERA, CONFIG)
    assert not found.on_scene
    assert np.array_equal(found.wrist, wrist)


def test_a_hand_cut_by_the_image_border_is_still_found():
    centre = np.array([-0.27, 0.0, 0.5])  # its middle is just inside of the left border
    vertices, faces, depth = scene_with_ball(centre)
    found = align(centre * 1.15, vertices, faces, depth, CAMERA, CONFIG)
    assert found.on_scene
    assert np.allclose(found.wrist, centre, atol=6e-3)


def test_a_hand_around_the_camera_is_refused_without_harm():
    vertices, faces = ball(0.2)
    found = align(np.array([0.0, 0.0, 0.1]), vertices, faces, np.ones((160, 224)), CAMERA, CONFIG)
    assert np.isfinite(found.wrist).all()
