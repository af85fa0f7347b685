"""The mapping between distorted and undistorted images: exact, both ways, the same for pixels and images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hand3r_ros.geometry import Array, Intrinsics
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.node.lens import LensDistortion, Undistorter, box_of_midpoints, midpoints_of_box
from hand3r_ros.online.results import HandDetection

CAMERA = Intrinsics(300.0, 310.0, 158.0, 121.0, 320, 240)
LENSES = {
    'plumb_bob': LensDistortion('plumb_bob', (-0.28, 0.09, 0.001, -0.002, -0.01)),
    'rational_polynomial': LensDistortion('rational_polynomial', (0.4, 0.1, 0.001, 0.001, 0.02, 0.7, 0.2, 0.03)),
    'equidistant': LensDistortion('equidistant', (0.05, -0.01, 0.003, -0.001)),
}


def distort(x: Array, y: Array, lens: LensDistortion) -> tuple[Array, Array]:
    """The models as sensor_msgs and OpenCV define them, on directions (x, y, 1)."""
    r2 = x * x + y * y
    if lens.model == 'equidistant':
        k1, k2, k3, k4 = lens.coefficients
        r = np.sqrt(r2)
        theta = np.arctan(r)
        bent = theta * (1 + k1 * theta**2 + k2 * theta**4 + k3 * theta**6 + k4 * theta**8)
        scale = np.where(r > 1e-12, bent / np.maximum(r, 1e-12), 1.0)
        return x * scale, y * scale
    k1, k2, p1, p2, k3, *rest = lens.coefficients
    k4, k5, k6 = rest or (0.0, 0.0, 0.0)
    radial = (1 + k1 * r2 + k2 * r2**2 + k3 * r2**3) / (1 + k4 * r2 + k5 * r2**2 + k6 * r2**3)
    return (
        x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
        y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
    )


@pytest.mark.parametrize('name', LENSES)
@given(
    u=st.floats(-20.0, 340.0, allow_nan=False),
    v=st.floats(-20.0, 260.0, allow_nan=False),
)
@settings(max_examples=60, deadline=None)
def test_a_pixel_goes_where_the_model_says_and_comes_back(name: str, u: float, v: float) -> None:
    lens = LENSES[name]
    undistorter = Undistorter(CAMERA, lens)
    x, y = distort(np.array((u - CAMERA.cx) / CAMERA.fx), np.array((v - CAMERA.cy) / CAMERA.fy), lens)
    raw = undistorter.to_raw([[u, v]])
    np.testing.assert_allclose(raw[0], [CAMERA.fx * x + CAMERA.cx, CAMERA.fy * y + CAMERA.cy], atol=1e-6)
    np.testing.assert_allclose(undistorter.from_raw(raw)[0], [u, v], atol=1e-3)


@pytest.mark.parametrize('name', LENSES)
def test_the_image_moves_like_its_pixels(name: str) -> None:
    """A raw image that shows its own coordinates shows, once undistorted, where each pixel came from."""
    undistorter = Undistorter(CAMERA, LENSES[name])
    v, u = np.indices((CAMERA.height, CAMERA.width))
    coordinates = np.stack([u // 2, v, np.full_like(u, 255)], -1).astype(np.uint8)
    image = undistorter.image(coordinates)
    raw = undistorter.to_raw(np.stack([u, v], -1).reshape(-1, 2)).reshape(*u.shape, 2)
    inside = (raw > 2).all(-1) & (raw[..., 0] < CAMERA.width - 3) & (raw[..., 1] < CAMERA.height - 3)
    assert inside.mean() > 0.8
    assert np.abs(image[..., 0] - (raw[..., 0] - 0.5) / 2)[inside].max() < 1.0
    assert np.abs(image[..., 1] - raw[..., 1])[inside].max() < 1.0
    assert (image[..., 2] == 255)[inside].all()


@pytest.mark.parametrize('name', LENSES)
@given(
    x=st.floats(10.0, 250.0),
    y=st.floats(10.0, 180.0),
    width=st.floats(15.0, 60.0),
    height=st.floats(15.0, 50.0),
)
@settings(max_examples=40, deadline=None)
def test_a_box_comes_back_where_it_was(name: str, x: float, y: float, width: float, height: float) -> None:
    undistorter = Undistorter(CAMERA, LENSES[name])
    box = np.array([x, y, x + width, y + height])
    (moved,) = undistorter.detections((HandDetection(box, HandSide.LEFT, 0.9, 4),))
    assert (moved.side, moved.score, moved.track_id) == (HandSide.LEFT, 0.9, 4)
    assert moved.box[0] < moved.box[2] and moved.box[1] < moved.box[3]
    back = box_of_midpoints(undistorter.to_raw(midpoints_of_box(moved.box)))
    np.testing.assert_allclose(back, box, atol=1.5)


def test_what_a_pinhole_camera_cannot_see_is_left_out() -> None:
    """A fisheye lens of short focal length sees beyond 90 degrees at the edge of its image."""
    fisheye = Undistorter(Intrinsics(60.0, 60.0, 159.5, 119.5, 320, 240), LensDistortion('equidistant', (0.0,) * 4))
    behind, ahead = fisheye.from_raw([[159.5 + 120.0, 119.5], [159.5 + 30.0, 119.5]])
    assert np.isnan(behind).all()
    np.testing.assert_allclose(ahead, [159.5 + 60.0 * np.tan(0.5), 119.5], atol=1e-6)
    hand = HandDetection(np.array([280.0, 100.0, 310.0, 140.0]), HandSide.RIGHT, 0.9)
    assert fisheye.detections((hand,)) == ()
