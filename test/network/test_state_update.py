"""How a frame changes the recurrent state: between keeping and replacing it, per token."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset
from hand3r_ros.network.scene.state_update import gated_tokens, is_gated
from hand3r_ros.network.types import Frame, HandBoxes, SceneState

HEIGHT, WIDTH = 48, 64


def make_state(fresh: list[bool] | None = None) -> SceneState:
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(2, 5, 3, generator=generator)
    memory = torch.zeros(2, 1, 6)
    flags = None if fresh is None else torch.tensor(fresh)
    return SceneState(tokens, torch.zeros(2, 5, 2), memory, torch.zeros_like(tokens), memory, True, flags)


def test_the_gate_keeps_all_at_minus_infinity_and_takes_all_at_plus_infinity() -> None:
    state, proposed = make_state(), torch.ones(2, 5, 3)
    assert torch.equal(gated_tokens(state, proposed, torch.full((2, 5), -200.0)), state.tokens)
    torch.testing.assert_close(gated_tokens(state, proposed, torch.full((2, 5), 200.0)), proposed, atol=0.0, rtol=0.0)
    half = gated_tokens(state, proposed, torch.zeros(2, 5))
    torch.testing.assert_close(half, (state.tokens + proposed) / 2.0)


def test_every_token_has_its_own_gate_and_first_frames_are_taken_in_fully() -> None:
    proposed = torch.ones(2, 5, 3)
    logits = torch.tensor([[-200.0, 200.0, -200.0, 200.0, -200.0]]).expand(2, -1)
    state = make_state(fresh=[False, True])
    tokens = gated_tokens(state, proposed, logits)
    assert torch.equal(tokens[0, ::2], state.tokens[0, ::2])
    assert torch.equal(tokens[0, 1::2], proposed[0, 1::2])
    assert torch.equal(tokens[1], proposed[1])


def test_the_frame_decides_and_else_the_network() -> None:
    cut3r = preset('tiny').scene
    ttt3r = dataclasses.replace(cut3r, state_update='ttt3r')
    image = torch.zeros(1, 3, HEIGHT, WIDTH)
    assert not is_gated(Frame(image), cut3r) and is_gated(Frame(image), ttt3r)
    assert is_gated(Frame(image, state_update='ttt3r'), cut3r)
    assert not is_gated(Frame(image, state_update='cut3r'), ttt3r)
    with pytest.raises(ValueError, match=r"Frame\.state_update must be one of .* got 'full'"):
        is_gated(Frame(image, state_update='full'), cut3r)


def stream(net: Hand3R, update: str | None, images: list[Tensor]) -> SceneState:
    state = net.init_state()
    for image in images:
        state, _ = net.step(state, Frame(image, state_update=update), HandBoxes.empty(net.config.hand.crop_size))
    return state


@torch.inference_mode()
def test_a_frame_of_either_kind_is_that_of_a_network_made_for_it() -> None:
    torch.manual_seed(0)
    net = Hand3R(preset('tiny')).eval()
    gated_config = dataclasses.replace(net.config, scene=dataclasses.replace(net.config.scene, state_update='ttt3r'))
    gated_net = Hand3R(gated_config).eval()
    gated_net.load_state_dict(net.state_dict())
    images = [torch.rand(1, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(i)) for i in range(3)]
    plain, gated = stream(net, None, images), stream(net, 'ttt3r', images)
    assert torch.equal(gated.tokens, stream(gated_net, None, images).tokens)
    assert torch.equal(plain.tokens, stream(gated_net, 'cut3r', images).tokens)
    assert (plain.tokens - gated.tokens).abs().max() > 1e-3
    # The first frame is taken in fully either way.
    assert torch.equal(stream(net, None, images[:1]).tokens, stream(net, 'ttt3r', images[:1]).tokens)
