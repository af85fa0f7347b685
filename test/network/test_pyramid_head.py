"""The dense head of the small preset: sizes, where it starts, and that outlines come from the stem."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset
from hand3r_ros.network.scene.config import SceneConfig, StemConfig
from hand3r_ros.network.scene.pyramid_head import PyramidHead
from hand3r_ros.network.types import Frame, HandBoxes

HEIGHT, WIDTH = 48, 64
CONFIG = SceneConfig(
    encoder_width=24,
    encoder_heads=2,
    decoder_width=16,
    decoder_heads=2,
    state_heads=2,
    ray_map_depth=0,
    memory_heads=2,
    stem=StemConfig(quarter_width=6, eighth_width=10, blocks=1),
    head='pyramid',
    pyramid_widths=(12, 8, 8),
)


def inputs(batch: int = 2) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    torch.manual_seed(1)
    levels = [torch.randn(batch, 12, width) for width in (24, 16, 16, 16)]
    details = [torch.randn(batch, 6, 12, 16), torch.randn(batch, 10, 6, 8)]
    return levels, details


@pytest.fixture
def head() -> PyramidHead:
    torch.manual_seed(0)
    return PyramidHead(CONFIG, channels=2).eval()


def test_the_map_has_the_size_of_the_image(head: PyramidHead) -> None:
    levels, details = inputs()
    assert head(levels, (HEIGHT, WIDTH), details).shape == (2, 2, HEIGHT, WIDTH)


def test_a_change_in_a_fine_map_stays_near_its_place(head: PyramidHead) -> None:
    levels, details = inputs(1)
    before = head(levels, (HEIGHT, WIDTH), details)
    details[0][0, :, 6, 3] += 5.0  # pixels around (26, 14)
    changed = (head(levels, (HEIGHT, WIDTH), details) - before).abs().sum((0, 1)) > 1e-6
    rows, columns = changed.any(1).nonzero(), changed.any(0).nonzero()
    assert 26 - 16 < int(rows.min()) <= 26 <= int(rows.max()) < 26 + 16
    assert 14 - 16 < int(columns.min()) <= 14 <= int(columns.max()) < 14 + 16


def test_every_level_and_every_map_counts(head: PyramidHead) -> None:
    levels, details = inputs()
    parts = [part.requires_grad_() for part in (*levels, *details)]
    head(levels, (HEIGHT, WIDTH), details).square().sum().backward()
    assert all(part.grad is not None and float(part.grad.abs().sum()) > 0.0 for part in parts)


def test_a_pyramid_without_a_stem_is_refused() -> None:
    with pytest.raises(ValueError, match="'pyramid' joins the maps of a stem"):
        dataclasses.replace(CONFIG, stem=None)


def test_the_untrained_network_starts_at_its_initial_depth() -> None:
    config = preset('tiny')
    with torch.no_grad():
        network = Hand3R(config).eval()
        image = torch.rand(1, 3, 160, 224) * 2.0 - 1.0
        camera = torch.tensor([[194.0, 194.0, 111.5, 79.5]])  # the reference camera
        _, found = network.step(network.init_state(), Frame(image, intrinsics=camera), HandBoxes.empty(128))
    depth = found.scene.points_self[..., 2]
    torch.testing.assert_close(depth.mean(), torch.tensor(config.scene.initial_depth), rtol=0.2, atol=0.0)


def test_large_weights_do_not_saturate_what_follows(head: PyramidHead) -> None:
    """Hidden activations are normalised, so that a layer that has run away does not silence the next one."""
    heard: list[torch.Tensor] = []
    block = head.middle[0]
    block.second.register_forward_pre_hook(lambda _, arguments: heard.append(arguments[0]))
    levels, details = inputs()
    with torch.no_grad():
        block.first.weight.mul_(1e3)
        head(levels, (HEIGHT, WIDTH), details)
    assert 0.2 < float(heard[0].std()) < 2.0


def test_the_blocks_are_as_many_as_configured() -> None:
    config = dataclasses.replace(CONFIG, pyramid_blocks=(0, 1, 3))
    head = PyramidHead(config, channels=2)
    assert [len(blocks) for blocks in (head.coarse, head.middle, head.fine)] == [0, 1, 3]
    levels, details = inputs()
    assert head(levels, (HEIGHT, WIDTH), details).shape == (2, 2, HEIGHT, WIDTH)
