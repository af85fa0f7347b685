"""Frames with things that are wrong: refused, counted and named, or with a well-defined result."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from session_helpers import send, state_of
from truth_network import camera_frame, make_reconstructor, play

from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.online.errors import FrameRejected
from hand3r_ros.online.results import HandDetection, TrackingState

NAN = float('nan')


def hand(box, side=HandSide.LEFT, score=0.9):
    return HandDetection(np.array(box), side, score)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'stamp_ns': 1.5e9}, r'stamp_ns must be whole nanoseconds, got 1500000000\.0'),
        ({'stamp_ns': NAN}, 'stamp_ns must be whole nanoseconds, got nan'),
        ({'stamp_ns': None}, 'stamp_ns must be whole nanoseconds, got None'),
        ({'detections': (hand([1.0, 2.0, 3.0]),)}, 'detections must have a box of 4 numbers'),
        ({'detections': (hand(['a', 'b', 'c', 'd']),)}, 'detections must have a box of 4 numbers'),
        ({'detections': (hand([10, 10, 90, 90], side=7),)}, 'detections must have .* a HandSide'),
        ({'detections': (hand([10, 10, 90, 90], score=None),)}, 'detections must have .* a score'),
        ({'detections': ('left',)}, "detections must have .* got 'left'"),
    ],
)
def test_what_cannot_be_read_is_named_and_counted(two_hands, changes, message):
    reconstructor = make_reconstructor()
    play(reconstructor, two_hands[:1])
    before = state_of(reconstructor)
    with pytest.raises(FrameRejected, match=message):
        reconstructor.process(replace(camera_frame(two_hands[1], 1), **changes))
    assert state_of(reconstructor) == before
    assert reconstructor.refused_frames == 1
    assert send(reconstructor, two_hands[1], 1).frame_index == 1
    assert reconstructor.refused_frames == 1


@pytest.mark.parametrize(
    'detection',
    [
        hand([NAN, 10.0, 90.0, 90.0]),
        hand([10.0, 10.0, float('inf'), 90.0]),
        hand([100.0, 100.0, 100.0, 100.0]),
        hand([100.0, 100.0, 160.0, 100.0]),
        hand([160.0, 160.0, 100.0, 100.0]),
        hand([5000.0, 100.0, 5100.0, 200.0]),
        hand([10.0, 10.0, 90.0, 90.0], score=NAN),
    ],
)
def test_boxes_that_show_nothing_are_left_out(two_hands, detection):
    reconstructor = make_reconstructor()
    result = send(reconstructor, two_hands[0], 0, detections=(detection,))
    assert (result.hands, result.state) == ((), TrackingState.OK)
    both = (*camera_frame(two_hands[1], 1).detections, detection)
    assert len(send(reconstructor, two_hands[1], 1, detections=both).hands) == 2


def test_images_need_not_own_their_memory(two_hands):
    expected = play(make_reconstructor(), two_hands[:1])[0]
    image = two_hands[0].image
    turned = np.asfortranarray(image)
    wide = np.zeros((image.shape[0], image.shape[1] + 9, 3), np.uint8)
    wide[:, 4:-5] = image
    view = wide[:, 4:-5]
    view.flags.writeable = False
    for same in (turned, view):
        result = send(make_reconstructor(), two_hands[0], 0, image=same)
        np.testing.assert_array_equal(result.colors, expected.colors)
        np.testing.assert_array_equal(result.points_camera, expected.points_camera)
