"""Mirrored images and their calibration become those of the camera itself; pixels come back mirrored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hand3r_ros.geometry import Intrinsics
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.node.image_correction import ImageCorrections, mirrored_box, mirrored_calibration
from hand3r_ros.node.lens import Calibration, LensDistortion, Undistorter
from hand3r_ros.online.results import HandDetection

CAMERA = Intrinsics(300.0, 310.0, 148.0, 121.0, 320, 240)
LENSES = {
    'none': None,
    'plumb_bob': LensDistortion('plumb_bob', (-0.28, 0.09, 0.004, -0.006, -0.01)),
    'rational_polynomial': LensDistortion(
        'rational_polynomial', (0.4, 0.1, 0.004, 0.003, 0.02, 0.7, 0.2, 0.03, 0.01, -0.02, 0.03, 0.01, 0.04, -0.05)
    ),
    'equidistant': LensDistortion('equidistant', (0.05, -0.01, 0.003, -0.001)),
}


def picture() -> np.ndarray:
    """Smooth, and different everywhere."""
    v, u = np.indices((CAMERA.height, CAMERA.width))
    return np.stack([u // 2, v, (u + v) // 3], -1).astype(np.uint8)


@pytest.mark.parametrize('name', LENSES)
def test_a_mirrored_image_with_its_calibration_gives_what_the_image_itself_gives(name: str) -> None:
    calibration = Calibration(CAMERA, LENSES[name])
    straight = ImageCorrections(mirrored=False).of(calibration, CAMERA.width)
    mirrored = ImageCorrections(mirrored=True).of(mirrored_calibration(calibration), CAMERA.width)
    assert straight.intrinsics == mirrored.intrinsics == CAMERA
    expected, found = straight.image(picture()), mirrored.image(picture()[:, ::-1])
    assert np.abs(expected.astype(int) - found).max() <= 1
    box = np.array([60.0, 50.0, 110.0, 120.0])
    (hand,) = straight.detections((HandDetection(box, HandSide.LEFT, 0.9, 4),)) or ()
    (seen,) = mirrored.detections((HandDetection(mirrored_box(box, 320), HandSide.RIGHT, 0.9, 4),)) or ()
    assert (seen.side, seen.score, seen.track_id) == (hand.side, hand.score, hand.track_id)
    np.testing.assert_allclose(seen.box, hand.box, atol=1e-3)


@pytest.mark.parametrize('name', ['plumb_bob', 'rational_polynomial'])
def test_the_mirrored_lens_bends_every_pixel_the_other_way(name: str) -> None:
    """Against OpenCV's own model, whatever the coefficients mean."""
    calibration = Calibration(CAMERA, LENSES[name])
    other = mirrored_calibration(calibration)
    assert mirrored_calibration(other) == calibration
    assert calibration.lens is not None and other.lens is not None
    pixels = np.stack(np.meshgrid(np.arange(0, 320, 20.0), np.arange(0, 240, 20.0)), -1).reshape(-1, 2)
    bent = Undistorter(CAMERA, calibration.lens).to_raw(pixels)
    mirrored = Undistorter(other.intrinsics, other.lens).to_raw([319.0, 0.0] + pixels * [-1.0, 1.0])
    np.testing.assert_allclose(mirrored, [319.0, 0.0] + bent * [-1.0, 1.0], atol=1e-9)
    kept = replace(other, lens=calibration.lens)
    ignored = Undistorter(kept.intrinsics, calibration.lens).to_raw([319.0, 0.0] + pixels * [-1.0, 1.0])
    assert np.abs(ignored - mirrored).max() > 0.5


def test_images_of_cameras_as_they_should_be_are_not_touched() -> None:
    correction = ImageCorrections(mirrored=False).of(None, 320)
    image = picture()
    assert correction.image(image) is image
    assert correction.detections(None) is None and correction.intrinsics is None
