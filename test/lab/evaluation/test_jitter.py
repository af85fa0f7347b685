"""Jitter and delay of hands are those that were put in, and smoothing for teleoperation is what was measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from hand3r_lab.evaluation.jitter import (
    ACCELERATION,
    DELAY,
    OFF,
    ON,
    SETTINGS,
    Recording,
    Run,
    acceleration_errors,
    format_jitter,
    jitter_numbers,
    mean_delay,
    with_reference,
)
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.online.smoothing import OneEuroPosition

ROOT = Path(__file__).parents[3]
RATE = 30.0


def waving(seconds: float = 4.0, delay: float = 0.0, offset: float = 0.0) -> np.ndarray:
    """(T, 6, 3) m: six points that wave at 1.2 Hz, each in its own direction."""
    times = np.arange(int(seconds * RATE)) / RATE - delay
    directions = np.random.default_rng(1).normal(0.0, 0.1, (6, 3))
    return np.sin(2.0 * np.pi * 1.2 * times)[:, None, None] * directions + offset


@pytest.mark.parametrize('delay', [0.0, 0.03, 0.12, -0.05])
def test_the_delay_is_found_beside_offsets_and_noise(delay):
    noise = np.random.default_rng(2).normal(0.0, 0.004, waving().shape)
    run = Run(RATE, waving(delay=delay, offset=0.05) + noise, waving())
    assert mean_delay([run]) == pytest.approx(delay, abs=0.005)


def test_acceleration_errors_are_metres_per_second_squared_and_zero_for_a_delayless_shift():
    times = np.arange(20) / RATE
    falling = np.zeros((20, 6, 3))
    falling[..., 2] = (0.5 * 9.81 * times**2)[:, None]
    np.testing.assert_allclose(acceleration_errors(Run(RATE, falling, np.zeros_like(falling))), 9.81, rtol=1e-6)
    np.testing.assert_allclose(acceleration_errors(Run(RATE, falling + 0.3, falling)), 0.0, atol=1e-9)


def test_the_filter_for_teleoperation_is_calmer_and_its_lag_is_seen():
    truth = waving()
    noisy = truth + np.random.default_rng(3).normal(0.0, 0.003, truth.shape)
    rows = {}
    for name, config in SETTINGS.items():
        filters = [OneEuroPosition(config) for _ in range(6)]
        smoothed = np.stack(
            [
                [each.update(point, int(index * 1e9 / RATE)) for each, point in zip(filters, points, strict=True)]
                for index, points in enumerate(noisy)
            ]
        )
        rows[name] = jitter_numbers([Run(RATE, smoothed if config.enabled else noisy, truth)])
    assert rows[ON][f'wrist: {ACCELERATION}'] < 0.8 * rows[OFF][f'wrist: {ACCELERATION}']
    assert abs(rows[OFF][f'fingertips: {DELAY}']) < 5.0
    assert 10.0 < rows[ON][f'fingertips: {DELAY}'] < 150.0
    assert format_jitter(rows).count('\n') == 3


def test_the_reference_of_a_clip_has_no_delay_and_no_jitter():
    noisy = waving() + np.random.default_rng(4).normal(0.0, 0.003, waving().shape)
    run = with_reference(Run(RATE, noisy, noisy))
    assert mean_delay([run]) == pytest.approx(0.0, abs=0.003)
    assert acceleration_errors(Run(RATE, run.truth, waving())).mean() < 0.2 * acceleration_errors(run).mean()


def test_a_gap_begins_a_new_run_and_short_runs_say_nothing_about_delay():
    recording = Recording(RATE)
    points = np.zeros((21, 3))
    for index in (0, 1, 2, 3, 7, 8, 9, 12):
        recording.add((1, HandSide.LEFT), index, points, points)
    runs = list(recording.runs())
    assert [(run.first, len(run.truth)) for run in runs] == [((1, 0), 4), ((1, 7), 3)]
    assert mean_delay(runs) is None
    assert f'wrist: {DELAY}' not in jitter_numbers(runs)


def test_the_parameter_file_for_teleoperation_is_what_was_measured():
    content = yaml.safe_load((ROOT / 'config' / 'teleop.yaml').read_text())['/**']['ros__parameters']
    assert content['smoothing'] == {
        'enabled': True,
        'min_cutoff': SETTINGS[ON].min_cutoff,
        'beta': SETTINGS[ON].beta,
    }
    assert not SETTINGS[OFF].enabled
