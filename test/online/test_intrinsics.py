"""The focal length of a pointmap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hand3r_ros.geometry import Intrinsics, unproject_depth
from hand3r_ros.online.intrinsics import CameraResolver, FocalEstimator, centred_intrinsics, estimate_focal
from hand3r_ros.online.preparation import ImageGeometry


def pointmap(focal: float, width: int = 64, height: int = 48, seed: int = 0) -> np.ndarray:
    depth = np.random.default_rng(seed).uniform(0.5, 2.0, (height, width))
    return unproject_depth(depth, centred_intrinsics(focal, width, height))


def test_it_is_that_of_the_reference(golden_cut3r):
    golden = np.load(golden_cut3r / 'geometry.npz')
    assert estimate_focal(golden['focal_pts3d'][0]) == pytest.approx(float(golden['focal_weiszfeld'][0]), rel=1e-5)


@settings(deadline=None)
@given(st.floats(10.0, 300.0), st.integers(0, 5), st.integers(1, 3))
def test_the_focal_length_of_exact_points_is_found(focal, seed, stride):
    assert estimate_focal(pointmap(focal, seed=seed), stride=stride) == pytest.approx(focal, rel=1e-6)


def test_outliers_hardly_matter():
    points = pointmap(60.0)
    points[:8] += np.random.default_rng(1).normal(0.0, 0.2, (8, 64, 3))
    assert estimate_focal(points, np.ones((48, 64))) == pytest.approx(60.0, rel=0.02)


def test_points_that_are_not_finite_count_as_zero():
    points = pointmap(60.0)
    points[::7, ::5] = np.nan
    points[3, :, 2] = 0.0
    assert estimate_focal(points) == pytest.approx(60.0, rel=1e-6)


@pytest.mark.parametrize('points', [np.zeros((20, 20, 3)), np.full((20, 20, 3), np.nan), -pointmap(60.0) * [1, 1, -1]])
def test_degenerate_pointmaps_are_refused(points):
    with pytest.raises(ValueError, match='focal length'):
        estimate_focal(points)


def test_the_estimate_of_a_session_is_steady():
    estimator = FocalEstimator()
    confidence = np.ones((48, 64))
    for focal in (60.0, 61.0, 59.0, 60.0, 60.0):
        estimator.update(pointmap(focal), confidence)
    assert estimator.update(pointmap(90.0), confidence).fx == pytest.approx(60.0, rel=1e-3)
    assert estimator.update(np.zeros((48, 64, 3)), confidence).fx == pytest.approx(60.0, rel=1e-3)
    estimator.reset()
    assert estimator.update(pointmap(90.0), confidence).fx == pytest.approx(90.0, rel=1e-3)


def test_without_any_usable_frame_there_is_no_camera():
    with pytest.raises(ValueError, match='focal length'):
        FocalEstimator().update(np.zeros((48, 64, 3)), np.ones((48, 64)))


def test_a_given_camera_wins_over_the_configured_one_and_that_over_the_estimate():
    geometry = ImageGeometry.for_image(448, 320, 224)
    given_camera = Intrinsics(400.0, 410.0, 220.0, 160.0, 448, 320)
    points, confidence = pointmap(150.0, 224, 160), np.ones((160, 224))
    calibrated = CameraResolver(300.0).resolve(given_camera, geometry, points, confidence)
    assert (calibrated.source, calibrated.calibrated) == (given_camera, True)
    assert calibrated.network.fx == pytest.approx(200.0)
    configured = CameraResolver(300.0).resolve(None, geometry, points, confidence)
    assert (configured.source.fx, configured.calibrated) == (300.0, False)
    estimated = CameraResolver(0.0).resolve(None, geometry, points, confidence)
    assert estimated.network.fx == pytest.approx(150.0)
    assert estimated.source.fx == pytest.approx(300.0)
    assert (estimated.source.width, estimated.source.height, estimated.calibrated) == (448, 320, False)


@settings(deadline=None, max_examples=40)
@given(st.floats(120.0, 900.0), st.floats(0.5, 2.0), st.integers(0, 100))
def test_neither_scale_nor_depth_errors_change_the_focal_length(focal, scale, seed):
    """A focal length is a matter of directions; errors along the line of sight say nothing about it."""
    rng = np.random.default_rng(seed)
    points = pointmap(focal, 128, 96, seed) * scale * rng.uniform(0.8, 1.2, (96, 128, 1))
    assert estimate_focal(points, np.ones((96, 128))) == pytest.approx(focal, rel=1e-5)


@settings(deadline=None, max_examples=40)
@given(st.floats(120.0, 900.0), st.integers(0, 100))
def test_points_that_are_a_percent_off_sideways_cost_a_percent(focal, seed):
    rng = np.random.default_rng(seed)
    points = pointmap(focal, 128, 96, seed)
    points[..., :2] += 0.01 * points[..., 2:] * rng.standard_normal((96, 128, 2))
    # Noise in the directions shortens least squares' focal length by the square of noise over field of view.
    shortening = (0.01 * focal / 37.0) ** 2
    assert estimate_focal(points, np.ones((96, 128))) == pytest.approx(focal, rel=0.003 + 1.5 * shortening)


@settings(deadline=None, max_examples=40)
@given(st.floats(120.0, 900.0), st.floats(-3.0, 3.0), st.floats(-3.0, 3.0))
def test_a_principal_point_a_few_pixels_off_hardly_matters(focal, right, down):
    camera = centred_intrinsics(focal, 128, 96)
    shifted = Intrinsics(focal, focal, camera.cx + right, camera.cy + down, 128, 96)
    depth = np.random.default_rng(0).uniform(0.5, 2.0, (96, 128))
    assert estimate_focal(unproject_depth(depth, shifted)) == pytest.approx(focal, rel=0.02)
