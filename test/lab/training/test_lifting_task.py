"""Keypoints without pictures are those that the picture of such a hand would give."""

import pytest
import torch

from hand3r_lab.training.lifting_task import LiftingTask, lifting_task
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.layer import HandLayer


@pytest.fixture(scope='module')
def layer() -> HandLayer:
    return HandLayer(load_open_hand())


def task(layer: HandLayer, seed: int = 0, count: int = 32) -> LiftingTask:
    rotations = torch.eye(3).repeat(count, 16, 1, 1)
    return lifting_task(rotations, torch.zeros(count, 10), layer, 1.3, torch.Generator().manual_seed(seed))


def test_the_turned_hand_has_the_stated_rotations(layer: HandLayer) -> None:
    found = task(layer)
    hand = layer(found.rotations, found.betas, torch.ones(32, dtype=torch.bool))
    # In the crop a hand is scaled and shifted, not turned any further.
    for place, points in zip(found.keypoints_crop, hand.keypoints[..., :2], strict=True):
        ratio = (place - place.mean(0)).norm() / (points - points.mean(0)).norm()
        torch.testing.assert_close((place - place.mean(0)) / ratio, points - points.mean(0), atol=1e-4, rtol=1e-3)


def test_hands_fill_their_crops_and_are_turned_all_ways(layer: HandLayer) -> None:
    found = task(layer)
    largest = found.keypoints_crop.abs().amax((1, 2))
    assert float(largest.min()) > 0.2 and float(largest.max()) < 0.7
    angles = torch.atan2(found.rotations[:, 0, 1, 0], found.rotations[:, 0, 0, 0])
    assert float(angles.min()) < -2.0 and float(angles.max()) > 2.0


def test_what_the_head_is_told_has_errors_of_different_sizes(layer: HandLayer) -> None:
    found = task(layer)
    error = (found.keypoints[..., :2] - found.keypoints_crop).flatten(1).std(1)
    assert float(error.min()) < 0.01 < 0.03 < float(error.max()) < 0.07


def test_a_task_follows_from_its_generator(layer: HandLayer) -> None:
    assert torch.equal(task(layer, 3).keypoints, task(layer, 3).keypoints)
    assert not torch.equal(task(layer, 3).keypoints, task(layer, 4).keypoints)
