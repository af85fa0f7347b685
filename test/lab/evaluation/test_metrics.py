"""The metrics equal the published evaluations' outputs and are invariant exactly where they say so."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hand3r_lab.evaluation import metrics

GOLDEN = Path(__file__).parents[4] / 'shared' / 'reference' / 'golden_hamer'


@pytest.fixture(scope='module')
def golden():
    if not GOLDEN.is_dir():
        pytest.skip(f'golden data not found at {GOLDEN}')
    spec = importlib.util.spec_from_file_location('detgen', GOLDEN / 'detgen.py')
    detgen = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(detgen)
    return detgen, np.load(GOLDEN / 'metrics.npz'), json.loads((GOLDEN / 'metrics.json').read_text())


@pytest.mark.parametrize('frames', [7, 30, 100])
def test_hand_metrics_equal_the_golden_values(golden, frames):
    detgen, arrays, description = golden
    truth, predicted = detgen.trajectory(f'traj{frames}', frames)
    pairs = {
        'w_jpe': metrics.world_errors(predicted, truth),
        'wa_jpe': metrics.world_aligned_errors(predicted, truth),
        'pa_jpe': metrics.procrustes_errors(predicted, truth),
        'abs_jpe': metrics.keypoint_errors(predicted, truth),
        'rootrel_jpe': metrics.root_relative_errors(predicted, truth),
        'accel_err': metrics.acceleration_errors(predicted, truth),
    }
    for name, value in pairs.items():
        np.testing.assert_allclose(value, arrays[f'T{frames}_{name}'], atol=2e-6, err_msg=name)
    aligned = np.stack([metrics.fit_similarity(p, t).apply(p) for p, t in zip(predicted, truth, strict=True)])
    expected = description['values'][f'T{frames}']['dexycb_procrustes']['auc']
    assert metrics.area_under_curve(aligned, truth) == pytest.approx(expected, abs=2e-4)


def test_a_mirrored_hand_is_not_aligned_away(golden):
    _, arrays, description = golden
    error = metrics.procrustes_errors(arrays['reflect_pred'][None], arrays['reflect_gt'][None])[0]
    assert error * 1e3 == pytest.approx(description['values']['reflection']['hamer_pa_mm'], abs=1e-3)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.2, 5.0))
def test_a_similarity_is_recovered_and_removed(seed, scale):
    generator = np.random.default_rng(seed)
    truth = generator.normal(size=(4, 21, 3))
    rotation = Rotation.random(random_state=seed % 2**31).as_matrix()
    moved = scale * truth @ rotation.T + generator.normal(size=3)
    assert metrics.procrustes_errors(moved, truth).max() < 1e-9
    assert metrics.world_aligned_errors(moved, truth).max() < 1e-9
    assert metrics.world_errors(moved, truth).max() < 1e-9
    assert metrics.keypoint_errors(moved, truth).min() > 1e-3


def test_trajectory_error_ignores_the_choice_of_world_but_not_the_scale():
    generator = np.random.default_rng(0)
    truth = np.tile(np.eye(4), (20, 1, 1))
    truth[:, :3, :3] = Rotation.random(20, random_state=1).as_matrix()
    truth[:, :3, 3] = np.cumsum(generator.normal(size=(20, 3)), axis=0)
    world = np.eye(4)
    world[:3, :3], world[:3, 3] = Rotation.random(random_state=2).as_matrix(), (1.0, 2.0, 3.0)
    position, rotation, _ = metrics.trajectory_errors(world @ truth, truth)
    assert position < 1e-9 and rotation < 1e-6
    scaled = truth.copy()
    scaled[:, :3, 3] *= 2.0
    assert metrics.trajectory_errors(scaled, truth)[0] > 0.5
    assert metrics.trajectory_errors(scaled, truth, with_scale=True)[0] < 1e-9


def test_depth_errors_count_only_known_pixels():
    truth = np.array([[1.0, 2.0], [0.0, 4.0]])
    predicted = np.array([[1.1, 2.0], [9.0, 8.0]])
    relative, within = metrics.depth_errors(predicted, truth)
    assert relative == pytest.approx((0.1 + 0.0 + 1.0) / 3)
    assert within == pytest.approx(2 / 3)
