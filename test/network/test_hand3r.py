"""The dual stream: any number of hands per image, hands of different images apart, state explicit and per sequence."""

from __future__ import annotations

import dataclasses
import functools

import pytest
import torch
from torch import Tensor

from hand3r_ros.network.config import Hand3RConfig
from hand3r_ros.network.hand3r import Hand3R, pad_prompts
from hand3r_ros.network.pose import matrix_from_pose
from hand3r_ros.network.presets import PRESETS, preset
from hand3r_ros.network.prompt import Prompts
from hand3r_ros.network.scene.stream import PaddedPrompts
from hand3r_ros.network.types import Frame, HandBoxes, Prediction, SceneState

HEIGHT, WIDTH = 48, 64


@functools.cache
def network(fusion: bool = True) -> Hand3R:
    torch.manual_seed(2)
    return Hand3R(dataclasses.replace(preset('tiny'), fusion=fusion)).eval()


def images(batch: int, seed: int = 0) -> Tensor:
    return torch.rand(batch, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(seed)) * 2.0 - 1.0


def hands(batch_index: list[int], seed: int = 5) -> HandBoxes:
    generator = torch.Generator().manual_seed(seed)
    count, size = len(batch_index), preset('tiny').hand.crop_size
    corners = torch.rand(count, 2, generator=generator) * torch.tensor([WIDTH / 2.0, HEIGHT / 2.0])
    return HandBoxes(
        torch.randn(count, 3, size, size, generator=generator),
        torch.cat((corners, corners + 20.0), dim=1),
        torch.arange(count) % 2 == 0,
        torch.tensor(batch_index, dtype=torch.int64),
    )


def chosen(boxes: HandBoxes, index: list[int], batch_index: list[int]) -> HandBoxes:
    names = ('crops', 'boxes', 'is_right', 'batch_index')
    picked = {name: getattr(boxes, name)[index] for name in names}
    return HandBoxes(**(picked | {'batch_index': torch.tensor(batch_index)}))


@torch.inference_mode()
def run(net: Hand3R, frames: list[tuple[Frame, HandBoxes]]) -> tuple[SceneState, Prediction]:
    """State and prediction after the last frame."""
    state = net.init_state(len(frames[0][0].image))
    for frame, boxes in frames:
        state, prediction = net.step(state, frame, boxes)
    return state, prediction


def scene_outputs(prediction: Prediction) -> list[Tensor]:
    scene = prediction.scene
    return [scene.points_self, scene.confidence_self, scene.camera_pose, scene.decoded_tokens]


def largest_difference(first: Prediction, second: Prediction) -> float:
    pairs = zip(scene_outputs(first), scene_outputs(second), strict=True)
    return max(float((a - b).abs().max()) for a, b in pairs)


def test_shapes_of_a_step_with_hands() -> None:
    state, prediction = run(network(), [(Frame(images(2)), hands([1, 0, 1]))])
    scene, config = prediction.scene, preset('tiny').scene
    tokens = (HEIGHT // 16) * (WIDTH // 16)
    assert scene.points_self.shape == (2, HEIGHT, WIDTH, 3)
    assert scene.confidence_self.shape == (2, HEIGHT, WIDTH)
    assert scene.camera_pose.shape == (2, 7)
    assert scene.image_tokens.shape == (2, tokens, config.encoder_width)
    assert scene.decoded_tokens.shape == (2, tokens, config.decoder_width)
    assert scene.points_world is None and scene.rgb is None
    assert prediction.hands.rotations.shape == (3, 16, 3, 3)
    assert prediction.hands.betas.shape == (3, 10)
    assert prediction.hands.crop_camera.shape == (3, 3)
    assert prediction.hands.translation is not None and prediction.hands.translation.shape == (3, 3)
    assert state.tokens.shape == (2, config.state_size, config.decoder_width)
    assert state.memory.shape == (2, config.memory_slots, 2 * config.decoder_width)


def test_a_frame_without_hands_works_and_gives_empty_hands() -> None:
    empty = HandBoxes.empty(preset('tiny').hand.crop_size)
    _, prediction = run(network(), [(Frame(images(1)), hands([0])), (Frame(images(1, 1)), empty)])
    assert prediction.hands.rotations.shape == (0, 16, 3, 3)
    assert prediction.hands.translation is not None and prediction.hands.translation.shape == (0, 3)
    assert prediction.scene.points_self.isfinite().all()


def test_an_untrained_network_starts_from_a_plausible_scene() -> None:
    config = preset('tiny')
    _, prediction = run(network(), [(Frame(images(1)), hands([0, 0]))])
    depth = prediction.scene.points_self[..., 2]
    assert 0.5 * config.scene.initial_depth < depth.min() and depth.max() < 2.0 * config.scene.initial_depth
    T_world_camera = matrix_from_pose(prediction.scene.camera_pose)
    torch.testing.assert_close(T_world_camera[0], torch.eye(4), atol=0.1, rtol=0.0)
    assert prediction.hands.translation is not None
    distance = prediction.hands.translation.norm(dim=-1)
    torch.testing.assert_close(distance, torch.full((2,), config.prompt.initial_distance), atol=0.1, rtol=0.0)


@pytest.mark.parametrize('batch_index', [[0, 2, 2], [2, 0, 2], [1], [0, 1, 2]])
def test_images_of_a_batch_do_not_see_each_other(batch_index: list[int]) -> None:
    boxes, second_boxes = hands(batch_index), hands(batch_index, seed=6)
    together = [(Frame(images(3)), boxes), (Frame(images(3, 1)), second_boxes)]
    state, prediction = run(network(), together)
    assert prediction.hands.translation is not None
    for image in range(3):
        own = [hand for hand, owner in enumerate(batch_index) if owner == image]
        alone = [
            (Frame(frame.image[image : image + 1]), chosen(every, own, [0] * len(own))) for frame, every in together
        ]
        state_alone, prediction_alone = run(network(), alone)
        torch.testing.assert_close(state.tokens[image], state_alone.tokens[0], atol=2e-5, rtol=2e-5)
        torch.testing.assert_close(state.memory[image], state_alone.memory[0], atol=2e-5, rtol=2e-5)
        for found, expected in zip(scene_outputs(prediction), scene_outputs(prediction_alone), strict=True):
            torch.testing.assert_close(found[image], expected[0], atol=2e-5, rtol=2e-5)
        expected_translation = prediction_alone.hands.translation
        assert expected_translation is not None
        torch.testing.assert_close(prediction.hands.translation[own], expected_translation, atol=2e-5, rtol=2e-5)


def test_what_stands_in_the_padding_changes_nothing() -> None:
    scene = network().scene
    state, frame = scene.init_state(1), Frame(images(1))
    width = preset('tiny').scene.decoder_width
    torch.manual_seed(0)
    prompt, noise = torch.randn(1, 1, width), 50.0 * torch.randn(1, 2, width)
    positions = torch.tensor([[[1, 2], [0, 0], [2, 3]]])
    plain = PaddedPrompts(prompt, positions[:, :1])
    padded = PaddedPrompts(torch.cat((prompt, noise), 1), positions, torch.tensor([[True, False, False]]))
    unmasked = padded._replace(valid=None)
    with torch.inference_mode():
        expected, found, wrong = (scene.step(state, frame, prompts=prompts) for prompts in (plain, padded, unmasked))
    torch.testing.assert_close(found.state.tokens, expected.state.tokens, atol=2e-5, rtol=2e-5)
    torch.testing.assert_close(found.state.memory, expected.state.memory, atol=2e-5, rtol=2e-5)
    torch.testing.assert_close(found.fused_prompts[:, :1], expected.fused_prompts, atol=2e-5, rtol=2e-5)
    assert (wrong.state.tokens - expected.state.tokens).abs().max() > 1e-3


def test_the_order_of_hands_does_not_matter() -> None:
    boxes = hands([0, 0, 0])
    order = [2, 0, 1]
    _, first = run(network(), [(Frame(images(1)), boxes)])
    _, second = run(network(), [(Frame(images(1)), chosen(boxes, order, [0, 0, 0]))])
    assert first.hands.translation is not None and second.hands.translation is not None
    torch.testing.assert_close(first.hands.translation[order], second.hands.translation, atol=2e-5, rtol=2e-5)
    assert largest_difference(first, second) < 2e-5


def test_prompts_are_sorted_to_their_images() -> None:
    prompts = Prompts(torch.arange(5.0)[:, None], torch.arange(10).reshape(5, 2))
    padded, slots = pad_prompts(prompts, hands([2, 0, 2, 2, 0]), batch=3)
    assert slots.tolist() == [0, 0, 1, 2, 1]
    assert padded.tokens[..., 0].tolist() == [[1.0, 4.0, 0.0], [0.0, 0.0, 0.0], [0.0, 2.0, 3.0]]
    assert padded.positions[0, :2].tolist() == [[2, 3], [8, 9]]
    assert padded.valid is not None
    assert padded.valid.tolist() == [[True, True, False], [False, False, False], [True, True, True]]
    even, _ = pad_prompts(Prompts(prompts.tokens[:2], prompts.positions[:2]), hands([1, 0]), batch=2)
    assert even.valid is None


def test_places_that_are_kept_free_change_nothing() -> None:
    boxes = hands([0, 0, 1, 1, 2, 2])
    present = torch.tensor([True, False, True, True, False, False])
    frame = Frame(images(3))
    _, expected = run(network(), [(frame, chosen(boxes, [0, 2, 3], [0, 1, 1]))])
    _, found = run(network(), [(frame, dataclasses.replace(boxes, present=present))])
    assert found.hands.translation is not None and expected.hands.translation is not None
    torch.testing.assert_close(found.hands.translation[present], expected.hands.translation, atol=2e-5, rtol=2e-5)
    torch.testing.assert_close(found.scene.points_self, expected.scene.points_self, atol=2e-5, rtol=2e-5)


def test_places_must_be_the_same_number_in_every_image() -> None:
    boxes = dataclasses.replace(hands([0, 0, 1]), present=torch.ones(3, dtype=torch.bool))
    with pytest.raises(ValueError, match=r'HandBoxes.present must be \[3\] with equally many'):
        run(network(), [(Frame(images(2)), boxes)])


def test_hands_enter_the_scene_only_with_fusion() -> None:
    frame, empty = Frame(images(1)), HandBoxes.empty(preset('tiny').hand.crop_size)
    _, with_hands = run(network(), [(frame, hands([0]))])
    _, without = run(network(), [(frame, empty)])
    assert largest_difference(with_hands, without) > 1e-5
    _, with_hands = run(network(fusion=False), [(frame, hands([0]))])
    _, without = run(network(fusion=False), [(frame, empty)])
    assert largest_difference(with_hands, without) == 0.0
    assert with_hands.hands.translation is None
    assert with_hands.hands.rotations.shape == (1, 16, 3, 3)


def test_articulation_does_not_depend_on_the_scene() -> None:
    boxes = hands([0])
    _, first = run(network(), [(Frame(images(1, 0)), boxes)])
    _, second = run(network(), [(Frame(images(1, 1)), boxes)])
    assert torch.equal(first.hands.rotations, second.hands.rotations)
    assert first.hands.translation is not None and second.hands.translation is not None
    assert not torch.equal(first.hands.translation, second.hands.translation)


def test_updates_and_resets_are_per_sequence() -> None:
    net, empty = network(), HandBoxes.empty(preset('tiny').hand.crop_size)
    with torch.inference_mode():
        before, _ = net.step(net.init_state(3), Frame(images(3)), empty)
        frame = Frame(images(3, 1), torch.tensor([True, False, True]), torch.tensor([False, False, True]))
        after, _ = net.step(before, frame, empty)
        every, _ = net.step(before, Frame(frame.image), empty)
    assert torch.equal(after.tokens[0], every.tokens[0]) and torch.equal(after.memory[0], every.memory[0])
    assert torch.equal(after.tokens[1], before.tokens[1]) and torch.equal(after.memory[1], before.memory[1])
    assert torch.equal(after.tokens[2], before.initial_tokens[2])
    assert torch.equal(after.memory[2], before.initial_memory[2])
    assert after.fresh is not None and after.fresh.tolist() == [False, False, True]


def test_encoding_ahead_gives_the_same_step() -> None:
    net, frame, boxes = network(), Frame(images(2)), hands([0, 1, 1])
    with torch.inference_mode():
        state = net.init_state(2)
        _, at_once = net.step(state, frame, boxes)
        _, in_two = net.decode(state, frame, boxes, net.encode(frame, boxes))
    assert largest_difference(at_once, in_two) == 0.0


def test_a_loss_on_the_wrist_reaches_prompts_scene_and_hand_stream() -> None:
    torch.manual_seed(2)
    net = Hand3R(preset('tiny'))
    state = net.init_state(2)
    for index in range(2):
        state, prediction = net.step(state, Frame(images(2, index)), hands([0, 1, 1]))
    assert prediction.hands.translation is not None
    (prediction.hands.translation**2).sum().backward()
    assert net.prompt_encoder is not None and net.translation_head is not None
    reached = (net.prompt_encoder, net.translation_head, net.scene.image_encoder, net.scene.decoder, net.hand.backbone)
    for module in reached:
        gradients = [parameter.grad for parameter in module.parameters()]
        assert any(gradient is not None and gradient.abs().max() > 0.0 for gradient in gradients)
    assert net.scene.state_tokens.grad is not None and net.scene.state_tokens.grad.abs().max() > 0.0


@pytest.mark.parametrize('state_update', ['cut3r', 'ttt3r'])
def test_mixed_precision_keeps_the_state_and_all_outputs_in_float32(state_update: str) -> None:
    config = preset('tiny')
    net = Hand3R(dataclasses.replace(config, scene=dataclasses.replace(config.scene, state_update=state_update)))
    with torch.inference_mode(), torch.autocast('cpu', dtype=torch.bfloat16):
        state = net.init_state(2)
        for index in range(2):
            state, prediction = net.step(state, Frame(images(2, index)), hands([0, 1, 1]))
    assert state.tokens.dtype == state.memory.dtype == torch.float32
    assert prediction.scene.points_self.dtype == prediction.scene.camera_pose.dtype == torch.float32
    assert prediction.hands.translation is not None and prediction.hands.translation.isfinite().all()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'crops': torch.zeros(1, 3, 64, 64)}, r'HandBoxes.crops must be \[1, 3, 128, 128\]'),
        ({'boxes': torch.zeros(1, 5)}, 'HandBoxes.boxes'),
        ({'is_right': torch.ones(2, dtype=torch.bool)}, 'HandBoxes.is_right'),
        ({'batch_index': torch.tensor([1])}, r'batch_index must lie in 0\.\.0'),
        ({'batch_index': torch.tensor([-1])}, 'batch_index'),
    ],
)
def test_hands_of_wrong_shape_or_image_are_named(change: dict[str, Tensor], message: str) -> None:
    net = network()
    with pytest.raises(ValueError, match=message):
        net.step(net.init_state(), Frame(images(1)), dataclasses.replace(hands([0]), **change))


def test_images_of_wrong_shape_are_named() -> None:
    net, empty = network(), HandBoxes.empty(preset('tiny').hand.crop_size)
    for shape in ((1, 3, 50, 64), (1, 1, 48, 64), (3, 48, 64), (1, 3, 0, 64)):
        with pytest.raises(ValueError, match=r'multiples of 16'):
            net.step(net.init_state(), Frame(torch.zeros(shape)), empty)
    with pytest.raises(ValueError, match=r'SceneState.tokens must be \[2, .* got \[1, .*init_state\(2\)'):
        net.step(net.init_state(1), Frame(images(2)), empty)


def test_maps_the_network_lacks_are_refused() -> None:
    net, empty = network(), HandBoxes.empty(preset('tiny').hand.crop_size)
    with pytest.raises(ValueError, match=r"\['world'\] are not in this network"):
        net.step(net.init_state(), Frame(images(1)), empty, dense=frozenset({'world'}))
    with pytest.raises(ValueError, match='ray maps'):
        net.step(net.init_state(), Frame(images(1), ray_map=torch.zeros(1, HEIGHT, WIDTH, 6)), empty)


@pytest.mark.parametrize('name', PRESETS)
def test_presets_build_the_same_network_in_two_sizes(name: str) -> None:
    with torch.device('meta'):
        net = Hand3R(preset(name))
    count = sum(parameter.numel() for parameter in net.parameters())
    assert {'tiny': 8e6 < count < 13e6, 'full': 1.4e9 < count < 1.6e9}[name]


def test_streams_that_do_not_fit_together_are_named() -> None:
    tiny, full = preset('tiny'), preset('full')
    with pytest.raises(ValueError, match=r'prompt\.hand_width is 1280'):
        dataclasses.replace(tiny, prompt=full.prompt)
    with pytest.raises(ValueError, match='image_long_side'):
        Hand3RConfig(image_long_side=500)
