"""Crop augmentation moves the picture, its keypoints and its 3D orientation together."""

import math

import pytest
import torch
from scipy.spatial.transform import Rotation

from hand3r_lab.training.augmentation import CropMotion, color_mixing, jitter_colors
from hand3r_lab.training.rendered_data import CROP_MARGIN
from hand3r_ros.network.hand.viewing_ray import relative_to_viewing_ray

SIZE = 128
STORED = round(SIZE * CROP_MARGIN)


def blob_at(keypoint: torch.Tensor) -> torch.Tensor:
    """Stored crop [1, 3, S, S] with a soft blob at a keypoint given in units of the network's crop."""
    center = keypoint * SIZE + STORED / 2
    v, u = torch.meshgrid(torch.arange(STORED), torch.arange(STORED), indexing='ij')
    blob = torch.exp(-((u - center[0]) ** 2 + (v - center[1]) ** 2) / (2 * 3.0**2))
    return blob.expand(1, 3, STORED, STORED).contiguous()


@pytest.mark.parametrize('seed', range(8))
def test_a_blob_is_seen_where_its_keypoint_is_moved_to(seed):
    generator = torch.Generator().manual_seed(seed)
    motion = CropMotion.draw(1, generator)
    keypoint = torch.tensor([0.13, -0.21])
    picture = motion.sample(blob_at(keypoint), SIZE)[0, 0]
    weights = picture / picture.sum()
    v, u = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing='ij')
    seen = torch.stack([(weights * u).sum(), (weights * v).sum()])
    expected = motion.move_keypoints(keypoint[None, None])[0, 0] * SIZE + SIZE / 2
    assert (seen - expected).norm() < 1.0


def test_the_orientation_turns_with_the_picture():
    angle = math.radians(25.0)
    motion = CropMotion(torch.ones(1), torch.tensor([angle]), torch.zeros(1, 2))
    rotations = torch.from_numpy(Rotation.random(16, random_state=0).as_matrix()).float()[None]
    point = torch.tensor([0.03, -0.05, 0.08])  # of the hand, in its own axes
    before = (rotations[0, 0] @ point)[:2]
    after = (motion.turn_rotations(rotations)[0, 0] @ point)[:2]
    torch.testing.assert_close(motion.move_keypoints(before[None, None])[0, 0], after, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(motion.turn_rotations(rotations)[:, 1:], rotations[:, 1:])


def test_the_line_of_sight_turns_with_the_picture():
    """What a crop shows of a hand, its orientation against the line of sight, turns as the picture does."""
    motion = CropMotion(torch.ones(1), torch.tensor([math.radians(25.0)]), torch.zeros(1, 2))
    rotations = torch.from_numpy(Rotation.random(16, random_state=0).as_matrix()).float()[None]
    slopes = torch.tensor([[0.6, -0.3]])
    shown = relative_to_viewing_ray(rotations, slopes)
    turned = relative_to_viewing_ray(motion.turn_rotations(rotations), motion.turn_slopes(slopes))
    torch.testing.assert_close(turned, motion.turn_rotations(shown), atol=1e-6, rtol=1e-5)


def test_colors_stay_in_range_and_repeat_by_seed():
    images = torch.rand(2, 3, 3, 8, 8)
    first = jitter_colors(images, torch.Generator().manual_seed(1))
    again = jitter_colors(images, torch.Generator().manual_seed(1))
    other = jitter_colors(images, torch.Generator().manual_seed(2))
    assert first.min() >= 0.0 and first.max() <= 1.0
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_a_third_of_a_turn_of_the_hue_makes_red_green():
    mixing = color_mixing(torch.tensor([2.0 * math.pi / 3.0]), torch.ones(1))[0]
    torch.testing.assert_close(mixing @ torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0]))


def test_without_saturation_everything_is_grey():
    mixing = color_mixing(torch.tensor([0.3]), torch.zeros(1))[0]
    torch.testing.assert_close(mixing @ torch.tensor([0.9, 0.3, 0.0]), torch.full((3,), 0.4))


def test_all_frames_of_a_clip_change_color_alike():
    """Only the noise differs between the frames of a clip."""
    still = torch.rand(1, 1, 3, 16, 16).expand(1, 4, 3, 16, 16)
    changed = jitter_colors(still, torch.Generator().manual_seed(3))
    assert (changed - changed[:, :1]).abs().mean() < 0.04
