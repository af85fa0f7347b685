"""The hand stream computes what the published HaMeR network computes, for deterministic weights."""

from __future__ import annotations

import hamer_golden
import numpy as np
import pytest
import torch

from hand3r_ros.hand_model.data import HandModelData
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.network.hand.camera import crop_translation, project_to_crop
from hand3r_ros.network.hand.config import HandConfig
from hand3r_ros.network.hand.key_map import checkpoint_key_map, rename_checkpoint
from hand3r_ros.network.hand.stream import HandStream

pytestmark = hamer_golden.needs_golden

REDUCED = HandConfig(
    width=96,
    depth=2,
    heads=4,
    mlp_width=384,
    head_width=48,
    head_depth=2,
    head_heads=4,
    head_dim=16,
    head_mlp_width=64,
)
CASES = {'hamer_reduced': REDUCED, 'hamer_full': HandConfig()}
TOLERANCE_FACTOR = 10.0
"""Times the reference's own difference between float32 and float64."""


def build_stream(config: HandConfig) -> HandStream:
    """A stream with the generated weights, loaded the way a checkpoint is."""
    weight = hamer_golden.generators().weight
    with torch.device('meta'):
        stream = HandStream(config)
    shapes = stream.state_dict()
    checkpoint = {
        theirs: torch.from_numpy(weight(theirs, shapes[ours].shape))
        for theirs, ours in checkpoint_key_map(config).items()
    }
    stream.load_state_dict(rename_checkpoint(checkpoint, config), assign=True)
    return stream.eval()


@torch.inference_mode()
def compute(case: str) -> dict[str, np.ndarray]:
    """All arrays of a golden case, under their golden names."""
    stream, golden = build_stream(CASES[case]), hamer_golden.arrays(case)
    width = CASES[case].width

    def sampled(tokens: torch.Tensor) -> torch.Tensor:
        return tokens[:, ::5, :: width // golden['patch_embed_sub'].shape[-1]]

    found: dict[str, torch.Tensor] = {}
    backbone = stream.backbone
    backbone.patches.register_forward_hook(
        lambda _m, _i, out: found.update(patch_embed_sub=sampled(out.flatten(2).transpose(1, 2)))
    )
    backbone.blocks[0].register_forward_pre_hook(
        lambda _m, inputs: found.update(tokens_plus_pos_sub=sampled(inputs[0]))
    )
    for index, block in enumerate(backbone.blocks):
        block.register_forward_hook(lambda _m, _i, out, index=index: found.update({f'block{index}_sub': sampled(out)}))
    stream.mano_head.layers[-1].register_forward_hook(lambda _m, _i, out: found.update(head_token_out=out))

    output = stream(torch.from_numpy(hamer_golden.generators().net_input(2)))
    grid = output.tokens.transpose(1, 2).unflatten(2, CASES[case].grid)  # [N, C, rows, columns]
    found['backbone_out_sub'] = grid[:, :: width // golden['backbone_out_sub'].shape[1]]
    found['backbone_out_pos'] = torch.stack([grid[:, :, r, c] for r, c in ((0, 0), (7, 6), (15, 11))], dim=-1)
    found['backbone_out_mean_per_channel'] = grid.mean((2, 3))
    found['pred_mano_global_orient'] = output.rotations[:, :1]
    found['pred_mano_hand_pose'] = output.rotations[:, 1:]
    found['pred_mano_betas'] = output.betas
    found['pred_cam'] = output.crop_camera
    found['pred_cam_t'] = crop_translation(output.crop_camera)
    mesh = synthetic_hand()(output.rotations, output.betas, torch.ones(2, dtype=torch.bool))
    keypoints = mesh.keypoints + mesh.rest_root[:, None]
    found['pred_keypoints_3d'] = keypoints
    found['pred_vertices_sub'] = (mesh.vertices + mesh.rest_root[:, None])[:, ::20]
    found['pred_keypoints_2d'] = project_to_crop(keypoints, output.crop_camera)
    return {name: value.numpy() for name, value in found.items()}


def synthetic_hand() -> HandLayer:
    fields = hamer_golden.generators().synthetic_mano()
    names = ('v_template', 'shapedirs', 'posedirs', 'J_regressor', 'weights', 'hands_components', 'hands_mean')
    floats = {name: np.float32(fields[name]) for name in names}
    triangles = fields['f'].astype(np.int64)
    return HandLayer(HandModelData(id='mano', kintree_table=fields['kintree_table'], f=triangles, **floats))


def assert_close(case: str, name: str, found: np.ndarray) -> None:
    expected = hamer_golden.arrays(case)[name]
    error = hamer_golden.description(case)['float32_vs_float64'][name]['max_abs']
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=TOLERANCE_FACTOR * error, err_msg=name)


GOLDEN_NAMES = (
    'patch_embed_sub',
    'tokens_plus_pos_sub',
    'block0_sub',
    'block1_sub',
    'backbone_out_sub',
    'backbone_out_pos',
    'backbone_out_mean_per_channel',
    'head_token_out',
    'pred_mano_global_orient',
    'pred_mano_hand_pose',
    'pred_mano_betas',
    'pred_cam',
    'pred_cam_t',
    'pred_keypoints_3d',
    'pred_keypoints_2d',
    'pred_vertices_sub',
)


@pytest.fixture(scope='module')
def reduced_results() -> dict[str, np.ndarray]:
    return compute('hamer_reduced')


@pytest.mark.parametrize('name', GOLDEN_NAMES)
def test_reduced_network_agrees_with_the_published_one(name: str, reduced_results: dict[str, np.ndarray]) -> None:
    assert_close('hamer_reduced', name, reduced_results[name])


def test_every_golden_array_is_compared() -> None:
    # focal_length is the constant 5000, an input of the reference rather than a result.
    assert set(hamer_golden.arrays('hamer_reduced')) - {'focal_length'} == set(GOLDEN_NAMES)


def test_generated_weights_are_those_the_golden_data_was_made_with() -> None:
    weight = hamer_golden.generators().weight
    for name, check in hamer_golden.description('hamer_reduced')['weight_checks'].items():
        values = weight(name, check['shape'])
        np.testing.assert_allclose(values.ravel()[:4], check['first4'], rtol=1e-6)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_full_size_network_agrees_with_the_published_one() -> None:
    results = compute('hamer_full')
    for name in set(hamer_golden.arrays('hamer_full')) - {'focal_length'}:
        assert_close('hamer_full', name, results[name])
