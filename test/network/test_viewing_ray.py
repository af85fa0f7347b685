"""Orientations against the line of sight: what a crop shows, and what the camera adds to it."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from torch import Tensor

from hand3r_ros.hand_model.mirror import mirror_rotations
from hand3r_ros.network.hand.camera import project_to_image
from hand3r_ros.network.hand.viewing_ray import (
    in_camera,
    mirror_slopes,
    ray_rotations,
    ray_slopes_of_boxes,
    relative_to_viewing_ray,
)
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset
from hand3r_ros.network.types import Frame, HandBoxes, HandPrediction

SLOPES = st.floats(-1.5, 1.5)  # up to 56 degrees beside the optical axis


def rotations(count: int, seed: int = 0) -> Tensor:
    """[count, 16, 3, 3] at random."""
    return torch.from_numpy(Rotation.random(16 * count, random_state=seed).as_matrix()).reshape(count, 16, 3, 3)


@settings(max_examples=60, deadline=None)
@given(x=SLOPES, y=SLOPES)
def test_it_is_the_smallest_rotation_from_the_optical_axis_to_the_line_of_sight(x: float, y: float) -> None:
    found = ray_rotations(torch.tensor([[x, y]], dtype=torch.float64))[0]
    direction = np.array([x, y, 1.0]) / np.linalg.norm([x, y, 1.0])
    np.testing.assert_allclose(found @ found.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(found[:, 2], direction, atol=1e-12)
    angle = Rotation.from_matrix(found.numpy()).magnitude()
    assert angle == pytest.approx(np.arccos(min(direction[2], 1.0)), abs=1e-7)


@settings(max_examples=30, deadline=None)
@given(x=SLOPES, y=SLOPES, seed=st.integers(0, 100))
def test_both_ways_undo_each_other_and_leave_the_fingers_alone(x: float, y: float, seed: int) -> None:
    hands, slopes = rotations(2, seed), torch.tensor([[x, y], [-y, x]], dtype=torch.float64)
    shown = relative_to_viewing_ray(hands, slopes)
    torch.testing.assert_close(in_camera(shown, slopes), hands)
    torch.testing.assert_close(shown[:, 1:], hands[:, 1:])


@settings(max_examples=30, deadline=None)
@given(x=SLOPES, y=SLOPES, seed=st.integers(0, 100))
def test_a_left_hand_is_the_mirror_image_of_a_right_one(x: float, y: float, seed: int) -> None:
    """The mirrored image of a left hand at the left shows a right hand at the right."""
    own, slopes = rotations(1, seed), torch.tensor([[x, y]], dtype=torch.float64)
    left = torch.tensor([False])
    turned = in_camera(mirror_rotations(own), mirror_slopes(slopes, left))
    torch.testing.assert_close(mirror_rotations(turned), in_camera(own, slopes))


@settings(max_examples=30, deadline=None)
@given(x=st.floats(-0.9, 0.9), y=st.floats(-0.6, 0.6), seed=st.integers(0, 100))
def test_a_small_far_thing_looks_the_same_wherever_it_lies_against_the_line_of_sight(
    x: float, y: float, seed: int
) -> None:
    """Up to the stretch of the image towards its edges, which is the slant's cosine and nothing else."""
    points = 1e-4 * torch.from_numpy(np.random.default_rng(seed).normal(size=(1, 40, 3)))
    slopes, focal = torch.tensor([[x, y]], dtype=torch.float64), torch.full((1, 2), 500.0, dtype=torch.float64)
    turn = ray_rotations(slopes)
    distance = torch.cat([slopes, torch.ones(1, 1, dtype=torch.float64)], -1)
    seen = project_to_image(points @ turn.transpose(-1, -2) + distance[:, None], focal, torch.zeros_like(focal))
    seen = seen - seen.mean(1, keepdim=True)
    straight = points[..., :2] - points[..., :2].mean(1, keepdim=True)
    outwards = slopes / slopes.norm().clamp(min=1e-9)
    across = torch.stack([-outwards[:, 1], outwards[:, 0]], -1)
    shrink = 1.0 / distance.norm()  # the thing is so much farther away than an image plane at distance 1
    for axis, stretch in ((outwards, 1.0 / shrink), (across, 1.0)):
        expected = (straight @ axis[0]) * 500.0 * stretch
        if slopes.norm() > 1e-3:
            torch.testing.assert_close(seen @ axis[0], expected, rtol=0.01, atol=2e-3 * float(expected.abs().max()))


def test_lines_of_sight_go_through_the_middle_of_boxes() -> None:
    boxes = torch.tensor([[100.0, 40.0, 140.0, 60.0]]).expand(2, 4)
    intrinsics = torch.tensor([[200.0, 100.0, 80.0, 60.0]]).expand(2, 4)
    found = ray_slopes_of_boxes(boxes, intrinsics, torch.tensor([True, False]))
    torch.testing.assert_close(found, torch.tensor([[0.2, -0.1], [-0.2, -0.1]]))


@functools.cache
def network(orientation: str) -> Hand3R:
    torch.manual_seed(4)
    config = preset('tiny')
    return Hand3R(dataclasses.replace(config, hand=dataclasses.replace(config.hand, orientation=orientation))).eval()


@torch.inference_mode()
def answer(orientation: str, boxes: list[list[float]], sides: list[bool]) -> HandPrediction:
    """The same crop at several places of an image."""
    net = network(orientation)
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(1, 3, 48, 64, generator=generator) * 2.0 - 1.0
    crop = torch.randn(1, 3, 128, 128, generator=generator)
    hands = HandBoxes(
        crop.expand(len(boxes), -1, -1, -1),
        torch.tensor(boxes),
        torch.tensor(sides),
        torch.zeros(len(boxes), dtype=torch.int64),
    )
    frame = Frame(image, intrinsics=torch.tensor([[50.0, 50.0, 31.5, 23.5]]))
    return net.step(net.init_state(), frame, hands)[1].hands


PLACES = [[21.5, 13.5, 41.5, 33.5], [41.5, 13.5, 61.5, 33.5], [1.5, 13.5, 21.5, 33.5]]


def test_the_same_crop_elsewhere_in_the_image_is_a_hand_turned_by_the_line_of_sight() -> None:
    middle, at_the_right, left_hand_at_the_left = answer('line_of_sight', PLACES, [True, True, False]).rotations
    slope = torch.tensor([[0.4, 0.0]])
    torch.testing.assert_close(at_the_right[0], (ray_rotations(slope) @ middle[0])[0], atol=1e-5, rtol=1e-4)
    # Mirrored, a left hand at the left is a right hand at the right.
    torch.testing.assert_close(left_hand_at_the_left, at_the_right, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(at_the_right[1:], middle[1:], atol=1e-5, rtol=1e-4)


def test_networks_like_hamer_answer_in_camera_axes_whatever_the_place() -> None:
    hands = answer('camera', PLACES[:2], [True, True])
    torch.testing.assert_close(hands.rotations[1], hands.rotations[0])
    assert hands.slopes is None


def test_no_hand_is_no_hand() -> None:
    hands = answer('line_of_sight', [[0.0, 0.0, 1.0, 1.0]], [True])
    net = network('line_of_sight')
    with torch.inference_mode():
        empty = net.step(net.init_state(), Frame(torch.zeros(1, 3, 48, 64)), HandBoxes.empty(128))[1].hands
    assert empty.rotations.shape == (0, *hands.rotations.shape[1:])
    assert empty.slopes is not None and empty.slopes.shape == (0, 2)


def test_a_scene_stream_that_knows_no_camera_is_refused() -> None:
    config = preset('full')
    with pytest.raises(ValueError, match="orientation 'line_of_sight' needs a focal length"):
        dataclasses.replace(config, hand=dataclasses.replace(config.hand, orientation='line_of_sight'))


def test_unknown_orientations_are_named() -> None:
    with pytest.raises(ValueError, match="'camera' or 'line_of_sight', got 'world'"):
        dataclasses.replace(preset('full').hand, orientation='world')  # type: ignore[arg-type]
