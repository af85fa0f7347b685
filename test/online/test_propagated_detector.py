"""Hands are followed between detector runs, and the detector runs when it is needed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hand3r_ros.checkpoints import landmark_weights
from hand3r_ros.checkpoints.locations import Place
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.online.config import DetectionConfig, ReconstructorConfig
from hand3r_ros.online.detection.base import DetectorUnavailableError
from hand3r_ros.online.detection.given import GivenDetector
from hand3r_ros.online.detection.propagated import PropagatingDetector
from hand3r_ros.online.detection.registry import make_detector
from hand3r_ros.online.results import CameraFrame, HandDetection, HandResult

IMAGE = np.zeros((480, 640, 3), np.uint8)
# A flat right hand of 100 px, fingers up, in OpenPose order.
HAND = np.array(
    [[0, 0]]
    + [[-20 - 8 * i, -10 * i] for i in range(1, 5)]
    + [[-25 + 16 * f, -50 - 15 * i] for f in range(4) for i in range(4)],
    float,
)


class CountingDetector:
    def __init__(self, hands: int = 1) -> None:
        self.calls, self.resets, self.hands = 0, 0, hands

    def can_answer(self, frame):
        return True

    def wants_head(self, frame, previous):
        return False

    def detect(self, frame, previous, head=None):
        self.calls += 1
        return tuple(HandDetection(np.array([10.0, 10, 90, 90]), HandSide.RIGHT, 0.9) for _ in range(self.hands))

    def reset(self):
        self.resets += 1


def tracked(centre, track_id=1, side=HandSide.RIGHT, unseen=0.0) -> HandResult:
    empty = np.zeros(3)
    values = dict.fromkeys(HandResult.__dataclass_fields__, empty)
    known = {'side': side, 'track_id': track_id, 'score': 0.9, 'unseen_seconds': unseen}
    return HandResult(**{**values, **known, 'keypoints_image': HAND + np.array(centre)})


def frame(index, detections=None) -> CameraFrame:
    return CameraFrame(IMAGE, index * 100_000_000, None, detections)


def centre_of(detection) -> np.ndarray:
    return (detection.box[:2] + detection.box[2:]) / 2


def test_the_detector_runs_every_nth_frame_and_boxes_follow_between():
    inner = CountingDetector()
    detector = PropagatingDetector(inner, interval=4)
    detector.detect(frame(0), ())
    for index in range(1, 9):
        found = detector.detect(frame(index), (tracked([300, 200]),))
        assert len(found) == 1
        assert (found[0].score < 0.9) == (index % 4 != 0)
        assert found[0].track_id == -1  # ids of the tracker are no ids of a detector
    assert inner.calls == 3


def test_a_predicted_hand_is_searched_for_at_once_and_no_box_follows_it():
    inner = CountingDetector()
    detector = PropagatingDetector(inner, interval=4)
    detector.detect(frame(0), ())
    missing = tracked([300, 200], track_id=2, unseen=0.1)
    detector.detect(frame(1), (missing,))
    assert inner.calls == 2
    found = detector.detect(frame(2), (tracked([100, 200]), missing))
    assert (inner.calls, len(found)) == (2, 1)
    assert np.linalg.norm(centre_of(found[0]) - [100, 180]) < 40


def test_interval_one_runs_it_always():
    inner = CountingDetector()
    detector = PropagatingDetector(inner, interval=1)
    for index in range(5):
        detector.detect(frame(index), (tracked([300, 200]),))
    assert inner.calls == 5


def test_a_missing_hand_wakes_the_detector():
    inner = CountingDetector(hands=2)
    detector = PropagatingDetector(inner, interval=100)
    both = (tracked([300, 200], 1), tracked([100, 200], 2))
    detector.detect(frame(0), ())
    detector.detect(frame(1), both)
    assert inner.calls == 1
    detector.detect(frame(2), both[:1])
    assert inner.calls == 2


def test_no_hand_at_all_keeps_it_looking():
    inner = CountingDetector(hands=0)
    detector = PropagatingDetector(inner, interval=100)
    for index in range(4):
        assert detector.detect(frame(index), ()) == ()
    assert inner.calls == 4


def test_boxes_move_on_with_the_hand():
    detector = PropagatingDetector(CountingDetector(), interval=100)
    detector.detect(frame(0), ())
    first = detector.detect(frame(1), (tracked([300, 200]),))[0]
    second = detector.detect(frame(2), (tracked([310, 195]),))[0]
    assert np.allclose(second.box - first.box, [20, -10, 20, -10])  # seen 10, -5 further, and as much again expected
    late = detector.detect(frame(4), (tracked([320, 190]),))[0]  # twice the time has passed
    assert np.allclose(late.box - first.box, [40, -20, 40, -20])


def test_a_jump_is_not_extrapolated_far():
    detector = PropagatingDetector(CountingDetector(), interval=100)
    detector.detect(frame(0), ())
    first = detector.detect(frame(1), (tracked([100, 200]),))[0]
    far = detector.detect(frame(2), (tracked([500, 200]),))[0]
    size = first.box[2:] - first.box[:2]
    assert np.abs(centre_of(far) - centre_of(first) - [400, 0]).max() <= 0.5 * size.max() + 1e-9


def test_unconfirmed_hands_lose_score():
    detector = PropagatingDetector(CountingDetector(), interval=1000)
    detector.detect(frame(0), ())
    hand = tracked([300, 200])
    for index in range(1, 40):
        found = detector.detect(frame(index), (hand,))[0]
        hand = replace(hand, score=found.score)
    assert hand.score < 0.5


def test_silent_boxes_are_bridged_for_the_timeout_only():
    """Boxes from a topic that come late or for some frames only."""
    detector = PropagatingDetector(GivenDetector(), interval=1, timeout=0.35)
    box = (HandDetection(np.array([250.0, 80, 350, 220]), HandSide.RIGHT, 0.9),)
    assert detector.detect(frame(0, box), ()) == box
    counts = [len(detector.detect(frame(i), (tracked([300, 200]),))) for i in range(1, 6)]
    assert counts == [1, 1, 1, 0, 0]


def test_an_empty_answer_is_an_answer():
    detector = PropagatingDetector(GivenDetector(), timeout=10.0)
    detector.detect(frame(0, (HandDetection(np.array([250.0, 80, 350, 220]), HandSide.RIGHT, 0.9),)), ())
    assert detector.detect(frame(1, ()), (tracked([300, 200]),)) == ()


def test_reset_forgets_and_reaches_the_detector():
    inner = CountingDetector()
    detector = PropagatingDetector(inner, interval=100)
    detector.detect(frame(0), ())
    detector.detect(frame(1), (tracked([300, 200]),))
    resets = inner.resets
    detector.reset()
    assert inner.resets == resets + 1
    detector.detect(frame(2), (tracked([300, 200]),))
    assert inner.calls == 2


def test_hands_without_pixels_are_not_followed():
    detector = PropagatingDetector(CountingDetector(), interval=100)
    detector.detect(frame(0), ())
    lost = replace(tracked([0, 0]), keypoints_image=np.full((21, 2), np.nan))
    assert detector.detect(frame(1), (lost,)) == ()


def test_unknown_detectors_are_refused_with_the_known_names():
    with pytest.raises(
        ValueError, match=r"detection\.detector must be one of auto, topic, network, mediapipe, none, got 'yolo'"
    ):
        DetectionConfig(detector='yolo')


def test_detector_none_finds_nothing_even_where_boxes_came():
    detector = make_detector(ReconstructorConfig(detection=DetectionConfig(detector='none')))
    assert detector.detect(frame(0, detections=CountingDetector().detect(None, ())), ()) == ()


def test_missing_landmark_weights_say_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(landmark_weights, 'places', lambda given=None: (Place(tmp_path, 'test'),))
    with pytest.raises(DetectorUnavailableError, match=r'palm_detector\.safetensors is in none of'):
        make_detector(ReconstructorConfig(detection=DetectionConfig(detector='mediapipe')))
