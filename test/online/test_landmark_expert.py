"""Landmarks are found where the hands are, at every size and turn of the image, and nowhere else."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from hand3r_ros.checkpoints.landmark_weights import load_landmark_networks
from hand3r_ros.online.detection.hand_regions import HandRegion, crop_region, region_from_landmarks
from hand3r_ros.online.detection.landmark_expert import LandmarkConfig, LandmarkExpert

PHOTOS = Path(__file__).parents[3] / 'shared' / 'real' / 'fingers'
ROOM = Path(__file__).parents[3] / 'shared' / 'real' / 'rgbd'
CONFIG = LandmarkConfig()


@pytest.fixture(scope='module')
def expert():
    return LandmarkExpert(*load_landmark_networks())


def photo(number: int) -> np.ndarray:
    path = PHOTOS / f'photo_{number:03d}.jpg'
    if not path.is_file():
        pytest.skip(f'{path} is not there')
    return np.ascontiguousarray(cv2.imread(str(path))[:, :, ::-1])


def sizes(landmarks: np.ndarray) -> float:
    return float(np.linalg.norm(np.ptp(landmarks, axis=0)))


def test_a_region_and_its_crop_agree_about_places():
    image = np.zeros((200, 300, 3), np.uint8)
    image[80:83, 140:143] = 255
    region = HandRegion(np.array([150.0, 90.0]), 80.0, 0.7)
    crop = crop_region(image, region, 160)
    bright = np.argwhere(crop[:, :, 0] > 100).mean(0)[::-1]
    np.testing.assert_allclose(region.to_image((bright + 0.5) / 160), [141.0, 81.0], atol=0.3)


@pytest.mark.parametrize('quarter_turns', [1, 2, 3])
def test_landmarks_turn_with_the_image(expert, quarter_turns):
    image = photo(100)
    height, width = image.shape[:2]
    upright = expert.find(image, (), CONFIG)[0].pixels
    turned = expert.find(np.ascontiguousarray(np.rot90(image, quarter_turns)), (), CONFIG)[0].pixels
    size = sizes(upright)
    assert abs(sizes(turned) - size) < 0.15 * size
    back = {
        1: lambda p: np.column_stack([width - 1 - p[:, 1], p[:, 0]]),
        2: lambda p: np.column_stack([width - 1 - p[:, 0], height - 1 - p[:, 1]]),
        3: lambda p: np.column_stack([p[:, 1], height - 1 - p[:, 0]]),
    }[quarter_turns](turned)
    assert np.linalg.norm(back - upright, axis=1).mean() < 0.06 * size


@pytest.mark.parametrize('scale', [0.25, 4.0])
def test_landmarks_scale_with_the_image(expert, scale):
    image = photo(100)
    found = expert.find(image, (), CONFIG)[0].pixels
    other = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    again = expert.find(other, (), CONFIG)[0].pixels
    assert np.linalg.norm((again + 0.5) / scale - 0.5 - found, axis=1).mean() < 0.04 * sizes(found)


def test_a_mirrored_image_has_the_other_side(expert):
    image = photo(100)
    side = expert.find(image, (), CONFIG)[0].right
    mirrored = expert.find(np.ascontiguousarray(image[:, ::-1]), (), CONFIG)[0].right
    assert (side > 0.5) != (mirrored > 0.5)


def test_a_followed_hand_is_read_without_looking_for_palms(expert):
    image = photo(100)
    first = expert.find(image, (), CONFIG)[0]
    followed = expert.find(image, (region_from_landmarks(first.pixels),), LandmarkConfig(palm_score=1.1))
    assert len(followed) == 1
    assert np.linalg.norm(followed[0].pixels - first.pixels, axis=1).mean() < 0.05 * sizes(first.pixels)


def test_a_region_without_a_hand_is_dropped(expert):
    image = np.full((240, 320, 3), 127, np.uint8)
    assert expert.find(image, (HandRegion(np.array([160.0, 120.0]), 100.0, 0.0),), CONFIG) == ()


def test_rooms_without_hands_have_none(expert):
    images = sorted(ROOM.glob('color_*.jpg'))
    if not images:
        pytest.skip(f'{ROOM} is not there')
    for path in images:
        assert expert.find(np.ascontiguousarray(cv2.imread(str(path))[:, :, ::-1]), (), CONFIG) == (), path.name


@pytest.mark.parametrize('shape', [(1, 1, 3), (3, 2000, 3), (24, 24, 3)])
def test_images_of_any_shape_are_looked_at(expert, shape):
    assert expert.find(np.zeros(shape, np.uint8), (), CONFIG) == ()
