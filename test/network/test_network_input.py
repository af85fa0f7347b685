"""What ``Hand3R.step`` does with arguments that are wrong: it names them and leaves the state usable."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import pytest
import torch
from torch import Tensor

from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset
from hand3r_ros.network.types import Frame, HandBoxes, Prediction, SceneState

HEIGHT, WIDTH = 48, 64
NAN, INFINITY = float('nan'), float('inf')


@functools.cache
def network() -> Hand3R:
    torch.manual_seed(3)
    return Hand3R(preset('tiny')).eval()


def image(batch: int = 1, height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(0)) * 2.0 - 1.0


def hands(*boxes: tuple[float, float, float, float]) -> HandBoxes:
    size = preset('tiny').hand.crop_size
    crops = torch.randn(len(boxes), 3, size, size, generator=torch.Generator().manual_seed(1))
    return HandBoxes(
        crops,
        torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        torch.ones(len(boxes), dtype=torch.bool),
        torch.zeros(len(boxes), dtype=torch.int64),
    )


@functools.cache
def running_state() -> SceneState:
    """After one good frame."""
    with torch.inference_mode():
        return network().step(network().init_state(), Frame(image()), hands((10, 10, 30, 30)))[0]


@torch.inference_mode()
def step(state: SceneState, frame: Frame, boxes: HandBoxes) -> tuple[SceneState, Prediction]:
    return network().step(state, frame, boxes)


def spoiled(tensor: Tensor, value: float) -> Tensor:
    tensor = tensor.clone()
    tensor.view(-1)[7 % tensor.numel()] = value
    return tensor


def assert_refused(message: str, state: SceneState, frame: Frame, boxes: HandBoxes) -> None:
    """The call is refused, and the state is as good as if it had never been made."""
    before = running_state().tokens.clone(), running_state().memory.clone()
    with pytest.raises(ValueError, match=message):
        step(state, frame, boxes)
    assert torch.equal(running_state().tokens, before[0]) and torch.equal(running_state().memory, before[1])


@pytest.mark.parametrize(
    ('changed', 'message'),
    [
        (image(1, 50, 64), r'Frame\.image must be \[B, 3, H, W\] with H and W multiples of 16, got \[1, 3, 50, 64\]'),
        (image()[:, :1], r'multiples of 16, got \[1, 1, 48, 64\]'),
        (image()[0], r'multiples of 16, got \[3, 48, 64\]'),
        (image()[:, :, :0], r'got \[1, 3, 0, 64\]'),
        (image()[:0], r'at least one image, got \[0, 3, 48, 64\]'),
        (image(2), r'SceneState\.tokens must be \[2, .* got \[1, .*init_state\(2\)'),
        (torch.zeros(1, 3, HEIGHT, WIDTH, dtype=torch.uint8), r'Frame\.image must be torch\.float32 .* torch\.uint8'),
        (image().double(), r'Frame\.image must be torch\.float32 .* torch\.float64'),
        (image().to('meta'), r'Frame\.image is on meta, the network on cpu'),
        (spoiled(image(), NAN), r'Frame\.image \[1, 3, 48, 64\] holds 1 values that are not finite'),
        (spoiled(image(), -INFINITY), r'Frame\.image .* not finite'),
    ],
)
def test_images_that_cannot_be_used_are_named(changed: Tensor, message: str) -> None:
    assert_refused(message, running_state(), Frame(changed), hands((10, 10, 30, 30)))


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'update': torch.ones(2, dtype=torch.bool)}, r'Frame\.update must be \[1\], one per image, got \[2\]'),
        ({'reset': torch.ones(1, 1, dtype=torch.bool)}, r'Frame\.reset must be \[1\]'),
        ({'ray_map': torch.zeros(1, HEIGHT, WIDTH, 5)}, r'Frame\.ray_map must be \[1, 48, 64, 6\]'),
        ({'ray_map': torch.full((1, HEIGHT, WIDTH, 6), NAN)}, r'Frame\.ray_map .* not finite'),
        ({'state_update': 'ttt4r'}, r"Frame\.state_update must be one of .*, got 'ttt4r'"),
    ],
)
def test_options_of_a_frame_that_cannot_be_used_are_named(changes: dict[str, Any], message: str) -> None:
    assert_refused(message, running_state(), Frame(image(), **changes), hands())


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'crops': torch.zeros(1, 3, 64, 64)}, r'HandBoxes\.crops must be \[1, 3, 128, 128\] for 1 hands'),
        ({'crops': torch.full((1, 3, 128, 128), NAN)}, r'HandBoxes\.crops .* not finite'),
        ({'crops': torch.zeros(1, 3, 128, 128, dtype=torch.uint8)}, r'HandBoxes\.crops must be torch\.float32'),
        ({'boxes': torch.tensor([[10.0, NAN, 30.0, 30.0]])}, r'HandBoxes\.boxes \[1, 4\] holds 1 values that are not'),
        ({'boxes': torch.tensor([[10, 10, 30, 30]])}, r'HandBoxes\.boxes must be torch\.float32'),
        ({'boxes': torch.zeros(1, 5)}, r'HandBoxes\.boxes must be \[1, 4\]'),
        ({'boxes': torch.zeros(0, 4)}, r'HandBoxes\.crops must be \[0, '),
        ({'is_right': torch.ones(2, dtype=torch.bool)}, r'HandBoxes\.is_right must be \[1\]'),
        ({'is_right': torch.ones(1)}, r'HandBoxes\.is_right must be torch\.bool'),
        ({'batch_index': torch.tensor([1])}, r'HandBoxes\.batch_index must lie in 0\.\.0, got \[1\]'),
        ({'batch_index': torch.tensor([-1])}, r'HandBoxes\.batch_index must lie in 0\.\.0'),
        ({'batch_index': torch.tensor([0.0])}, r'HandBoxes\.batch_index must be torch\.int64'),
    ],
)
def test_hands_that_cannot_be_used_are_named(changes: dict[str, Any], message: str) -> None:
    boxes = dataclasses.replace(hands((10, 10, 30, 30)), **changes)
    assert_refused(message, running_state(), Frame(image()), boxes)


@pytest.mark.parametrize('name', ['tokens', 'memory'])
def test_states_of_other_batches_networks_or_with_nan_are_named(name: str) -> None:
    state = running_state()
    good = getattr(state, name)
    for changed, message in (
        (good[:, :-1], rf'SceneState\.{name} must be \[1, '),
        (good[..., :-1], rf'SceneState\.{name} must be \[1, '),
        (good.expand(3, -1, -1), rf'SceneState\.{name} must be \[1, .* got \[3, '),
        (good.to('meta'), rf'SceneState\.{name} is on meta, the network on cpu'),
        (spoiled(good, INFINITY), rf'SceneState\.{name} .* not finite'),
    ):
        assert_refused(message, dataclasses.replace(state, **{name: changed}), Frame(image()), hands())


def test_a_state_serves_images_of_any_size() -> None:
    state, prediction = step(running_state(), Frame(image(1, 32, 96)), hands())
    assert prediction.scene.points_self.shape == (1, 32, 96, 3)
    assert state.tokens.shape == running_state().tokens.shape and state.tokens.isfinite().all()


def test_no_hands_give_empty_predictions() -> None:
    state, prediction = step(running_state(), Frame(image()), hands())
    assert prediction.hands.rotations.shape == (0, 16, 3, 3) and prediction.hands.betas.shape == (0, 10)
    assert prediction.hands.translation is not None and prediction.hands.translation.shape == (0, 3)
    assert state.tokens.isfinite().all()


@pytest.mark.parametrize(
    'box',
    [
        (-500, -500, -400, -400),  # outside, above and left
        (1000, 10, 1100, 30),  # outside, right
        (20, 20, 20, 20),  # no area
        (20, 10, 20, 40),  # no width
        (40, 40, 10, 10),  # corners swapped
        (-1e6, -1e6, 1e6, 1e6),  # much larger than the image
    ],
)
def test_boxes_outside_of_the_image_or_without_area_are_well_defined(box: tuple[float, float, float, float]) -> None:
    state, prediction = step(running_state(), Frame(image()), hands(box, (10, 10, 30, 30)))
    hand = prediction.hands
    for tensor in (hand.rotations, hand.betas, hand.crop_camera, hand.translation, state.tokens, state.memory):
        assert tensor is not None and tensor.isfinite().all()


def test_what_is_ignored_may_be_anything() -> None:
    rays = torch.full((2, HEIGHT, WIDTH, 6), NAN)
    frame = Frame(image(2), ray_map=rays, has_ray_map=torch.tensor([False, False]))
    config = dataclasses.replace(preset('tiny'), scene=dataclasses.replace(preset('tiny').scene, ray_map_depth=1))
    net = Hand3R(config).eval()
    with torch.inference_mode():
        state, _ = net.step(net.init_state(2), frame, hands())
        assert state.tokens.isfinite().all()
        with pytest.raises(ValueError, match=r'Frame\.ray_map .* not finite'):
            net.step(state, dataclasses.replace(frame, has_ray_map=torch.tensor([False, True])), hands())
