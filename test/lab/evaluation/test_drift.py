"""Drift: numbers mean what the table says, and one run serves all pose sources exactly as runs of their own would."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from hand3r_lab.evaluation import drift, metrics
from hand3r_lab.scenes.splits import sequence_seed
from hand3r_ros.geometry import make_transform
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset
from hand3r_ros.online.config import DetectionConfig, MapConfig, ReconstructorConfig
from hand3r_ros.online.detection.registry import make_detector
from hand3r_ros.online.frame_pipeline import FramePipeline
from hand3r_ros.online.inference import NetworkRunner
from hand3r_ros.online.reconstructor import OnlineReconstructor


def straight_path(frames: int, step: float, turn_deg: float = 0.0) -> np.ndarray:
    """(T, 4, 4) along x with a constant turn about z."""
    turns = Rotation.from_rotvec(np.outer(np.arange(frames) * np.deg2rad(turn_deg), [0.0, 0.0, 1.0])).as_matrix()
    return make_transform(turns, np.arange(frames)[:, None] * np.array([step, 0.0, 0.0]))


def test_relative_errors_are_those_of_the_motion_in_any_world():
    truth = straight_path(30, 0.01)
    predicted = straight_path(30, 0.012)
    world = make_transform(Rotation.random(random_state=0).as_matrix(), np.array([3.0, 1.0, -2.0]))
    step, turn = metrics.relative_pose_errors(world @ predicted, truth, 10)
    np.testing.assert_allclose(step, np.full(20, 0.02), atol=1e-9)
    np.testing.assert_allclose(turn, 0.0, atol=1e-6)
    _, turn = metrics.relative_pose_errors(straight_path(30, 0.01, 2.0), truth, 5)
    np.testing.assert_allclose(np.rad2deg(turn), np.full(25, 10.0), atol=1e-6)


def test_numbers_of_a_path_that_is_too_long():
    numbers = drift.drift_numbers(straight_path(101, 0.011), straight_path(101, 0.010))
    assert numbers['RPE 1 s cm'] == pytest.approx(1.0)
    assert numbers['end cm'] == pytest.approx(10.0)
    assert numbers['ATE with scale cm'] == pytest.approx(0.0, abs=1e-6)
    assert numbers['ATE cm'] == pytest.approx(0.1 * np.sqrt((101**2 - 1) / 12))  # deviation of 101 equal steps
    assert numbers['RPE 1 s deg'] == numbers['end deg'] == pytest.approx(0.0, abs=1e-5)


@pytest.fixture(scope='module')
def sequence() -> drift.LongSequence:
    return drift.draw_sequence(sequence_seed('validation', 1), 5)


def test_side_by_side_is_as_one_after_the_other(sequence):
    torch.manual_seed(0)
    network, layer = Hand3R(preset('tiny')).eval(), HandLayer(load_open_hand())
    runner = NetworkRunner(network, 'cpu')
    mode = drift.Mode('ttt3r', 2)
    paths = drift.camera_paths(runner, FramePipeline(runner, layer), sequence.frames, mode)
    assert list(paths) == list(drift.POSE_SOURCES)
    settings = ReconstructorConfig(
        device='cpu',
        detection=DetectionConfig(detector='topic'),
        map=MapConfig(enabled=False),
        state_update=mode.state_update,
        reset_interval=mode.reset_interval,
    )
    for source, path in paths.items():
        config = dataclasses.replace(settings, pose_source=source)
        alone = OnlineReconstructor(network, layer, make_detector(config), config)
        expected = np.stack([alone.process(frame).T_world_camera for frame in sequence.frames])
        np.testing.assert_array_equal(path, expected)


def test_the_table_has_a_row_for_every_mode_and_the_baseline():
    numbers = dict.fromkeys(drift.COLUMNS, 1.0)
    names = [drift.row_name(source, mode) for source in drift.POSE_SOURCES for mode in drift.MODES]
    assert len(set(names)) == 12 and 'pose network, ttt3r, reset every 50' in names
    text = drift.format_drift({name: numbers for name in (*names, drift.STATIC)}, 1, 300)
    assert text.count('\n| pose ') == 12 and '| static camera | 1.0 |' in text
