"""The hand stream at other sizes, with no hands, and its map of checkpoint names."""

from __future__ import annotations

import dataclasses

import hamer_golden
import pytest
import torch

from hand3r_ros.network.hand.config import HandConfig
from hand3r_ros.network.hand.key_map import checkpoint_key_map, rename_checkpoint
from hand3r_ros.network.hand.stream import HandStream

SMALL = HandConfig(
    crop_size=128,
    used_width=96,
    width=48,
    depth=2,
    heads=3,
    mlp_width=96,
    head_width=32,
    head_depth=2,
    head_heads=2,
    head_dim=16,
    head_mlp_width=64,
)


@pytest.fixture(scope='module')
def small_stream() -> HandStream:
    torch.manual_seed(0)
    return HandStream(SMALL).eval()


def assert_rotations(rotations: torch.Tensor) -> None:
    identity = torch.eye(3).expand_as(rotations)
    torch.testing.assert_close(rotations @ rotations.mT, identity, atol=1e-5, rtol=0.0)
    torch.testing.assert_close(torch.linalg.det(rotations), torch.ones(rotations.shape[:2]), atol=1e-5, rtol=0.0)


@pytest.mark.parametrize('count', [0, 1, 3])
def test_any_number_of_hands(small_stream: HandStream, count: int) -> None:
    output = small_stream(torch.randn(count, 3, 128, 128))
    assert output.tokens.shape == (count, 8 * 6, 48)
    assert output.rotations.shape == (count, 16, 3, 3)
    assert output.betas.shape == (count, 10)
    assert output.crop_camera.shape == (count, 3)
    assert_rotations(output.rotations)


def test_no_hands_need_nothing_of_torchs_attention(small_stream: HandStream, monkeypatch: pytest.MonkeyPatch) -> None:
    """On CUDA, in half precision, it returns None for an empty batch."""
    original = torch.nn.functional.scaled_dot_product_attention

    def as_on_cuda(query: torch.Tensor, *others: torch.Tensor, **options: object) -> torch.Tensor | None:
        return original(query, *others, **options) if len(query) else None

    monkeypatch.setattr(torch.nn.functional, 'scaled_dot_product_attention', as_on_cuda)
    assert small_stream(torch.zeros(0, 3, 128, 128)).rotations.shape == (0, 16, 3, 3)
    assert small_stream(torch.zeros(1, 3, 128, 128)).rotations.shape == (1, 16, 3, 3)


def test_hands_do_not_influence_each_other(small_stream: HandStream) -> None:
    crops = torch.randn(3, 3, 128, 128)
    together = small_stream(crops)
    alone = small_stream(crops[1:2])
    for batch, single in zip(together, alone, strict=True):
        torch.testing.assert_close(batch[1:2], single, atol=1e-5, rtol=1e-5)


def test_only_the_middle_columns_of_the_crop_are_used(small_stream: HandStream) -> None:
    crops = torch.randn(1, 3, 128, 128)
    changed_outside, changed_inside = crops.clone(), crops.clone()
    changed_outside[..., :16] += 1.0
    changed_outside[..., -16:] -= 1.0
    changed_inside[..., 16] += 1.0
    tokens = small_stream.tokens(crops)
    assert torch.equal(tokens, small_stream.tokens(changed_outside))
    assert not torch.equal(tokens, small_stream.tokens(changed_inside))


def test_an_untrained_head_starts_at_the_mean_hand(small_stream: HandStream) -> None:
    output = small_stream(torch.randn(2, 3, 128, 128))
    torch.testing.assert_close(output.rotations, torch.eye(3).expand(2, 16, 3, 3), atol=0.1, rtol=0.0)
    torch.testing.assert_close(output.crop_camera, torch.tensor([[4.0, 0.0, 0.0]] * 2), atol=0.1, rtol=0.0)


def test_every_parameter_is_trained() -> None:
    stream = HandStream(SMALL)
    output = stream(torch.randn(2, 3, 128, 128))
    targets = [torch.randn_like(value) for value in output]
    sum((value * target).sum() for value, target in zip(output, targets, strict=True)).backward()
    idle = {'mano_head.embed.weight'}  # the zero query embeds to the bias alone
    for name, parameter in stream.named_parameters():
        moved = parameter.grad is not None and bool(parameter.grad.abs().max() > 0.0)
        assert moved == (name not in idle), name


def test_refinement_feeds_the_estimate_back() -> None:
    torch.manual_seed(0)
    config = dataclasses.replace(SMALL, query='estimate', iterations=3)
    stream = HandStream(config).eval()
    once = HandStream(dataclasses.replace(config, iterations=1)).eval()
    once.load_state_dict(stream.state_dict())
    for readout in ('pose', 'shape', 'camera'):
        for head in (stream.mano_head, once.mano_head):
            torch.nn.init.normal_(getattr(head, readout).weight, std=0.1, generator=torch.manual_seed(1))
    tokens = torch.randn(2, SMALL.token_count, SMALL.width)
    pose, betas, camera = (
        getattr(stream.mano_head, name).expand(2, -1) for name in ('initial_pose', 'initial_betas', 'initial_camera')
    )
    for _ in range(3):
        token = stream.mano_head.query_token(tokens, torch.cat([pose, betas, camera], -1)[:, None])[:, 0]
        pose = pose + stream.mano_head.pose(token)
        betas = betas + stream.mano_head.shape(token)
        camera = camera + stream.mano_head.camera(token)
    refined = stream.parameters_of(tokens)
    torch.testing.assert_close(refined.betas, betas)
    torch.testing.assert_close(refined.crop_camera, camera)
    assert not torch.allclose(refined.betas, once.parameters_of(tokens).betas, atol=1e-3)


def test_half_precision_leaves_exact_rotations(small_stream: HandStream) -> None:
    with torch.autocast('cpu', dtype=torch.bfloat16):
        output = small_stream(torch.randn(2, 3, 128, 128))
    assert output.rotations.dtype == torch.float32
    assert_rotations(output.rotations)


def test_wrong_crops_are_refused(small_stream: HandStream) -> None:
    with pytest.raises(ValueError, match=r'\(N, 3, 128, 128\), got \(1, 3, 256, 256\)'):
        small_stream(torch.zeros(1, 3, 256, 256))


@pytest.mark.parametrize(
    'change', [{'used_width': 300}, {'used_width': 191}, {'heads': 7}, {'query': 'mean'}, {'iterations': 0}]
)
def test_impossible_configurations_are_refused(change: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        HandConfig(**change)


@hamer_golden.needs_golden
def test_key_map_is_total_and_shapes_agree_with_the_published_checkpoint() -> None:
    shapes = hamer_golden.manifest()
    with torch.device('meta'):
        state = HandStream(HandConfig()).state_dict()
    renamed = rename_checkpoint(shapes, HandConfig())
    assert len(renamed) == 503
    assert renamed == {name: tuple(value.shape) for name, value in state.items()}
    needed = {name for name in shapes if name.startswith(('backbone.', 'mano_head.'))}
    assert needed == set(checkpoint_key_map(HandConfig()))


@pytest.mark.parametrize('config', [SMALL, dataclasses.replace(SMALL, query='estimate')])
def test_key_map_names_each_parameter_once_at_any_size(config: HandConfig) -> None:
    names = checkpoint_key_map(config)
    assert sorted(names.values()) == sorted(HandStream(config).state_dict())


def test_incomplete_or_foreign_checkpoints_are_refused() -> None:
    good = {name: 0 for name in checkpoint_key_map(SMALL)}
    extras = {'mano.faces_tensor': 0, 'discriminator.D_conv1.bias': 0, 'initialized': 0}
    assert len(rename_checkpoint(good | extras, SMALL)) == len(good)
    lacking = {name: value for name, value in good.items() if name != 'backbone.pos_embed'}
    with pytest.raises(ValueError, match=r'1 \(backbone\.pos_embed\) missing, none unknown'):
        rename_checkpoint(lacking, SMALL)
    with pytest.raises(ValueError, match=r'none missing, 1 \(refine\.weight\) unknown'):
        rename_checkpoint(good | {'refine.weight': 0}, SMALL)
