"""Parts of the scene stream: rotary positions, activations, attention statistics, ray maps, configuration."""

from __future__ import annotations

import dataclasses

import cut3r_golden
import pytest
import torch
from cut3r_golden import SMALL, largest_excess
from hypothesis import given, settings
from hypothesis import strategies as st

from hand3r_ros.network.scene import activations
from hand3r_ros.network.scene.blocks import CrossAttention
from hand3r_ros.network.scene.ray_maps import ray_map
from hand3r_ros.network.scene.rope import rotate, rotation_2d
from hand3r_ros.network.scene.stream import state_positions

coordinates = st.floats(-1.0, 32.0)


@settings(max_examples=30, deadline=None)
@given(first=st.tuples(coordinates, coordinates), second=st.tuples(coordinates, coordinates), shift=coordinates)
def test_rotated_products_depend_on_relative_positions_only(
    first: tuple[float, float], second: tuple[float, float], shift: float
) -> None:
    generator = torch.Generator().manual_seed(0)
    query, key = torch.randn(2, 1, 1, 1, 16, generator=generator, dtype=torch.float32)

    def product(offset: float) -> torch.Tensor:
        turned = [
            rotate(x, rotation_2d(torch.tensor([[position]]) + offset, 16, 100.0))
            for x, position in ((query, first), (key, second))
        ]
        return (turned[0] * turned[1]).sum()

    torch.testing.assert_close(product(0.0), product(shift), atol=1e-4, rtol=1e-4)


def test_rotation_keeps_lengths_and_is_nothing_at_the_origin() -> None:
    x = torch.randn(2, 3, 4, 8)
    positions = torch.tensor([[0, 0], [0, 3], [-1, -1], [7, 0]]).expand(2, -1, -1)
    turned = rotate(x, rotation_2d(positions, 8, 100.0))
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))
    torch.testing.assert_close(turned[:, :, 0], x[:, :, 0])
    # Rows turn the first half of the channels, columns the second.
    torch.testing.assert_close(turned[:, :, 1, :4], x[:, :, 1, :4])
    torch.testing.assert_close(turned[:, :, 3, 4:], x[:, :, 3, 4:])
    assert not torch.allclose(turned[:, :, 2], x[:, :, 2])


@cut3r_golden.needs_golden
def test_activations_agree_with_the_published_network() -> None:
    golden = cut3r_golden.arrays('geometry')
    raw = torch.from_numpy(golden['map_raw']).permute(0, 2, 3, 1)
    points = activations.exponential_vectors(raw[..., :3])
    assert largest_excess(points, golden['map_pts3d'], 1e-6, 1e-6) <= 0.0
    points = activations.exponential_vectors(activations.forward_looking(raw[..., :3]))
    assert largest_excess(points, golden['map_pts3d_pos_z'], 1e-6, 1e-6) <= 0.0
    assert largest_excess(activations.confidence(raw[..., 3]), golden['map_conf'], 1e-6, 1e-6) <= 0.0
    rgb = activations.colour(torch.from_numpy(golden['rgb_raw']).permute(0, 2, 3, 1))
    assert largest_excess(rgb, golden['rgb'], 1e-6, 1e-6) <= 0.0
    pose = activations.pose(torch.from_numpy(golden['pose_raw']))
    assert largest_excess(pose, golden['pose_activated'], 1e-6, 1e-6) <= 0.0


@cut3r_golden.needs_golden
def test_ray_map_agrees_with_the_published_network() -> None:
    golden = cut3r_golden.arrays('geometry')
    pose, intrinsics = (torch.from_numpy(golden[name])[None] for name in ('ray_c2w', 'ray_K'))
    found = ray_map(pose, intrinsics, golden['ray_map'].shape[:2])
    assert largest_excess(found[0], golden['ray_map'], 1e-6, 1e-6) <= 0.0


def test_a_zero_output_still_has_a_gradient() -> None:
    raw = torch.zeros(2, 3, requires_grad=True)
    activations.exponential_vectors(raw).sum().backward()
    assert raw.grad is not None
    torch.testing.assert_close(raw.grad, torch.ones(2, 3))


def test_rays_start_as_a_plane_seen_by_the_initial_camera() -> None:
    points = activations.ray_points(torch.zeros(1, 21, 41, 3), initial_depth=0.7, initial_field_of_view=90.0)
    torch.testing.assert_close(points[..., 2], torch.full((1, 21, 41), 0.7))
    torch.testing.assert_close(points[0, 10, 20, :2], torch.zeros(2))
    # 90 degrees across 41 pixels: half a pixel beyond the last centre the ray leaves at 45 degrees.
    torch.testing.assert_close(points[0, 10, 40, 0], torch.tensor(0.7 * 40 / 41))
    torch.testing.assert_close(points[0, 20, 20, 1], torch.tensor(0.7 * 20 / 41))


def test_rays_predict_focal_lengths_and_depth_separately() -> None:
    raw = torch.zeros(1, 8, 8, 3)
    raw[..., 0], raw[..., 2] = 0.5, -0.3
    plain, changed = (activations.ray_points(r, 1.0, 60.0) for r in (torch.zeros_like(raw), raw))
    torch.testing.assert_close(changed[..., 2], plain[..., 2] * torch.tensor(-0.3).exp())
    ratio = changed[..., :2] / changed[..., 2:] / (plain[..., :2] / plain[..., 2:])
    torch.testing.assert_close(ratio[..., 0], torch.full((1, 8, 8), 0.5).exp())
    torch.testing.assert_close(ratio[..., 1], torch.ones(1, 8, 8))


@pytest.mark.parametrize('masked', [False, True])
def test_mean_logit_equals_the_mean_of_all_logits(masked: bool) -> None:
    torch.manual_seed(0)
    attention = CrossAttention(24, heads=3)
    x, context = torch.randn(2, 5, 24), torch.randn(2, 7, 24)
    valid = torch.ones(2, 7, dtype=torch.bool)
    valid[1, 4:] = not masked
    rotations = [rotation_2d(torch.randint(0, 9, (2, n, 2)), 8, 100.0) for n in (5, 7)]
    _, found = attention(x, context, *rotations, valid[:, None, None] if masked else None, with_mean_logit=True)
    query = rotate(attention.query(x).unflatten(-1, (3, 8)).transpose(1, 2), rotations[0])
    key = rotate(attention.key(context).unflatten(-1, (3, 8)).transpose(1, 2), rotations[1])
    logits = (query @ key.transpose(-1, -2) / 8**0.5).mean(1)  # [2, 5, 7]
    expected = (logits * valid[:, None]).sum(-1) / valid.sum(-1)[:, None]
    torch.testing.assert_close(found, expected)


def test_state_positions_fill_a_grid_of_even_width() -> None:
    full = state_positions(dataclasses.replace(SMALL, state_size=768))[0]
    assert full[767].tolist() == [27, 11] and full[28].tolist() == [1, 0]
    line = state_positions(dataclasses.replace(SMALL, state_layout='1d'))[0]
    assert line[5].tolist() == [5, 5]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'encoder_heads': 5}, 'encoder_width'),
        ({'state_heads': 5}, 'state side'),
        ({'memory_heads': 7}, 'memory_heads'),
        ({'ray_map_heads': 3}, 'ray_map_heads'),
        ({'decoder_depth': 3}, 'decoder_depth'),
        ({'head': 'mlp'}, "head must be one of .*'mlp'"),
        ({'state_update': 'ema'}, 'state_update'),
    ],
)
def test_impossible_configurations_are_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SMALL, **change)
