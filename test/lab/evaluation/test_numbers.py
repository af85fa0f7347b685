"""Bins, windows and jitter count what their definitions say."""

import csv

import numpy as np
import pytest

from hand3r_lab.evaluation import numbers
from hand3r_lab.evaluation.outputs import Outputs, check_outputs, write_csv
from hand3r_lab.evaluation.published import format_tables
from hand3r_lab.evaluation.report import format_rows
from hand3r_lab.evaluation.samples import HandSample, WorldTrack
from hand3r_lab.evaluation.truth import EvaluatedHand
from hand3r_ros.geometry import Intrinsics
from hand3r_ros.hand_model.sides import HandSide

INTRINSICS = Intrinsics(500.0, 500.0, 319.5, 239.5, 640, 480)
KEYPOINTS = np.random.default_rng(0).normal((0.0, 0.0, 0.6), 0.05, (21, 3))


def sample(visible=1.0, moved=0.0):
    hand = EvaluatedHand(HandSide.RIGHT, KEYPOINTS, np.zeros(4), visible, np.zeros((16, 3, 3)), np.zeros(10))
    return HandSample(KEYPOINTS + np.array([0.0, 0.0, moved]), KEYPOINTS, hand, INTRINSICS, 0.0)


def track(predicted, frames=None, rate=10.0):
    """A hand that stands still, of which a prediction (T, 3) is off by so much."""
    truth = np.tile(KEYPOINTS, (len(predicted), 1, 1))
    frames = np.arange(len(predicted)) if frames is None else np.array(frames)
    return WorldTrack(rate, frames, truth + np.asarray(predicted)[:, None], truth)


def test_a_hand_is_in_the_bin_of_its_hidden_share_and_borders_belong_to_the_upper_bin():
    shares = {'0 to 25 % hidden': 0.76, '25 to 50 % hidden': 0.75, '50 to 75 % hidden': 0.5, '75 to 100 % hidden': 0.25}
    for name, visible in shares.items():
        bins = numbers.occlusion_bins([sample(visible)])
        assert [key for key, hands in bins.items() if hands] == [name]
    assert numbers.occlusion_bins([sample(0.0)])['75 to 100 % hidden']


def test_hands_of_unknown_visibility_are_in_no_bin():
    assert not any(numbers.occlusion_bins([sample(np.nan)]).values())


def test_every_bin_has_the_numbers_of_its_own_hands():
    rows = numbers.occlusion_numbers([sample(0.9, 0.01), sample(0.9, 0.03), sample(0.1, 0.2)], 'ours')
    assert rows['ours, 0 to 25 % hidden']['C-MPJPE mm'] == pytest.approx(20.0)
    assert rows['ours, 0 to 25 % hidden']['hands'] == 2.0
    assert rows['ours, 75 to 100 % hidden']['C-MPJPE mm'] == pytest.approx(200.0)
    assert rows['ours, 75 to 100 % hidden']['PA-MPJPE mm'] == pytest.approx(0.0, abs=1e-6)
    assert len(rows) == 2


def test_a_perfect_prediction_scores_zero():
    row = numbers.sample_numbers([sample()])
    assert row['AUC (PA)'] > 0.99  # rounding may miss the threshold of zero
    assert all(value < 1e-9 for name, value in row.items() if name.endswith('mm'))


def test_windows_are_whole_and_follow_one_another():
    still = np.zeros((70, 3))
    found = numbers.windows([track(still), track(still[:29])], 30)
    assert [len(predicted) for predicted, _ in found] == [30, 30]


def test_windows_of_100_frames_need_100_frames():
    rng = np.random.default_rng(1)
    short = numbers.world_numbers([track(rng.normal(0, 0.01, (99, 3)))])
    assert 'WA-MPJPE mm' in short and 'WA-MPJPE 100 mm' not in short
    long = numbers.world_numbers([track(rng.normal(0, 0.01, (100, 3)))])
    assert 0.0 < long['WA-MPJPE 100 mm'] < long['W-MPJPE 100 mm']
    assert numbers.world_numbers([]) == {}


def test_jitter_is_the_acceleration_error_in_metres_per_second_squared():
    time = np.arange(10) / 20.0
    falling = np.stack([np.zeros(10), 0.5 * 9.81 * time**2, np.zeros(10)], axis=-1)
    assert numbers.world_numbers([track(falling, rate=20.0)])['jitter m/s2'] == pytest.approx(9.81)
    steady = np.stack([time, -time, time], axis=-1)
    assert numbers.world_numbers([track(steady, rate=20.0)])['jitter m/s2'] == pytest.approx(0.0, abs=1e-9)


def test_jitter_skips_gaps():
    jump = np.zeros((6, 3))
    jump[3:] = 1.0
    assert len(numbers.accelerations([track(jump, frames=[0, 1, 2, 10, 11, 12])])) == 2
    assert numbers.accelerations([track(jump, frames=[0, 1, 2, 10, 11, 12])]).max() == 0.0


def test_the_csv_holds_every_number_and_leaves_the_others_empty(tmp_path):
    write_csv(
        tmp_path / 'n.csv', {'ours': {'C-MPJPE mm': 1 / 3, 'hands': 2.0}, 'static camera': {'camera ATE cm': 1.5}}
    )
    rows = list(csv.DictReader((tmp_path / 'n.csv').open()))
    assert [row['method'] for row in rows] == ['ours', 'static camera']
    assert float(rows[0]['C-MPJPE mm']) == 1 / 3
    assert rows[0]['camera ATE cm'] == ''


def test_results_that_cannot_be_written_are_refused_before_anything_is_measured(tmp_path):
    for outputs in (
        Outputs(csv=tmp_path / 'missing' / 'n.csv'),
        Outputs(out=tmp_path / 'missing' / 'n.json'),
        Outputs(csv=tmp_path),
    ):
        with pytest.raises(OSError, match='--'):
            check_outputs(outputs)
    (tmp_path / 'card.md').write_text('no marks')
    with pytest.raises(ValueError, match=r'--card .*card\.md: no place'):
        check_outputs(Outputs(cards=(tmp_path / 'card.md',)))
    check_outputs(Outputs(tmp_path / 'n.json', tmp_path / 'n.csv', tmp_path / 'new' / 'plots'))
    assert (tmp_path / 'new' / 'plots').is_dir()


def test_the_report_shows_optional_columns_only_where_there_are_numbers_for_them():
    assert 'jitter' not in format_rows({'ours': {'C-MPJPE mm': 1.0}})
    assert '| jitter m/s2 | hands |' in format_rows({'ours': {'hands': 3.0, 'jitter m/s2': 1.0}})


def test_the_papers_tables_show_our_row_and_invent_nothing():
    rows = {
        'ours': {'PA-MPJPE mm': 9.876, 'AUC (PA)': 0.81234, 'C-MPJPE mm': 45.67},
        'ours, 50 to 75 % hidden': {'PA-MPJPE mm': 12.5, 'AUC (PA)': 0.7},
        'ours, network pose': {'WA-MPJPE 100 mm': 33.33},
    }
    text = format_tables(rows, 'rendered test set')
    assert '| ours, rendered test set | 9.88 | 81.2 | - | - | 12.50 | 70.0 | - | - |' in text
    assert '| ours, network pose, rendered test set | 45.7 | - | - | - | 33.3 |' in text
    published = next(line for line in text.splitlines() if line.startswith('| Hand3R (paper), DexYCB'))
    assert published.count('not available') == 5
    assert 'cannot be reproduced' in text
