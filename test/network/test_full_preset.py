"""The full preset is the public checkpoints' network, and computes only what was asked for."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from cut3r_golden import SMALL
from torch import nn

from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset
from hand3r_ros.network.scene.blocks import SelfAttention
from hand3r_ros.network.scene.ray_maps import ray_map
from hand3r_ros.network.scene.stream import SceneStream
from hand3r_ros.network.types import Frame
from hand3r_ros.online.preparation import ImageGeometry

NARROW = dataclasses.replace(SMALL, dpt_widths=(8, 8, 8, 8), dpt_fusion_width=8, dpt_output_width=8)


@pytest.mark.parametrize(('camera', 'expected'), [((640, 480), (512, 384)), ((1920, 1080), (512, 288))])
def test_images_are_prepared_for_the_long_side_of_512(camera: tuple[int, int], expected: tuple[int, int]) -> None:
    config = preset('full')
    geometry = ImageGeometry.for_image(*camera, config.image_long_side, config.scene.patch_size)
    assert (geometry.width, geometry.height) == expected


def test_parameters_are_as_many_as_published() -> None:
    with torch.device('meta'):
        network = Hand3R(dataclasses.replace(preset('full'), fusion=False))
    # The deepest of the four fusions of each dense head holds weights that no path uses; ours leaves them out.
    unused = 3 * 2 * (256 * 256 * 9 + 256)
    assert sum(p.numel() for p in network.scene.parameters()) == 793_307_858 - unused
    assert sum(p.numel() for p in network.hand.parameters()) == 630_912_000 + 39_497_837


@pytest.mark.parametrize(
    ('dense', 'computed'), [((), {'self'}), (('world',), {'self', 'world', 'blocks'}), (('rgb',), {'self', 'rgb'})]
)
def test_optional_heads_run_only_when_asked_for(dense: tuple[str, ...], computed: set[str]) -> None:
    torch.manual_seed(0)
    stream = SceneStream(NARROW).eval()
    heads = stream.heads
    assert heads.world_points is not None and heads.rgb is not None
    ran: set[str] = set()
    parts: tuple[tuple[str, nn.Module], ...] = (
        ('self', heads.self_points),
        ('world', heads.world_points),
        ('rgb', heads.rgb),
        *(('blocks', block) for block in heads.world_blocks),
    )
    for name, part in parts:
        part.register_forward_pre_hook(lambda _module, _inputs, name=name: ran.add(name))
    with torch.inference_mode():
        scene = stream.step(stream.init_state(), Frame(torch.zeros(1, 3, 48, 64)), dense=frozenset(dense)).prediction
    assert ran == computed
    assert (scene.points_world is not None, scene.rgb is not None) == ('world' in dense, 'rgb' in dense)


@pytest.mark.parametrize('size', [(16, 16), (16, 80), (112, 48)])
def test_any_multiple_of_the_patch_size_is_accepted(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    stream = SceneStream(NARROW).eval()
    with torch.inference_mode():
        scene = stream.step(stream.init_state(), Frame(torch.rand(1, 3, *size))).prediction
    assert scene.points_self.shape == (1, *size, 3)
    assert bool(scene.points_self.isfinite().all())


def test_rounded_rotation_is_an_option_of_the_image_encoder_alone() -> None:
    with torch.device('meta'):
        stream = SceneStream(dataclasses.replace(preset('full').scene, rope_half=True))
    rounded = {name for name, part in stream.named_modules() if isinstance(part, SelfAttention) and part.rope_half}
    assert rounded == {f'image_encoder.blocks.{index}.attention' for index in range(24)}
    assert not preset('full').scene.rope_half


def test_a_known_camera_joins_its_image() -> None:
    """The variant for streams: the sum of both token sets, frames without a ray map unchanged."""
    torch.manual_seed(0)
    stream = SceneStream(NARROW).eval()
    image = torch.rand(1, 3, 48, 64) * 2 - 1
    intrinsics = torch.tensor([[[60.0, 0.0, 31.5], [0.0, 60.0, 23.5], [0.0, 0.0, 1.0]]])
    rays = ray_map(torch.eye(4)[None], intrinsics, (48, 64))
    with torch.inference_mode():
        alone, joined = stream.encode(Frame(image)), stream.encode(Frame(image, ray_map=rays))
        assert stream.ray_maps is not None
        added = stream.ray_maps.encoder(rays.permute(0, 3, 1, 2))
        torch.testing.assert_close(joined.tokens, alone.tokens + added.tokens)
        marked = stream.encode(Frame(image, mark_missing=True))
    torch.testing.assert_close(marked.tokens, alone.tokens + stream.ray_maps.missing_ray_map)
