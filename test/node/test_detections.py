"""Hand boxes of a detector: whose hand, which boxes can be used, which image they belong to, and why they do not."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.node.detections import (
    DetectionBuffer,
    boxes_in_image,
    detections_from_message,
    sides_of_classes,
    told,
)
from hand3r_ros.node.parameter_fields import ParameterError, from_values
from hand3r_ros.node.parameters import NodeParameters
from hand3r_ros.online.results import HandDetection

MS = 1_000_000


def detection(side: str = 'left', size: tuple[float, float] = (20.0, 10.0), score: float = 0.9, identity: str = '7'):
    hypotheses = [SimpleNamespace(hypothesis=SimpleNamespace(class_id=side, score=score))] if side else []
    center = SimpleNamespace(position=SimpleNamespace(x=100.0, y=50.0), theta=0.0)
    box = SimpleNamespace(center=center, size_x=size[0], size_y=size[1])
    return SimpleNamespace(results=hypotheses, bbox=box, id=identity)


def test_detections_become_boxes_with_side_score_and_id() -> None:
    hands, problems = detections_from_message(
        SimpleNamespace(detections=[detection(), detection('Right', identity='x')])
    )
    assert problems == []
    np.testing.assert_allclose(hands[0].box, [90.0, 45.0, 110.0, 55.0])
    assert [(hand.side, hand.score, hand.track_id) for hand in hands] == [
        (HandSide.LEFT, 0.9, 7),
        (HandSide.RIGHT, 0.9, -1),
    ]


def test_the_best_hypothesis_decides() -> None:
    both = detection('left', score=0.4)
    both.results.append(SimpleNamespace(hypothesis=SimpleNamespace(class_id='right', score=0.6)))
    hands, _ = detections_from_message(SimpleNamespace(detections=[both]))
    assert hands[0].side is HandSide.RIGHT and hands[0].score == 0.6


@pytest.mark.parametrize(
    'bad',
    [
        detection('foot'),
        detection(''),
        detection(size=(0.0, 5.0)),
        detection(size=(np.nan, 5.0)),
        detection(score=1.5),
        detection(score=np.nan),
    ],
)
def test_a_bad_detection_is_left_out_and_the_others_stay(bad: SimpleNamespace) -> None:
    hands, problems = detections_from_message(SimpleNamespace(detections=[bad, detection()]))
    assert len(hands) == 1 and len(problems) == 1
    assert problems[0].startswith('detection 0:')


def test_detections_are_found_by_the_stamp_of_their_image() -> None:
    buffer = DetectionBuffer()
    buffer.add(5, ())
    assert buffer.wait_for(5, timeout=0.0) == ()
    assert buffer.wait_for(6, timeout=0.0) is None
    threading.Timer(0.05, buffer.add, [6, ()]).start()
    assert buffer.wait_for(6, timeout=10.0) == ()


def test_old_detections_are_forgotten() -> None:
    buffer = DetectionBuffer(capacity=3)
    for stamp in range(10):
        buffer.add(stamp, ())
    assert [buffer.wait_for(stamp, 0.0) for stamp in (6, 7, 8, 9)] == [None, (), (), ()]


def sides_of(*class_ids: str, **parameters: list[str]) -> list[HandSide]:
    values = {f'detections.{name}': value for name, value in parameters.items()}
    sides = sides_of_classes(from_values(NodeParameters, values).detections)
    message = SimpleNamespace(detections=[detection(class_id) for class_id in class_ids])
    return [hand.side for hand in detections_from_message(message, sides)[0]]


def test_the_usual_names_of_both_hands_are_understood() -> None:
    right = ('right', 'Right', 'RIGHT', ' right ', 'right_hand', 'Right Hand', 'right-hand', 'RightHand', 'hand_right')
    assert sides_of(*right) == [HandSide.RIGHT] * len(right)
    left = tuple(name.replace('right', 'left').replace('Right', 'Left').replace('RIGHT', 'LEFT') for name in right)
    assert sides_of(*left) == [HandSide.LEFT] * len(left)
    assert sides_of('0', '1', 'hand', 'person', 'rightmost', 'upright') == []


def test_other_class_ids_are_given_as_lists_in_place_of_the_usual_ones() -> None:
    assert sides_of('0', '1', 'left', left=['0'], right=['1', 'main droite']) == [HandSide.LEFT, HandSide.RIGHT]
    assert sides_of('Main_Droite', right=['main droite']) == [HandSide.RIGHT]


def test_a_class_id_that_would_be_both_hands_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"detections\.right: 'hand' is in detections\.left as well"):
        from_values(NodeParameters, {'detections.left': ['Hand'], 'detections.right': ['hand']})
    with pytest.raises(ParameterError, match=r'detections\.left: .* is not a list of texts'):
        from_values(NodeParameters, {'detections.left': 'hand'})
    with pytest.raises(ParameterError, match='not a list of texts'):
        from_values(NodeParameters, {'detections.left': [0, 1]})


@pytest.mark.parametrize(
    ('box', 'problem'),
    [
        ((100, 80, 190, 170), None),
        ((-30, -30, 20, 20), None),  # reaches in
        ((600, 300, 900, 900), None),
        ((0.46, 0.2, 0.7, 0.64), 'in fractions of the image'),
        ((373, 150, 374, 151), 'smaller than 12 pixels'),
        ((1900, 70, 2100, 230), 'outside of the image of 640 x 360 pixels'),
        ((-200, 70, -1, 230), 'outside'),
        ((100, 400, 200, 500), 'outside'),
    ],
)
def test_boxes_in_which_no_hand_can_be_are_named(box: tuple[float, ...], problem: str | None) -> None:
    good = HandDetection(np.array([10.0, 10.0, 60.0, 60.0]), HandSide.LEFT, 0.9)
    hands = (HandDetection(np.array(box, float), HandSide.RIGHT, 0.9), good)
    kept, problems = boxes_in_image(hands, 640, 360, smallest=12.0)
    if problem is None:
        assert kept == hands and problems == []
    else:
        assert kept == (good,)
        assert len(problems) == 1 and problem in problems[0]


def test_many_problems_are_told_in_few_words() -> None:
    assert told(['a', 'b', 'c']) == 'a; b; c'
    assert told(['a'] * 100_000) == 'a; a; a; and 99997 more'


def test_boxes_without_stamp_belong_to_the_image_that_came_before_them() -> None:
    buffer = DetectionBuffer()
    buffer.add(0, (), arrival_ns=500)
    assert buffer.wait_for(0, 0.0, arrived_after_ns=400) == ()
    assert buffer.wait_for(0, 0.0, arrived_after_ns=600) is None
    threading.Timer(0.05, buffer.add, [0, (), 700]).start()
    assert buffer.wait_for(0, 10.0, arrived_after_ns=600) == ()


@pytest.mark.parametrize(('offset_ms', 'words'), [(5, '5.000 ms later'), (-30, '30.000 ms earlier')])
def test_boxes_that_never_match_are_explained_by_the_difference_of_stamps(offset_ms: int, words: str) -> None:
    buffer = DetectionBuffer()
    for stamp in range(1000 * MS, 1400 * MS, 100 * MS):
        buffer.add(stamp + offset_ms * MS, ())
        assert buffer.wait_for(stamp, 0.0) is None
    assert buffer.missed == 4
    assert words in buffer.why_missed(1300 * MS, 0.1)
    buffer.add(1400 * MS, ())
    assert buffer.wait_for(1400 * MS, 0.0) == ()
    assert buffer.missed == 0


def test_boxes_that_come_too_late_or_not_at_all_are_told_apart() -> None:
    buffer = DetectionBuffer()
    assert buffer.wait_for(1000 * MS, 0.0) is None
    assert 'no boxes have come yet' in buffer.why_missed(1000 * MS, 0.1)
    buffer.add(0, ())
    assert 'no stamp' in buffer.why_missed(1000 * MS, 0.1)
    buffer.add(1000 * MS, ())  # after nobody waited for it any more
    assert buffer.wait_for(1100 * MS, 0.0) is None
    assert 'later than detections.wait, 0.1 s' in buffer.why_missed(1100 * MS, 0.1)
