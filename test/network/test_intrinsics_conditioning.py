"""A scene stream that can be told the camera."""

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset
from hand3r_ros.network.scene.intrinsics_conditioning import camera_points, reference_focal
from hand3r_ros.network.types import Frame, HandBoxes

focals = st.floats(40.0, 800.0)


def empty() -> HandBoxes:
    return HandBoxes.empty(preset('tiny').hand.crop_size)


@pytest.fixture(scope='module')
def network() -> Hand3R:
    torch.manual_seed(0)
    return Hand3R(preset('tiny')).eval()


@given(focals, focals, st.floats(-3.0, 40.0), st.floats(0.0, 30.0))
def test_points_lie_on_the_rays_of_the_camera(fx: float, fy: float, cx: float, cy: float) -> None:
    points = camera_points(torch.randn(1, 20, 32), torch.tensor([[fx, fy, cx, cy]]), 0.8, 60.0)[0]
    v, u = torch.meshgrid(torch.arange(20.0), torch.arange(32.0), indexing='ij')
    pixels = points[..., :2] / points[..., 2:] * torch.tensor([fx, fy]) + torch.tensor([cx, cy])
    torch.testing.assert_close(pixels, torch.stack([u, v], -1), atol=2e-3, rtol=1e-4)


@given(focals)
def test_the_same_picture_under_a_lens_twice_as_long_is_twice_as_far(focal: float) -> None:
    log_depth = torch.randn(1, 6, 8)
    near, far = (camera_points(log_depth, torch.tensor([[f, f, 3.0, 2.0]]), 0.8, 60.0) for f in (focal, 2.0 * focal))
    torch.testing.assert_close(far[..., 2], 2.0 * near[..., 2])


def test_the_reference_camera_keeps_depths_as_they_are() -> None:
    focal = reference_focal((6, 8), 60.0)
    points = camera_points(torch.zeros(1, 6, 8), torch.tensor([[focal, focal, 3.5, 2.5]]), 0.8, 60.0)
    torch.testing.assert_close(points[..., 2], torch.full((1, 6, 8), 0.8))


def test_a_given_camera_is_used_and_a_missing_one_is_guessed(network: Hand3R) -> None:
    image = torch.rand(1, 3, 160, 224) * 2.0 - 1.0
    camera = torch.tensor([[150.0, 155.0, 110.0, 82.0]])
    told = network.step(network.init_state(), Frame(image, intrinsics=camera), empty())[1].scene
    untold = network.step(network.init_state(), Frame(image), empty())[1].scene
    assert told.intrinsics is not None and untold.intrinsics is not None and untold.guessed_intrinsics is not None
    assert torch.equal(told.intrinsics, camera)
    assert torch.equal(untold.intrinsics, untold.guessed_intrinsics)
    slope = told.points_self[0, 82, 0, 0] / told.points_self[0, 82, 0, 2]
    torch.testing.assert_close(slope, torch.tensor(-110.0 / 150.0))


def test_the_guess_never_sees_the_given_camera(network: Hand3R) -> None:
    image = torch.rand(1, 3, 160, 224) * 2.0 - 1.0
    guesses = [
        network.step(network.init_state(), Frame(image, intrinsics=camera), empty())[1].scene.guessed_intrinsics
        for camera in (None, torch.tensor([[90.0, 90.0, 112.0, 80.0]]))
    ]
    assert guesses[0] is not None and guesses[1] is not None
    assert torch.equal(guesses[0], guesses[1])


@pytest.mark.parametrize(
    ('camera', 'message'),
    [
        (torch.ones(2, 4), r'must be \[1, 4\]'),
        (torch.tensor([[100.0, -1.0, 8.0, 8.0]]), 'positive focal lengths'),
        (torch.tensor([[100.0, float('nan'), 8.0, 8.0]]), 'not finite'),
    ],
)
def test_a_camera_that_is_none_is_refused(network: Hand3R, camera: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        network.step(network.init_state(), Frame(torch.zeros(1, 3, 32, 32), intrinsics=camera), empty())


def test_a_network_that_takes_no_camera_says_so() -> None:
    tiny = preset('tiny')
    config = dataclasses.replace(
        tiny,
        scene=dataclasses.replace(tiny.scene, self_points='rays'),
        hand=dataclasses.replace(tiny.hand, orientation='camera'),
        prompt=dataclasses.replace(tiny.prompt, translation='metric'),
    )
    other = Hand3R(config)
    with pytest.raises(ValueError, match='takes no camera'):
        other.step(other.init_state(), Frame(torch.zeros(1, 3, 32, 32), intrinsics=torch.ones(1, 4)), empty())


def test_corrections_of_the_apparent_place_need_a_camera() -> None:
    tiny = preset('tiny')
    with pytest.raises(ValueError, match='needs a focal length'):
        dataclasses.replace(tiny, scene=dataclasses.replace(tiny.scene, self_points='rays'))
