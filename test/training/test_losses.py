"""The scene losses equal the published ones on their golden evaluation."""

from pathlib import Path

import numpy as np
import pytest
import torch

from hand3r_ros.training.losses import camera_pose_loss, pointmap_loss, scene_scale

GOLDEN = Path(__file__).parents[3] / 'shared' / 'reference' / 'golden_cut3r' / 'losses.npz'
VIEWS = range(4)


@pytest.fixture(scope='module')
def golden():
    if not GOLDEN.exists():
        pytest.skip(f'golden data not found at {GOLDEN}')
    return {name: torch.from_numpy(array) for name, array in np.load(GOLDEN).items()}


def truth_in_own_camera(golden, view):
    T_camera_world = torch.linalg.inv(golden[f'gt{view}/camera_pose'])
    points = golden[f'gt{view}/pts3d']
    return torch.einsum('bij,bhwj->bhwi', T_camera_world[:, :3, :3], points) + T_camera_world[:, None, None, :3, 3]


def truth_in_first_camera(golden, view):
    T_first_world = torch.linalg.inv(golden['gt0/camera_pose'])
    points = golden[f'gt{view}/pts3d']
    return torch.einsum('bij,bhwj->bhwi', T_first_world[:, :3, :3], points) + T_first_world[:, None, None, :3, 3]


def golden_scale(golden):
    valid = [golden[f'gt{v}/valid_mask'] for v in VIEWS]
    return scene_scale(
        [truth_in_own_camera(golden, v) for v in VIEWS] + [truth_in_first_camera(golden, v) for v in VIEWS],
        [golden[f'pred{v}/conf_self'] for v in VIEWS] + [golden[f'pred{v}/conf'] for v in VIEWS],
        valid + valid,
    )


def test_the_normalisation_equals_the_golden_one(golden):
    scale = golden_scale(golden)
    for view in VIEWS:
        normalised = truth_in_own_camera(golden, view) / scale[:, None, None, None]
        valid = golden[f'gt{view}/valid_mask']
        torch.testing.assert_close(normalised[valid], golden[f'out/gt_self{view}'][valid], atol=2e-5, rtol=2e-5)


def test_the_pose_loss_equals_the_golden_one_for_metric_samples(golden):
    scale = golden_scale(golden)
    metric = golden['gt0/is_metric']
    for view in VIEWS:
        expected = golden[f'out/gt_pose{view}'][metric]
        predicted = golden[f'out/pr_pose{view}'][metric]
        raw = golden[f'pred{view}/camera_pose'][metric].clone()
        target = expected.clone()
        target[:, :3] *= scale[metric][:, None]
        loss = camera_pose_loss(raw, target, scale[metric])
        reference = (predicted[:, :3] - expected[:, :3]).norm(dim=-1) + (predicted[:, 3:] - expected[:, 3:]).norm(
            dim=-1
        )
        torch.testing.assert_close(loss, reference.mean(), atol=2e-5, rtol=2e-5)


def test_a_perfect_prediction_costs_only_the_confidence_term():
    truth = torch.rand(2, 4, 5, 3)
    confidence = torch.full((2, 4, 5), 3.0)
    valid = torch.ones(2, 4, 5, dtype=torch.bool)
    loss = pointmap_loss(truth, confidence, truth, valid, torch.ones(2), alpha=0.2)
    assert loss == pytest.approx(-0.2 * np.log(3.0), abs=1e-6)


def test_invalid_pixels_do_not_count():
    truth = torch.rand(1, 4, 5, 3)
    wrong = truth.clone()
    wrong[0, 0, 0] += 100.0
    valid = torch.ones(1, 4, 5, dtype=torch.bool)
    valid[0, 0, 0] = False
    confidence = torch.ones(1, 4, 5)
    assert pointmap_loss(wrong, confidence, truth, valid, torch.ones(1), 0.2) == pytest.approx(0.0, abs=1e-6)
    assert pointmap_loss(wrong, confidence, truth, torch.zeros_like(valid), torch.ones(1), 0.2) == 0.0
