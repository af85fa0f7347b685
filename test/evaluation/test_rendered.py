"""The evaluation pairs predictions with the truth of the same hand and frame, in every pipeline alike."""

import dataclasses

import numpy as np
import pytest
import torch

from hand3r_ros.evaluation import rendered
from hand3r_ros.evaluation.outputs import Outputs
from hand3r_ros.evaluation.report import format_report
from hand3r_ros.evaluation.samples import SMALLEST_VISIBLE, run_sequences
from hand3r_ros.evaluation.truth import rendered_sequences
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.network.checkpoints import save_network
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset
from hand3r_ros.synthetic.sequence import SceneConfig, Sequence
from hand3r_ros.synthetic.splits import sequence_seed

FRAMES = 4
HIDDEN_FRAME = 2
"""In this frame of the test every hand is said to be almost hidden."""


@pytest.fixture(scope='module')
def network():
    torch.manual_seed(0)
    return Hand3R(preset('tiny')).eval()


@pytest.fixture(scope='module')
def samples(network):
    pipelines = rendered.make_pipelines(network, HandLayer(load_open_hand()), 'tiny', ablations=True)
    sequence = next(rendered_sequences(1, FRAMES))
    frames = (hide_hands(frame) if frame.index == HIDDEN_FRAME else frame for frame in sequence.frames)
    return run_sequences(pipelines, [dataclasses.replace(sequence, frames=frames)])


def hide_hands(frame):
    return dataclasses.replace(
        frame, hands=tuple(dataclasses.replace(hand, visible_fraction=0.1) for hand in frame.hands)
    )


@pytest.fixture(scope='module')
def numbers(samples):
    return rendered.all_numbers(samples, HandLayer(load_open_hand()))


@pytest.fixture(scope='module')
def truth():
    sequence = Sequence(sequence_seed('test', 0), SceneConfig(width=640, height=480, frames=FRAMES))
    return [sequence.frame(index) for index in range(FRAMES)]


def test_every_visible_hand_is_either_paired_or_missed(samples, truth):
    ours = samples[rendered.OURS]
    seen = [frame for index, frame in enumerate(truth) if index != HIDDEN_FRAME]
    visible = [hand for frame in seen for hand in frame.hands if hand.visible_fraction >= SMALLEST_VISIBLE]
    assert visible
    assert len(ours.hands) + ours.missed == len(visible)
    for sample, hand in zip(ours.hands, visible, strict=False):
        np.testing.assert_array_equal(sample.truth, hand.keypoints_camera)


def test_the_pipeline_of_the_occlusion_bins_alone_is_shown_hidden_hands(samples, truth, numbers):
    every, hidden = samples[rendered.EVERY_HAND], truth[HIDDEN_FRAME].hands
    assert hidden
    assert len(every.hands) + every.missed == sum(len(frame.hands) for frame in truth)
    assert numbers['ours, 75 to 100 % hidden']['hands'] == len(hidden)
    assert numbers['ours']['hands'] == len(every.hands) - len(hidden)


def test_cameras_and_depth_are_those_of_the_sequence(samples, truth):
    ours = samples[rendered.OURS]
    ((_, cameras),) = ours.cameras
    np.testing.assert_array_equal(cameras, np.stack([frame.T_world_camera for frame in truth]))
    assert ours.depth_sums[2] == sum(len(depth) for depth in ours.true_depth) > 0
    assert 0.1 < np.median(np.concatenate(ours.true_depth)) < 10.0


def test_tracks_are_in_the_first_camera_of_the_sequence(samples, truth):
    track = samples[rendered.OURS].tracks[0]
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


def test_the_whole_command_writes_everything_it_is_asked_for(tmp_path, network):
    save_network(tmp_path / 'tiny.safetensors', network, {'preset': 'tiny', 'hand_model': 'open_hand'})
    outputs = Outputs(csv=tmp_path / 'numbers.csv', plots=tmp_path / 'plots', tables=True)
    text = rendered.evaluate_rendered('tiny', tmp_path, 1, 2, tmp_path / 'numbers.json', outputs=outputs)
    assert 'not available' in text
    assert (tmp_path / 'numbers.csv').read_text().startswith('method,PA-MPJPE mm')
    assert '"ours, zeroed scene"' in (tmp_path / 'numbers.json').read_text()
    pictures = sorted(path.name for path in (tmp_path / 'plots').iterdir())
    assert pictures == ['error_by_distance.png', 'error_by_occlusion.png', 'error_over_time.png']


def test_the_report_has_a_row_per_method_and_says_nothing_where_nothing_is_known():
    text = format_report({'ours': {'MPJPE mm': 12.34, 'hands': 5.0}, 'static camera': {'camera ATE cm': 1.0}}, 2, 3)
    assert '5 hands' in text
    assert '| ours | - | 12.3 |' in text
    assert text.splitlines()[-1].startswith('| static camera |')
