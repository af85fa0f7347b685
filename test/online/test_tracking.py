"""Ids stay with their hands."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.online.config import TrackingConfig
from hand3r_ros.online.tracking import HandObservation, HandTracker

STEP_NS = 50_000_000
LEFT, RIGHT = HandSide.LEFT, HandSide.RIGHT


def seen(x, side=RIGHT, depth=0.6, detector_id=-1) -> HandObservation:
    pixel = 320 + 400 * x / depth
    return HandObservation(side, np.array([pixel - 40, 200, pixel + 40, 300]), np.array([x, 0, depth]), detector_id)


def test_a_moving_hand_keeps_its_id():
    tracker = HandTracker(TrackingConfig(), max_hands=2)
    ids = [tracker.update([seen(0.05 * i)], i * STEP_NS)[0] for i in range(20)]
    assert set(ids) == {1}


def test_two_hands_of_one_side_that_cross_are_matched_together():
    tracker = HandTracker(TrackingConfig(), max_hands=4)
    ids = tracker.update([seen(-0.1), seen(0.1)], 0)
    # The order of the detections changes; the hands have moved by 2 cm each.
    assert tracker.update([seen(0.08), seen(-0.08)], STEP_NS) == ids[::-1]


def test_sides_never_share_an_id():
    tracker = HandTracker(TrackingConfig(), max_hands=2)
    left = tracker.update([seen(0.0, LEFT)], 0)
    assert tracker.update([seen(0.0, RIGHT)], STEP_NS) != left


def test_a_hand_returns_within_the_timeout_but_not_after():
    tracker = HandTracker(TrackingConfig(timeout=0.5), max_hands=2)
    first = tracker.update([seen(0.0)], 0)
    tracker.update([], 2 * STEP_NS)
    assert tracker.update([seen(0.02)], 8 * STEP_NS) == first
    assert tracker.update([seen(0.02)], 8 * STEP_NS + 600_000_000) != first


def test_a_wrong_depth_alone_does_not_break_a_track():
    tracker = HandTracker(TrackingConfig(), max_hands=2)
    first = tracker.update([seen(0.0, depth=0.5)], 0)
    assert tracker.update([seen(0.0, depth=2.5)], STEP_NS) == first


def test_a_turning_camera_alone_does_not_break_a_track():
    tracker = HandTracker(TrackingConfig(), max_hands=2)
    before = seen(0.0)
    first = tracker.update([before], 0)
    shifted = HandObservation(RIGHT, before.box + np.array([400, 0, 400, 0]), before.wrist_world + 0.01)
    assert tracker.update([shifted], STEP_NS) == first


def test_an_impossible_jump_starts_a_new_track():
    tracker = HandTracker(TrackingConfig(), max_hands=2)
    first = tracker.update([seen(-1.5, depth=1.0)], 0)
    assert tracker.update([seen(1.5, depth=1.0)], STEP_NS) != first


def test_ids_of_the_detector_decide_where_it_gives_them():
    tracker = HandTracker(TrackingConfig(), max_hands=4)
    first = tracker.update([seen(-0.1, detector_id=7), seen(0.1, detector_id=8)], 0)
    assert tracker.update([seen(-0.1, detector_id=8), seen(0.1, detector_id=7)], STEP_NS) == first[::-1]
    assert tracker.update([seen(-0.1, detector_id=9)], 2 * STEP_NS)[0] not in first


def test_ids_of_the_detector_last_through_frames_without_them():
    tracker = HandTracker(TrackingConfig(), max_hands=4)
    first = tracker.update([seen(-0.1, detector_id=7), seen(0.1, detector_id=8)], 0)
    assert tracker.update([seen(-0.1), seen(0.1)], STEP_NS) == first
    # The hands have changed places while only their boxes were known.
    assert tracker.update([seen(-0.1, detector_id=8), seen(0.1, detector_id=7)], 2 * STEP_NS) == first[::-1]


def test_ids_are_not_used_again_after_a_reset():
    tracker = HandTracker(TrackingConfig(), max_hands=2)
    first = tracker.update([seen(0.0)], 0)
    tracker.reset()
    assert tracker.track_ids == set()
    assert tracker.update([seen(0.0)], STEP_NS)[0] > first[0]


OBSERVATIONS = st.lists(st.tuples(st.floats(-2, 2), st.sampled_from([LEFT, RIGHT]), st.floats(0.2, 3.0)), max_size=3)


@settings(deadline=None)
@given(st.lists(st.tuples(OBSERVATIONS, st.integers(0, 3_000_000_000)), max_size=12))
def test_ids_of_a_frame_are_distinct_one_side_each_and_bounded(frames):
    tracker = HandTracker(TrackingConfig(), max_hands=3)
    side_of, stamp = {}, 0
    for observations, step in frames:
        stamp += step
        hands = [seen(x, side, depth) for x, side, depth in observations]
        ids = tracker.update(hands, stamp)
        assert len(ids) == len(hands) == len(set(ids))
        assert len(tracker.track_ids) <= 3
        for track_id, hand in zip(ids, hands, strict=True):
            assert side_of.setdefault(track_id, hand.side) == hand.side
