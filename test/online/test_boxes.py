"""Which detections are looked at: overlap, limits, duplicates, order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hand3r_ros.geometry import project_points
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.online.config import DetectionConfig
from hand3r_ros.online.detection.boxes import (
    box_around_keypoints,
    clip_box,
    intersection_over_union,
    is_usable_box,
    select_hands,
)
from hand3r_ros.online.results import HandDetection

ANY_FLOAT = st.floats(allow_nan=True, allow_infinity=True)
LEFT, RIGHT = HandSide.LEFT, HandSide.RIGHT


def hand(box, side=RIGHT, score=0.9):
    return HandDetection(np.array(box, float), side, score)


@st.composite
def boxes(draw):
    x, y = draw(st.floats(-100, 700)), draw(st.floats(-100, 500))
    return np.array([x, y, x + draw(st.floats(1, 400)), y + draw(st.floats(1, 400))])


@given(boxes(), boxes())
def test_overlap_is_symmetric_and_within_0_and_1(first, second):
    overlap = intersection_over_union(first, second)
    assert 0.0 <= overlap <= 1.0
    assert overlap == pytest.approx(intersection_over_union(second, first))
    assert intersection_over_union(first, first) == pytest.approx(1.0)


def test_overlap_of_half_shifted_boxes_is_a_third():
    assert intersection_over_union(np.array([0, 0, 2, 2.0]), np.array([1, 0, 3, 2.0])) == pytest.approx(1 / 3)
    assert intersection_over_union(np.zeros(4), np.zeros(4)) == 0.0


@given(st.lists(st.tuples(st.lists(ANY_FLOAT, min_size=4, max_size=4), ANY_FLOAT), max_size=8), st.integers(0, 4))
def test_whatever_a_detector_says_the_selection_can_be_cropped(found, max_hands):
    chosen = select_hands([hand(box, LEFT, score) for box, score in found], 640, 480, max_hands, DetectionConfig())
    assert len(chosen) <= max_hands
    for detection in chosen:
        assert is_usable_box(detection.box, 640, 480, DetectionConfig().smallest_box)
        assert (np.abs(detection.box) <= 2 * 640).all()
        assert detection.score >= DetectionConfig().min_score


@given(st.lists(st.tuples(boxes(), st.floats(0.5, 1.0), st.sampled_from([LEFT, RIGHT])), max_size=8))
def test_no_two_chosen_hands_of_a_side_overlap_and_the_best_comes_first(found):
    chosen = select_hands([hand(*[box, side, score]) for box, score, side in found], 640, 480, 10, DetectionConfig())
    assert [d.score for d in chosen] == sorted((d.score for d in chosen), reverse=True)
    for i, first in enumerate(chosen):
        for second in chosen[:i]:
            limit = 0.5 if first.side == second.side else 0.8
            assert intersection_over_union(first.box, second.box) <= limit


def test_left_and_right_of_clasped_hands_stay_but_one_hand_with_two_sides_does_not():
    clasped = [hand([100, 100, 200, 200], LEFT), hand([120, 100, 220, 200], RIGHT, 0.8)]
    assert len(select_hands(clasped, 640, 480, 2, DetectionConfig())) == 2
    doubtful = [hand([100, 100, 200, 200], LEFT), hand([102, 100, 202, 200], RIGHT, 0.8)]
    assert [d.side for d in select_hands(doubtful, 640, 480, 2, DetectionConfig())] == [LEFT]


def test_boxes_may_reach_outside_but_must_be_visible():
    chosen = select_hands([hand([-50, 100, 60, 200]), hand([-90, 300, -5, 400])], 640, 480, 2, DetectionConfig())
    assert [d.box.tolist() for d in chosen] == [[-50, 100, 60, 200]]
    assert clip_box(chosen[0].box, 640, 480).tolist() == [0, 100, 60, 200]


@pytest.mark.parametrize('box', [[10, 10, 10, 50], [50, 50, 10, 10], [1, 2, 3], [0, 0, 1e9, 1e9], [0, 0, 5, 5]])
def test_degenerate_boxes_are_unusable(box):
    assert not is_usable_box(np.array(box, float), 640, 480, 12.0)


def test_the_box_around_keypoints_covers_the_hand(two_hands):
    """Against the box of the whole surface, which is what the network is trained with."""
    overlaps, bare = [], []
    for frame in two_hands:
        for truth in frame.hands:
            pixels = project_points(truth.vertices_camera, frame.intrinsics)
            surface = np.concatenate([pixels.min(0), pixels.max(0)])
            keypoints = truth.keypoints_image
            overlaps.append(intersection_over_union(box_around_keypoints(keypoints), surface))
            bare.append(intersection_over_union(np.concatenate([keypoints.min(0), keypoints.max(0)]), surface))
    assert np.median(overlaps) > 0.75
    assert np.median(overlaps) > np.median(bare) + 0.05
