"""Prompts: region pooling against brute force, positions, box code, and a translation head that starts sensibly."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hand3r_ros.network.prompt import (
    HandPooling,
    PromptConfig,
    PromptEncoder,
    TranslationHead,
    box_code,
    patch_positions,
    pool_regions,
    region_weights,
)
from hand3r_ros.network.types import HandBoxes

GRID, PATCH = (6, 8), 16
IMAGE_SIZE = (GRID[0] * PATCH, GRID[1] * PATCH)
CONFIG = PromptConfig(
    hand_width=24, scene_width=20, decoder_width=12, hidden_width=32, translation_hidden_width=16, box_code=True
)


def hands(boxes: list[tuple[float, ...]], batch_index: list[int] | None = None) -> HandBoxes:
    count = len(boxes)
    return HandBoxes(
        crops=torch.zeros(count, 3, 2, 2),
        boxes=torch.tensor(boxes).reshape(count, 4),
        is_right=torch.ones(count, dtype=torch.bool),
        batch_index=torch.tensor(batch_index or [0] * count, dtype=torch.int64),
    )


def brute_force_weights(box: tuple[float, ...], samples: int = 8) -> np.ndarray:
    """Shares of the box on each patch, by counting points on a grid of 1/8 pixel; the box has corners on that grid."""
    x1, y1, x2, y2 = box
    x = np.arange(x1, x2, 1.0 / samples) + 0.5 / samples
    y = np.arange(y1, y2, 1.0 / samples) + 0.5 / samples
    counts = np.zeros(GRID)
    for row in np.floor((y + 0.5) / PATCH).astype(int):
        for column in np.floor((x + 0.5) / PATCH).astype(int):
            if 0 <= row < GRID[0] and 0 <= column < GRID[1]:
                counts[row, column] += 1
    return counts / counts.sum()


@settings(max_examples=40, deadline=None)
@given(
    corner=st.tuples(st.integers(-20, 100), st.integers(-20, 70)),
    side=st.tuples(st.integers(1, 60), st.integers(1, 60)),
)
def test_region_weights_are_the_share_of_the_box_on_each_patch(corner: tuple[int, int], side: tuple[int, int]) -> None:
    box = (corner[0] + 0.0, corner[1] + 0.0, corner[0] + side[0] / 2.0, corner[1] + side[1] / 2.0)
    if box[2] <= 0.0 or box[3] <= 0.0:
        return  # outside: see the test of the nearest patch
    weights = region_weights(torch.tensor([box]), GRID, PATCH)[0].numpy()
    np.testing.assert_allclose(weights, brute_force_weights(box), atol=1e-5)


def test_pooling_is_the_weighted_mean_of_the_own_image() -> None:
    generator = torch.manual_seed(0)
    tokens = torch.randn(2, GRID[0] * GRID[1], 20, generator=generator)
    boxes = [(10.0, 12.5, 70.0, 40.0), (-30.0, 20.0, 9.0, 200.0)]
    weights = region_weights(torch.tensor(boxes), GRID, PATCH)
    found = pool_regions(tokens, weights, torch.tensor([1, 0]))
    for hand, image in ((0, 1), (1, 0)):
        shares = torch.from_numpy(brute_force_weights(boxes[hand])).float().flatten()
        torch.testing.assert_close(found[hand], shares @ tokens[image], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ('box', 'patch'),
    [
        ((-50.0, -40.0, -10.0, -5.0), (0, 0)),
        ((500.0, 300.0, 540.0, 340.0), (5, 7)),
        ((20.0, -90.0, 24.0, -60.0), (0, 1)),
        ((40.0, 40.0, 40.0, 40.0), (2, 2)),
        ((math.nan, math.nan, math.nan, math.nan), (0, 0)),
        ((math.inf, math.inf, math.inf, math.inf), (5, 7)),
    ],
)
def test_boxes_without_area_in_the_image_take_the_nearest_patch(box: tuple[float, ...], patch: tuple[int, int]) -> None:
    weights = region_weights(torch.tensor([box]), GRID, PATCH)
    expected = torch.zeros(1, *GRID)
    expected[0, patch[0], patch[1]] = 1.0
    torch.testing.assert_close(weights, expected)
    assert patch_positions(torch.tensor([box]), GRID, PATCH).tolist() == [list(patch)]


@settings(max_examples=100, deadline=None)
@given(box=st.tuples(*[st.floats(-1e4, 1e4, width=32)] * 4))
def test_any_box_has_context_and_a_position_inside_the_image(box: tuple[float, ...]) -> None:
    boxes = torch.tensor([box])
    weights = region_weights(boxes, GRID, PATCH)
    assert bool((weights >= 0.0).all())
    assert float(weights.sum()) == pytest.approx(1.0, abs=1e-4)
    row, column = patch_positions(boxes, GRID, PATCH)[0].tolist()
    assert 0 <= row < GRID[0] and 0 <= column < GRID[1]


def test_position_is_the_patch_of_the_box_centre() -> None:
    boxes = torch.tensor([[0.0, 0.0, 15.0, 15.0], [20.0, 60.0, 60.0, 70.0], [15.4, 0.0, 15.4, 0.0], [15.6, 0, 15.6, 0]])
    found = patch_positions(boxes, GRID, PATCH)
    assert found.dtype == torch.int64
    assert found.tolist() == [[0, 0], [4, 2], [0, 0], [0, 1]]


def test_box_code_is_the_same_at_every_resolution() -> None:
    small = box_code(torch.tensor([[9.5, 19.5, 29.5, 59.5]]), (96, 128))
    large = box_code(torch.tensor([[19.5, 39.5, 59.5, 119.5]]), (192, 256))
    torch.testing.assert_close(small, large)
    centred = box_code(torch.tensor([[47.5, 31.5, 79.5, 63.5]]), (96, 128))
    torch.testing.assert_close(centred, torch.tensor([[0.0, 0.0, math.log(0.25), math.log(0.25)]]))
    assert torch.isfinite(box_code(torch.tensor([[5.0, 5.0, 5.0, 5.0]]), (96, 128))).all()


@pytest.mark.parametrize('count', [0, 1, 3])
def test_one_prompt_per_hand(count: int) -> None:
    boxes = [(10.0, 10.0, 40.0, 40.0), (60.0, 20.0, 90.0, 50.0), (300.0, 0.0, 310.0, 4.0)][:count]
    prompts = PromptEncoder(CONFIG)(
        torch.randn(count, 5, 24), torch.randn(2, GRID[0] * GRID[1], 20), hands(boxes, [0, 1, 1][:count]), IMAGE_SIZE
    )
    assert prompts.tokens.shape == (count, 12)
    assert prompts.positions.tolist() == [[1, 1], [2, 4], [0, 7]][:count]


def test_prompt_depends_on_hand_scene_and_box() -> None:
    torch.manual_seed(0)
    encoder = PromptEncoder(CONFIG)
    hand, scene = torch.randn(1, 5, 24), torch.randn(1, GRID[0] * GRID[1], 20)
    box = (20.0, 20.0, 28.0, 28.0)  # inside the patch at row 1, column 1
    prompt = encoder(hand, scene, hands([box]), IMAGE_SIZE).tokens
    inside, outside = scene.clone(), scene.clone()
    inside[0, 1 * GRID[1] + 1] += 1.0
    outside[0, 1 * GRID[1] + 2] += 1.0
    assert not torch.allclose(prompt, encoder(hand + 1.0, scene, hands([box]), IMAGE_SIZE).tokens)
    assert not torch.allclose(prompt, encoder(hand, inside, hands([box]), IMAGE_SIZE).tokens)
    assert torch.equal(prompt, encoder(hand, outside, hands([box]), IMAGE_SIZE).tokens)
    moved = hands([(21.0, 20.0, 29.0, 28.0)])
    assert not torch.allclose(prompt, encoder(hand, scene, moved, IMAGE_SIZE).tokens)
    blind = PromptEncoder(dataclasses.replace(CONFIG, box_code=False))
    before, after = (blind(hand, scene, where, IMAGE_SIZE).tokens for where in (hands([box]), moved))
    assert torch.equal(before, after)


def test_attention_pooling_starts_as_the_mean_and_can_learn() -> None:
    tokens = torch.randn(2, 5, 24)
    pooling = HandPooling(dataclasses.replace(CONFIG, hand_pooling='attention'))
    torch.testing.assert_close(pooling(tokens), tokens.mean(1))
    pooling(tokens).square().sum().backward()
    assert pooling.score is not None and bool(pooling.score.weight.grad.abs().max() > 0.0)


def test_tokens_of_another_image_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r'128x96 image \(48\), got 47'):
        PromptEncoder(CONFIG)(torch.randn(1, 5, 24), torch.randn(1, 47, 20), hands([(0.0, 0.0, 9.0, 9.0)]), IMAGE_SIZE)


@pytest.mark.parametrize('change', [{'hand_pooling': 'max'}, {'initial_distance': 0.0}])
def test_impossible_configurations_are_refused(change: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        PromptConfig(**change)


def test_untrained_translation_is_in_front_of_the_camera() -> None:
    torch.manual_seed(0)
    found = TranslationHead(dataclasses.replace(CONFIG, initial_distance=0.7))(torch.randn(20, 12))
    torch.testing.assert_close(found, torch.tensor([0.0, 0.0, 0.7]).expand(20, 3), atol=0.05, rtol=0.0)


def test_translation_activation_is_that_of_the_scene_points() -> None:
    head = TranslationHead(CONFIG)
    readout = head.mlp[-1]
    with torch.no_grad():
        readout.weight.zero_()
        for vector in ([0.0, 0.0, 0.0], [0.3, -0.4, 1.2], [0.0, 0.0, 2.0]):
            readout.bias.copy_(torch.tensor(vector))
            length = math.sqrt(sum(v * v for v in vector))
            expected = torch.tensor(vector) * (math.expm1(length) / length if length else 1.0)
            torch.testing.assert_close(head(torch.zeros(1, 12))[0], expected)


def test_translation_is_learned_from_scratch() -> None:
    torch.manual_seed(0)
    head = TranslationHead(CONFIG)
    tokens = torch.randn(64, 12)
    target = torch.stack([0.1 * tokens[:, 0], 0.1 * tokens[:, 1], 0.6 + 0.1 * tokens[:, 2]], dim=-1)
    optimiser = torch.optim.Adam(head.parameters(), lr=1e-2)
    for _ in range(200):
        optimiser.zero_grad()
        loss = (head(tokens) - target).norm(dim=-1).mean()
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.03  # metres; it starts at about 0.2
