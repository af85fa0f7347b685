"""Reduced precision: storing the weights in it changes nothing, and what must be exact stays float32."""

from __future__ import annotations

import copy

import torch

from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.linear import WORTHWHILE, Linear, onednn_multiplies
from hand3r_ros.network.precision import store_products_in
from hand3r_ros.network.presets import preset
from hand3r_ros.network.types import Frame, HandBoxes


def one_hand(crop_size: int) -> HandBoxes:
    generator = torch.Generator().manual_seed(1)
    return HandBoxes(
        torch.randn(1, 3, crop_size, crop_size, generator=generator),
        torch.tensor([[10.0, 10.0, 40.0, 40.0]]),
        torch.tensor([True]),
        torch.tensor([0]),
    )


@torch.inference_mode()
def test_stored_bfloat16_gives_what_autocast_gives() -> None:
    torch.manual_seed(0)
    network = Hand3R(preset('tiny')).eval()
    stored = copy.deepcopy(network)
    store_products_in(stored, torch.bfloat16)
    frame, boxes = Frame(torch.rand(1, 3, 48, 64) * 2 - 1), one_hand(network.config.hand.crop_size)
    results = []
    for candidate in (network, stored):
        state = candidate.init_state()
        assert state.tokens.dtype == torch.float32
        with torch.autocast('cpu', torch.bfloat16):
            for _ in range(2):
                state, prediction = candidate.step(state, frame, boxes)
        results.append((state.tokens, state.memory, prediction.scene.points_self, prediction.hands.rotations))
    for expected, found in zip(*results, strict=True):
        assert found.dtype == expected.dtype
        torch.testing.assert_close(found.float(), expected.float(), rtol=0.0, atol=0.0)
    sizes = [sum(p.numel() * p.element_size() for p in candidate.parameters()) for candidate in (network, stored)]
    assert sizes[1] < 0.6 * sizes[0]


def test_large_products_agree_with_the_ordinary_ones() -> None:
    torch.manual_seed(0)
    layer, x = Linear(600, 700), torch.randn(2, WORTHWHILE // (600 * 700) // 2 + 1, 600)
    assert x.numel() * 700 >= WORTHWHILE
    with torch.inference_mode():
        found = layer(x)
    expected = torch.nn.functional.linear(x.double(), layer.weight.double(), layer.bias.double())
    torch.testing.assert_close(found.double(), expected.detach(), rtol=1e-5, atol=1e-5)
    with torch.enable_grad():
        layer(x).sum().backward()
    assert layer.weight.grad is not None


def test_whether_onednn_can_multiply_is_found_out() -> None:
    assert onednn_multiplies() in (True, False)
