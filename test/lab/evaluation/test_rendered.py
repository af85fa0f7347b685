"""The evaluation pairs predictions with the truth of the same hand and frame, in every pipeline alike."""

import dataclasses
import hashlib

import numpy as np
import pytest
import torch

from hand3r_lab.evaluation import rows
from hand3r_lab.evaluation.jobs import Plan
from hand3r_lab.evaluation.outputs import CARD_BEGIN, CARD_END, Outputs, measured_in
from hand3r_lab.evaluation.record import Record
from hand3r_lab.evaluation.rendered import evaluate_rendered, reprint
from hand3r_lab.evaluation.report import format_report
from hand3r_lab.evaluation.samples import SMALLEST_VISIBLE, measure_sequence, merged
from hand3r_lab.evaluation.truth import rendered_sequences
from hand3r_lab.scenes.sequence import SceneConfig, Sequence
from hand3r_lab.scenes.splits import sequence_seed
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.network.checkpoints import save_network
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset

FRAMES = 4
HIDDEN_FRAME = 2
"""In this frame of the test every hand is said to be almost hidden."""


@pytest.fixture(scope='module')
def network():
    """Untrained, and made to share its encoders by ``samples``."""
    torch.manual_seed(0)
    return Hand3R(preset('tiny')).eval()


@pytest.fixture(scope='module')
def samples(network):
    pipelines, ablations = rows.make_pipelines(network, HandLayer(load_open_hand()), 'tiny', ablations=True)
    sequence = next(rendered_sequences(1, FRAMES))
    frames = (hide_hands(frame) if frame.index == HIDDEN_FRAME else frame for frame in sequence.frames)
    measured = measure_sequence(pipelines | ablations, dataclasses.replace(sequence, frames=frames))
    return rows.with_reference(measured, ablations)


def hide_hands(frame):
    return dataclasses.replace(
        frame, hands=tuple(dataclasses.replace(hand, visible_fraction=0.1) for hand in frame.hands)
    )


@pytest.fixture(scope='module')
def numbers(samples):
    return rows.all_numbers(samples, HandLayer(load_open_hand()))


@pytest.fixture(scope='module')
def truth():
    sequence = Sequence(sequence_seed('test', 0), SceneConfig(width=640, height=480, frames=FRAMES))
    return [sequence.frame(index) for index in range(FRAMES)]


def test_every_visible_hand_is_either_paired_or_missed(samples, truth):
    ours = samples[rows.OURS]
    seen = [frame for index, frame in enumerate(truth) if index != HIDDEN_FRAME]
    visible = [hand for frame in seen for hand in frame.hands if hand.visible_fraction >= SMALLEST_VISIBLE]
    assert visible
    assert len(ours.hands) + ours.missed == len(visible)
    for sample, hand in zip(ours.hands, visible, strict=False):
        np.testing.assert_array_equal(sample.truth, hand.keypoints_camera)


def test_the_pipeline_of_the_occlusion_bins_alone_is_shown_hidden_hands(samples, truth, numbers):
    every, hidden = samples[rows.EVERY_HAND], truth[HIDDEN_FRAME].hands
    assert hidden
    assert len(every.hands) + every.missed == sum(len(frame.hands) for frame in truth)
    assert numbers['ours, 75 to 100 % hidden']['hands'] == len(hidden)
    assert numbers['ours']['hands'] == len(every.hands) - len(hidden)


def test_cameras_and_depth_are_those_of_the_sequence(samples, truth):
    ours = samples[rows.OURS]
    ((_, cameras),) = ours.cameras
    np.testing.assert_array_equal(cameras, np.stack([frame.T_world_camera for frame in truth]))
    assert ours.depth_sums[2] == sum(len(depth) for depth in ours.true_depth) > 0
    assert 0.1 < np.median(np.concatenate(ours.true_depth)) < 10.0


def test_tracks_are_in_the_first_camera_of_the_sequence(samples, truth):
    track = samples[rows.OURS].tracks[0]
    first = [hand for hand in truth[track.frames[0]].hands if hand.visible_fraction >= SMALLEST_VISIBLE]
    if track.frames[0] == 0:
        assert any(np.allclose(track.truth[0], hand.keypoints_camera, atol=1e-9) for hand in first)
    step = np.linalg.inv(truth[0].T_world_camera) @ truth[track.frames[-1]].T_world_camera
    moved = [hand.keypoints_camera @ step[:3, :3].T + step[:3, 3] for hand in truth[track.frames[-1]].hands]
    assert any(np.allclose(track.truth[-1], points, atol=1e-9) for points in moved)


def test_the_rows_that_others_read_are_there(numbers):
    assert {
        'ours',
        'ours, network pose',
        'ours, geometric pose',
        'ours, zeroed scene',
        'mean pose',
        'true rotation + mean pose',
        'constant depth',
        'depth from box size',
        'static camera',
    } <= set(numbers)
    assert {'PA-MPJPE mm', 'MPJPE mm', 'C-MPJPE mm', 'AUC (PA)', 'depth AbsRel', 'hands'} <= set(numbers['ours'])


def test_ablations_have_rows_of_their_own_that_differ_from_ours(numbers):
    ours = numbers['ours']['C-MPJPE mm']
    for name in ('ours, without prompts', 'ours, without f_s', 'ours, without state'):
        assert np.isfinite(numbers[name]['C-MPJPE mm'])
    assert numbers['ours, without prompts']['C-MPJPE mm'] != ours
    assert numbers['ours, without prompts']['PA-MPJPE mm'] == pytest.approx(numbers['ours']['PA-MPJPE mm'], abs=1e-2)


def test_ablations_stand_beside_the_whole_network_on_the_same_sequences(samples):
    ours, same = samples[rows.OURS], samples[rows.SAME_SEQUENCES]
    assert list(samples).index(rows.SAME_SEQUENCES) < list(samples).index('ours, zeroed scene')
    both = merged([samples, {name: samples[name] for name in (rows.OURS, rows.EVERY_HAND)}])
    assert len(both[rows.OURS].hands) == 2 * len(ours.hands)
    assert len(both[rows.SAME_SEQUENCES].hands) == len(same.hands) == len(ours.hands)
    numbers = rows.all_numbers({**samples, **both}, HandLayer(load_open_hand()))
    assert numbers['ours']['hands'] == 2 * numbers[rows.SAME_SEQUENCES]['hands']


def test_tracks_know_their_hands_also_after_merging(samples):
    ours = merged([samples, samples])[rows.OURS]
    assert len(ours.tracks) == 2 * len(samples[rows.OURS].tracks)
    for track in ours.tracks:
        distances = [np.linalg.norm(np.diff(ours.hands[place].truth[:5], axis=0), axis=-1) for place in track.hands]
        np.testing.assert_allclose(np.linalg.norm(np.diff(track.truth[:, :5], axis=1), axis=-1), distances, atol=1e-9)


def test_the_whole_command_writes_everything_it_is_asked_for(tmp_path):
    torch.manual_seed(0)
    save_network(tmp_path / 'tiny.safetensors', Hand3R(preset('tiny')), {'preset': 'tiny', 'hand_model': 'open_hand'})
    card = tmp_path / 'card.md'
    card.write_text(f'before\n{CARD_BEGIN}\nold\n{CARD_END}\nafter\n')
    outputs = Outputs(tmp_path / 'numbers.json', tmp_path / 'numbers.csv', tmp_path / 'plots', True, (card,))
    text = evaluate_rendered(Plan(weights_dir=tmp_path, sequences=1, frames=2), outputs=outputs)
    assert 'not available' in text
    assert (tmp_path / 'numbers.csv').read_text().startswith('method,PA-MPJPE mm')
    pictures = sorted(path.name for path in (tmp_path / 'plots').iterdir())
    assert pictures == ['error_by_distance.png', 'error_by_occlusion.png', 'error_over_time.png']
    record = Record.load(tmp_path / 'numbers.json')
    assert 'ours, zeroed scene' in record.rows
    assert record.weights_sha256 == hashlib.sha256((tmp_path / 'tiny.safetensors').read_bytes()).hexdigest()
    assert card.read_text() == f'before\n{CARD_BEGIN}\n{format_report(record)}\n{CARD_END}\nafter\n'
    assert measured_in(card.read_text()) == format_report(record) == reprint(tmp_path / 'numbers.json', Outputs())


def test_the_report_has_a_row_per_method_and_says_nothing_where_nothing_is_known():
    numbers = {'ours': {'MPJPE mm': 12.34, 'hands': 5.0}, 'static camera': {'camera ATE cm': 1.0}}
    text = format_report(Record('rendered test set', 'tiny', 'abc', 2, 3, numbers))
    assert '5 hands' in text
    assert '| ours | - | 12.3 |' in text
    assert text.splitlines()[-1].startswith('| static camera |')
