"""Features of images that moved far apart are found where the image as a whole went."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hand3r_ros.online.image_features import follow, new_features
from hand3r_ros.online.image_motion import expected_places

HEIGHT, WIDTH = 240, 320


def picture(seed: int) -> np.ndarray:
    """Grey patches of all sizes, slightly blurred, as a camera sees a textured room."""
    random = np.random.default_rng(seed)
    image = np.zeros((HEIGHT, WIDTH), np.float32)
    for cells in (6, 12, 24, 48):
        patch = random.random((cells, cells * 4 // 3)).astype(np.float32)
        image += cv2.resize(patch, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
    return cv2.GaussianBlur(image / 4.0 * 255.0, (0, 0), 0.8).astype(np.uint8)


def turned(degrees: float, right: float, down: float) -> np.ndarray:
    """(2, 3) affine motion of an image about its centre, in pixels."""
    motion = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), degrees, 1.0)
    motion[:, 2] += (right, down)
    return motion


def inside(places: np.ndarray, margin: int = 15) -> np.ndarray:
    return ((places >= margin) & (places < np.array([WIDTH, HEIGHT]) - margin)).all(axis=1)


@pytest.mark.parametrize(('degrees', 'right', 'down'), [(0.0, 90.0, -20.0), (4.0, 70.0, 30.0), (-6.0, -50.0, 40.0)])
def test_features_are_found_after_a_jump(degrees, right, down):
    first, motion = picture(1), turned(degrees, right, down)
    second = cv2.warpAffine(first, motion, (WIDTH, HEIGHT))
    pixels = new_features(first, np.zeros((0, 2), np.float32), 150)
    truth = pixels @ motion[:, :2].T + motion[:, 2]
    seen = inside(truth)
    places = expected_places(first, second, pixels)
    assert places is not None
    assert np.median(np.linalg.norm(places - truth, axis=1)[seen]) < 3.0
    found, good = follow(first, second, pixels, places)
    _, good_without = follow(first, second, pixels)
    right_places = good & (np.linalg.norm(found - truth, axis=1) < 1.0)
    assert right_places[seen].mean() > 0.5
    assert right_places[good].mean() > 0.9
    assert right_places.sum() > 2 * good_without.sum()


def test_things_that_move_otherwise_than_the_rest_are_found_too():
    first = picture(2)
    second = cv2.warpAffine(first, turned(0.0, 60.0, 0.0), (WIDTH, HEIGHT))
    second[160:220, 190:270] = first[160:220, 137:217]  # nearer: 53 instead of 60 pixels
    pixels = np.array([[170.0, 190.0], [180.0, 185.0], [100.0, 60.0]], np.float32)
    places = expected_places(first, second, pixels)
    assert places is not None
    assert np.abs(places - pixels - [[53.0, 0.0], [53.0, 0.0], [60.0, 0.0]]).max() < 3.0
    found, good = follow(first, second, pixels, places)
    assert good.all()
    assert np.allclose(found - pixels, [[53.0, 0.0], [53.0, 0.0], [60.0, 0.0]], atol=0.3)


def test_in_an_image_of_another_place_nothing_is_found():
    first = picture(3)
    pixels = new_features(first, np.zeros((0, 2), np.float32), 150)
    places = expected_places(first, picture(4), pixels)  # so many points look alike by chance that there may be some
    if places is not None:
        assert follow(first, picture(4), pixels, places)[1].mean() < 0.1
    assert expected_places(first, np.full((HEIGHT, WIDTH), 90, np.uint8), pixels) is None
    assert expected_places(first, first, pixels[:0]) is None
