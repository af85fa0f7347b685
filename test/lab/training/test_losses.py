"""The scene losses equal the published ones on their golden evaluation."""

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hand3r_lab.training.clips import ClipFrame
from hand3r_lab.training.config import TrainingConfig
from hand3r_lab.training.losses import (
    PointMap,
    camera_pose_loss,
    depth_gradient_loss,
    depth_loss,
    pointmap_loss,
    pointmaps_loss,
    relative_depth_loss,
    scene_scale,
)
from hand3r_lab.training.scene_stage import pointmaps, scene_losses, scene_total
from hand3r_lab.training.tensor_tree import map_tensors
from hand3r_ros.network.pose import pose_from_matrix
from hand3r_ros.network.types import HandBoxes, HandPrediction, Prediction, ScenePrediction

GOLDEN = Path(__file__).parents[4] / 'shared' / 'reference' / 'golden_cut3r' / 'losses.npz'
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


SKY_DISTANCE = 2.0  # what CUT3R counts for a pixel of the sky, which our data sets do not have


def golden_map(golden, view, name):
    """The normalised map of a view: ``self`` or ``cross``; pixels of the sky as if they were wrong by a constant."""
    predicted, truth = golden[f'out/pr_{name}{view}'], golden[f'out/gt_{name}{view}']
    sky = golden[f'gt{view}/sky_mask']
    wrong = truth + torch.tensor([SKY_DISTANCE, 0.0, 0.0])
    confidence = golden[f'pred{view}/conf_self' if name == 'self' else f'pred{view}/conf']
    predicted = torch.where(sky[..., None], wrong, predicted)
    return PointMap(predicted, confidence, truth, golden[f'gt{view}/valid_mask'] | sky)


def test_every_point_loss_and_their_total_equal_the_golden_ones(golden):
    unit = torch.ones(3)
    maps = {(view, name): golden_map(golden, view, name) for view in VIEWS for name in ('self', 'cross')}
    for (view, name), one in maps.items():
        loss = pointmap_loss(one.predicted, one.confidence, one.truth, one.valid, unit, 0.2)
        expected = golden[f'out/conf_loss_self{view}' if name == 'self' else f'out/conf_loss{view}']
        torch.testing.assert_close(loss, expected, atol=2e-6, rtol=2e-6)
    total = pointmaps_loss(list(maps.values()), unit, 0.2) + golden['out/pose_loss']
    torch.testing.assert_close(total, golden['out/conf_loss_total'], atol=5e-6, rtol=2e-6)


def test_maps_in_both_cameras_are_made_and_scaled_as_in_the_golden_data(golden):
    """From raw predictions and camera paths; the sample without metric truth is left out."""
    metric = golden['gt0/is_metric']
    clip, scenes = [], []
    for view in VIEWS:
        T_first_camera = torch.linalg.inv(golden['gt0/camera_pose']) @ golden[f'gt{view}/camera_pose']
        valid, points = golden[f'gt{view}/valid_mask'], truth_in_own_camera(golden, view)
        none = torch.zeros(0, 3)
        frame = ClipFrame(points, points, valid, pose_from_matrix(T_first_camera), HandBoxes.empty(8), none, none)
        names = ('pts3d_in_self_view', 'conf_self', 'camera_pose', 'rgb', 'rgb', 'pts3d_in_other_view', 'conf')
        clip.append(map_tensors(frame, lambda tensor: tensor[metric] if len(tensor) == 3 else tensor))
        scenes.append(ScenePrediction(*(golden[f'pred{view}/{name}'][metric] for name in names)))
    for view, (scene, frame) in enumerate(zip(scenes, clip, strict=True)):
        for one, name in zip(pointmaps(scene, frame), ('self', 'cross'), strict=True):
            scale = golden_scale(golden)[metric][:, None, None, None]
            torch.testing.assert_close(
                (one.truth / scale)[one.valid], golden[f'out/gt_{name}{view}'][metric][one.valid], atol=5e-5, rtol=5e-5
            )
            torch.testing.assert_close(
                one.predicted / scale, golden[f'out/pr_{name}{view}'][metric], atol=5e-5, rtol=5e-5
            )
    hands = HandPrediction(none, none, none, None)
    losses = scene_losses([Prediction(scene, hands) for scene in scenes], clip, TrainingConfig('scene'))
    kept = [golden_map(golden, view, name) for view in VIEWS for name in ('self', 'cross')]
    kept = [map_tensors(one, lambda tensor: tensor[metric]) for one in kept]
    valid = [golden[f'gt{view}/valid_mask'][metric] for view in VIEWS for _ in range(2)]
    kept = [dataclasses.replace(one, valid=mask) for one, mask in zip(kept, valid, strict=True)]
    torch.testing.assert_close(losses['points'], pointmaps_loss(kept, torch.ones(2), 0.2), atol=5e-5, rtol=5e-5)


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


@settings(max_examples=30, deadline=None)
@given(st.floats(0.2, 5.0), st.floats(0.5, 2.0))
def test_the_depth_loss_is_relative(depth: float, factor: float) -> None:
    """An error of ten per cent costs the same at arm's length and at the wall."""
    truth = torch.full((1, 2, 2), depth)
    found = depth_loss(factor * truth, truth, torch.ones(1, 2, 2, dtype=torch.bool))
    assert float(found) == pytest.approx(abs(math.log(factor)), abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.2, 5.0), st.floats(0.5, 2.0))
def test_the_relative_depth_loss_is_the_error_over_the_depth(depth: float, factor: float) -> None:
    truth = torch.full((1, 2, 2), depth)
    found = relative_depth_loss(factor * truth, truth, torch.ones(1, 2, 2, dtype=torch.bool))
    assert float(found) == pytest.approx(abs(factor - 1.0), abs=1e-5)


@pytest.mark.parametrize(('loss', 'expected'), [(depth_loss, math.log(2.0)), (relative_depth_loss, 1.0)])
def test_depth_losses_ignore_what_is_not_known(loss: Callable[..., torch.Tensor], expected: float) -> None:
    truth = torch.tensor([[[1.0, 0.0]]])
    predicted = torch.tensor([[[2.0, 7.0]]], requires_grad=True)
    found = loss(predicted, truth, truth > 0.0)
    found.backward()
    assert float(found.detach()) == pytest.approx(expected)
    assert predicted.grad is not None
    assert float(predicted.grad[0, 0, 1]) == 0.0
    assert float(loss(predicted, truth, torch.zeros_like(truth, dtype=torch.bool)).detach()) == 0.0


def test_the_outline_loss_sees_a_smeared_step_and_no_common_factor() -> None:
    truth = torch.ones(1, 1, 10)
    truth[..., 5:] = 2.0
    everywhere = torch.ones_like(truth, dtype=torch.bool)
    smeared = torch.linspace(0.0, 1.0, 10)[None, None].exp2()
    assert float(depth_gradient_loss(3.0 * truth, truth, everywhere)) == pytest.approx(0.0, abs=1e-6)
    assert float(depth_gradient_loss(smeared, truth, everywhere)) > 0.02
    # a flat map misses one step of log 2 in the 9, 8, 6 and 2 pairs that are 1, 2, 4 and 8 pixels apart
    missed = math.log(2.0) * (1 / 9 + 2 / 8 + 4 / 6 + 2 / 2)
    assert float(depth_gradient_loss(torch.ones_like(truth), truth, everywhere)) == pytest.approx(missed / 8, rel=1e-5)


def test_the_outline_loss_leaves_out_pairs_with_an_unknown_end() -> None:
    truth = torch.tensor([[[1.0, 0.0, 4.0]]])
    predicted = torch.tensor([[[1.0, 5.0, 4.0]]], requires_grad=True)
    found = depth_gradient_loss(predicted, truth, truth > 0.0)
    found.backward()
    assert float(found.detach()) == 0.0
    assert predicted.grad is not None and bool((predicted.grad == 0.0).all())


def test_every_weighted_scene_loss_counts() -> None:
    weights = {'points': 1.0, 'depth': 2.0, 'relative_depth': 3.0, 'depth_gradient': 4.0, 'pose': 5.0, 'focal': 7.0}
    fields = {f'weight_{name}': weight for name, weight in weights.items() if name != 'points'}
    config = TrainingConfig('scene').with_values(fields)
    for name, weight in weights.items():
        losses = {term: torch.tensor(float(term == name)) for term in weights}
        assert float(scene_total(losses, config)) == weight
