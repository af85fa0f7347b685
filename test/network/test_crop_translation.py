"""Hands where their crop cameras put them, and corrections of that."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from hand3r_ros.network.crop_translation import crop_numbers, crop_squares, crop_translation
from hand3r_ros.network.hand.config import HandConfig
from hand3r_ros.network.hand.crop import crop_square
from hand3r_ros.network.types import HandBoxes

HAND = HandConfig(crop_size=128, used_width=96, crop_rescale=1.3)
CAMERA = torch.tensor([[200.0, 210.0, 112.0, 80.0]])
corners = st.floats(-50.0, 250.0)
extents = st.floats(3.0, 200.0)


def hands(box, is_right=True) -> HandBoxes:
    return HandBoxes(
        torch.zeros(1, 3, 128, 128), torch.tensor([box]), torch.tensor([is_right]), torch.zeros(1, dtype=torch.int64)
    )


@given(corners, corners, extents, extents)
def test_the_square_is_that_of_the_crop(x: float, y: float, width: float, height: float) -> None:
    box = np.array([x, y, x + width, y + height], np.float32)
    center, side = crop_squares(torch.from_numpy(box)[None], HAND.crop_rescale)
    expected_center, expected_side = crop_square(box, HAND.crop_rescale)
    np.testing.assert_allclose(center[0].numpy(), expected_center, atol=1e-3)
    np.testing.assert_allclose(float(side[0]), expected_side, rtol=1e-4)


def test_no_correction_leaves_the_hand_where_the_crop_camera_sees_it() -> None:
    crop_camera = torch.tensor([[5.0, 0.02, -0.01]])
    place = crop_translation(crop_camera, hands([60.0, 40.0, 120.0, 120.0]), CAMERA, HAND)
    wrist = place.corrected(torch.zeros(1, 3))[0]
    side = 1.3 * 80.0
    depth = 2.0 * (200.0 * 210.0) ** 0.5 / (side * 5.0)
    expected = [0.02 + (90.0 - 112.0) / 200.0 * depth, -0.01 + (80.0 - 80.0) / 210.0 * depth, depth]
    torch.testing.assert_close(wrist, torch.tensor(expected))


@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.floats(-1.0, 1.0))
def test_a_mirrored_hand_is_corrected_the_mirrored_way(x: float, y: float, farther: float) -> None:
    crop_camera, correction = torch.tensor([[5.0, 0.02, -0.01]]), torch.tensor([[x, y, farther]])
    centred = torch.tensor([[200.0, 210.0, 111.5, 80.0]])
    right = crop_translation(crop_camera, hands([60.0, 40.0, 120.0, 120.0]), centred, HAND).corrected(correction)
    left = crop_translation(crop_camera, hands([103.0, 40.0, 163.0, 120.0], False), centred, HAND).corrected(correction)
    torch.testing.assert_close(left * torch.tensor([-1.0, 1.0, 1.0]), right, atol=1e-5, rtol=1e-5)


@given(st.floats(0.3, 3.0))
def test_going_farther_keeps_the_line_of_sight(factor: float) -> None:
    place = crop_translation(torch.tensor([[5.0, 0.02, -0.01]]), hands([60.0, 40.0, 120.0, 120.0]), CAMERA, HAND)
    near = place.corrected(torch.tensor([[0.1, 0.0, 0.0]]))
    far = place.corrected(torch.tensor([[0.1, 0.0, float(np.log(factor))]]))
    torch.testing.assert_close(far, near * factor)


def test_a_scale_that_is_no_scale_stays_finite() -> None:
    for s in (0.0, -4.0):
        place = crop_translation(torch.tensor([[s, 0.0, 0.0]]), hands([60.0, 40.0, 60.0, 40.0]), CAMERA, HAND)
        assert bool(place.corrected(torch.full((1, 3), 50.0)).isfinite().all())


def test_a_hand_that_looks_half_as_large_is_told_to_be_twice_as_far() -> None:
    camera = torch.tensor([[5.0, 0.02, -0.01]])
    large, small = (crop_numbers(camera, hands(box), (160, 224), HAND) for box in ([0.0, 0, 60, 80], [0.0, 0, 30, 40]))
    torch.testing.assert_close(small[:, 0] - large[:, 0], torch.tensor([2.0]).log())
    torch.testing.assert_close(small[:, 1:], large[:, 1:])
