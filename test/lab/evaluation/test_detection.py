"""Recall, precision and F1 count what their definition says."""

import numpy as np
import pytest

from hand3r_lab.evaluation.detection import DetectionScore, TrueHand, format_detection
from hand3r_lab.evaluation.jobs import Plan
from hand3r_lab.evaluation.outputs import Outputs
from hand3r_lab.evaluation.record import Record
from hand3r_lab.evaluation.rendered import evaluate_rendered
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.network.checkpoints import save_network
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset, with_detection_head
from hand3r_ros.online.detection.base import DetectorUnavailableError
from hand3r_ros.online.results import HandDetection

LEFT, RIGHT = HandSide.LEFT, HandSide.RIGHT
HERE, THERE, ELSEWHERE = (0.0, 0.0, 40.0, 40.0), (100.0, 0.0, 140.0, 40.0), (300.0, 300.0, 340.0, 340.0)
METADATA = {'preset': 'tiny', 'hand_model': 'open_hand'}


def hand(box=HERE, side=LEFT, visible=1.0):
    return TrueHand(np.array(box), side, visible)


def found(box=HERE, side=LEFT, score=0.9):
    return HandDetection(np.array(box), side, score)


def score(truth, detections):
    total = DetectionScore()
    total.add(truth, detections)
    return total


def test_perfect_detections_score_one_in_everything():
    numbers = score([hand(), hand(THERE, RIGHT, 0.6)], [found(), found(THERE, RIGHT)]).numbers()
    assert numbers == {
        'precision': 1.0,
        'recall': 1.0,
        'F1': 1.0,
        'side accuracy': 1.0,
        'mean overlap': 1.0,
        'hands': 2.0,
        'recall, 0% to 25% hidden': 1.0,
        'recall, 25% to 50% hidden': 1.0,
    }


def test_a_box_elsewhere_is_both_a_miss_and_a_false_alarm():
    numbers = score([hand()], [found(ELSEWHERE)]).numbers()
    assert (numbers['precision'], numbers['recall'], numbers['F1']) == (0.0, 0.0, 0.0)


def test_the_wrong_side_is_wrong_and_shows_in_the_side_accuracy():
    numbers = score([hand(), hand(THERE, RIGHT)], [found(side=RIGHT), found(THERE, RIGHT)]).numbers()
    assert (numbers['precision'], numbers['recall'], numbers['side accuracy']) == (0.5, 0.5, 0.5)


def test_one_hand_is_found_once_and_the_best_score_chooses_first():
    shifted = (8.0, 0.0, 48.0, 40.0)
    total = score([hand()], [found(score=0.5), found(shifted, score=0.9)])
    assert (total.right, total.wrong, total.missed) == (1, 1, 0)
    assert total.overlaps == [pytest.approx(32 / 48)]


def test_less_than_half_overlap_is_no_match():
    assert score([hand()], [found((14.0, 0.0, 54.0, 40.0))]).right == 0
    assert score([hand()], [found((13.0, 0.0, 53.0, 40.0))]).right == 1


def test_hands_that_are_almost_hidden_are_neither_missed_nor_false():
    for detections in ([], [found()], [found(side=RIGHT)]):
        total = score([hand(visible=0.2)], detections)
        assert (total.right, total.wrong, total.missed, total.boxes_found) == (0, 0, 0, 0)
    assert score([hand(visible=0.2)], [found()]).numbers()['recall, 75% to 100% hidden'] == 1.0


def test_frames_add_up_and_nothing_at_all_is_no_error():
    total = DetectionScore()
    assert total.numbers()['F1'] == 0.0
    total.add([], [])
    total.add([hand()], [found()])
    total.add([hand()], [])
    total.add([], [found()])
    numbers = total.numbers()
    assert (numbers['precision'], numbers['recall'], numbers['F1']) == (0.5, 0.5, 0.5)
    assert '| F1 | 0.500 |' in format_detection(numbers)


def head_only(folder):
    return Plan(weights_dir=folder, sequences=1, frames=2, rows=False, detection=True)


def test_the_test_set_goes_through_the_head(tmp_path):
    save_network(tmp_path / 'tiny.safetensors', Hand3R(with_detection_head('tiny')), METADATA)
    outputs = Outputs(tmp_path / 'numbers.json')
    report = evaluate_rendered(head_only(tmp_path), outputs=outputs)
    assert '| recall |' in report
    assert 'F1' in Record.load(tmp_path / 'numbers.json').detection


def test_weights_without_a_head_are_refused(tmp_path):
    save_network(tmp_path / 'tiny.safetensors', Hand3R(preset('tiny')), METADATA)
    with pytest.raises(DetectorUnavailableError, match='hand3r-lab train detector'):
        evaluate_rendered(head_only(tmp_path))


def test_scores_of_parts_add_up_to_that_of_the_whole():
    frames = [([hand(), hand(THERE, RIGHT, 0.6)], [found()]), ([hand(THERE, RIGHT)], [found(THERE), found(ELSEWHERE)])]
    whole, parts = DetectionScore(), DetectionScore()
    for truth, detections in frames:
        whole.add(truth, detections)
        parts.merge(score(truth, detections))
    assert parts == whole
    assert whole.missed and whole.wrong and whole.right
