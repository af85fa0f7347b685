"""The side of a tracked hand is decided over time: a wrong label gives neither a new id nor a mirrored hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from session_helpers import send
from truth_network import camera_frame, make_reconstructor, play

from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.online.config import SmoothingConfig, TrackingConfig
from hand3r_ros.online.results import HandDetection
from hand3r_ros.online.tracking import HandObservation, HandTracker

LEFT, RIGHT = HandSide.LEFT, HandSide.RIGHT
DEPTH = 0.6  # m
Paths = dict[HandSide, Callable[[float], tuple[float, float]]]
"""Where each hand is, m, at a time in seconds."""


def detection(x: float, y: float, label: HandSide, score: float = 0.9) -> HandDetection:
    u, v = 320 + 500 * x / DEPTH, 240 + 500 * y / DEPTH
    return HandDetection(np.array([u - 60, v - 70, u + 60, v + 70]), label, score)


def follow(tracker: HandTracker, hands: list[tuple[float, float, HandSide]], stamp_ns: int, score: float = 0.9):
    """Sides and ids after one frame with these places and labels."""
    found = [detection(x, y, label, score) for x, y, label in hands]
    settled = tracker.settle_sides(found, stamp_ns)
    observations = [
        HandObservation(side.side, hand.box, np.array([x, y, DEPTH]), hand.track_id, side)
        for side, hand, (x, y, _) in zip(settled, found, hands, strict=True)
    ]
    return [side.side for side in settled], tracker.update(observations, stamp_ns)


def film(paths: Paths, rate: float, seed: int, seconds: float = 6.0, wrong: float = 0.2, one_at_a_time: bool = False):
    """Ids by true side and the share of wrong sides, with labels flipped at random and detections in any order."""
    rng = np.random.default_rng(seed)
    tracker, ids, mistakes = HandTracker(TrackingConfig(), 2), {side: set() for side in paths}, []
    for index in range(int(seconds * rate)):
        flips = {side: index > 0 and rng.random() < wrong for side in paths}
        if one_at_a_time and all(flips.values()):
            flips[LEFT] = False
        true_sides = list(rng.permutation(list(paths)))
        hands = []
        for side in true_sides:
            x, y = paths[HandSide(side)](index / rate) + rng.normal(0.0, 0.004, 2)
            hands.append((x, y, HandSide(1 - side if flips[HandSide(side)] else side)))
        sides, track_ids = follow(tracker, hands, int(index / rate * 1e9))
        for true, side, track_id in zip(true_sides, sides, track_ids, strict=True):
            ids[HandSide(true)].add(track_id)
            mistakes.append(side != true)
    return ids, float(np.mean(mistakes))


WAVING: Paths = {RIGHT: lambda t: (0.3 * np.sin(9.0 * t), 0.05 * np.cos(2.0 * t))}
APART: Paths = {LEFT: lambda t: (-0.15, 0.0), RIGHT: lambda t: (0.15, 0.05 * np.sin(2 * t))}
CROSSING: Paths = {LEFT: lambda t: (-0.2 * np.cos(3 * t), 0.08), RIGHT: lambda t: (0.2 * np.cos(3 * t), -0.08)}


@pytest.mark.parametrize('rate', [3.0, 10.0, 30.0])
@pytest.mark.parametrize('seed', range(5))
def test_wrong_labels_in_a_fifth_of_the_frames_change_neither_id_nor_side(rate: float, seed: int) -> None:
    ids, mistakes = film(WAVING, rate, seed)
    assert ids == {RIGHT: {1}}
    assert mistakes == 0.0


@pytest.mark.parametrize('rate', [10.0, 30.0])
@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('paths', [APART, CROSSING], ids=['apart', 'crossing'])
def test_two_hands_keep_their_ids_under_wrong_labels(paths: Paths, rate: float, seed: int) -> None:
    ids, mistakes = film(paths, rate, seed)
    assert sorted(map(len, ids.values())) == [1, 1] and ids[LEFT] != ids[RIGHT]
    assert mistakes == 0.0


@pytest.mark.parametrize('rate', [3.0, 10.0, 30.0])
def test_right_labels_carry_two_hands_through_a_fast_crossing_at_one_place(rate: float) -> None:
    """Nearly the same place, and at 3 Hz they jump by twice their size: only the labels tell them apart."""
    fast: Paths = {LEFT: lambda t: (-0.2 * np.cos(5 * t), 0.02), RIGHT: lambda t: (0.2 * np.cos(5 * t), -0.02)}
    for seed in range(3):
        ids, mistakes = film(fast, rate, seed, wrong=0.0)
        assert sorted(map(len, ids.values())) == [1, 1] and ids[LEFT] != ids[RIGHT]
        assert mistakes == 0.0


def test_a_hand_that_is_the_other_one_changes_its_side_after_sustained_labels_and_keeps_its_id() -> None:
    tracker = HandTracker(TrackingConfig(), 2)
    for index in range(50):
        follow(tracker, [(0.0, 0.0, LEFT)], index * 100_000_000)
    sides = [follow(tracker, [(0.0, 0.0, RIGHT)], (50 + index) * 100_000_000) for index in range(12)]
    labelled = [side for (side,), _ in sides]
    assert {ids for _, ids in sides} == {(1,)}
    assert labelled == sorted(labelled) and labelled[:5] == [LEFT] * 5 and labelled[-1] == RIGHT  # once, for good
    assert follow(tracker, [(0.0, 0.0, LEFT)], 70 * 100_000_000)[0] == [RIGHT]


def test_a_wrong_first_label_is_put_right_after_a_few() -> None:
    tracker = HandTracker(TrackingConfig(), 2)
    follow(tracker, [(0.0, 0.0, LEFT)], 0)
    sides = [follow(tracker, [(0.0, 0.0, RIGHT)], index * 100_000_000)[0][0] for index in range(1, 6)]
    assert sides[0] == LEFT and sides[-1] == RIGHT


def test_labels_count_as_much_as_their_scores() -> None:
    def labels_to_change(score: float) -> int:
        tracker = HandTracker(TrackingConfig(), 2)
        for index in range(20):
            follow(tracker, [(0.0, 0.0, LEFT)], index * 100_000_000)
        for count in range(1, 100):
            if follow(tracker, [(0.0, 0.0, RIGHT)], (20 + count) * 100_000_000, score)[0] == [RIGHT]:
                return count
        return 100

    assert labels_to_change(0.5) > 1.5 * labels_to_change(1.0)


def test_another_hand_that_comes_after_one_has_gone_is_another_hand() -> None:
    tracker = HandTracker(TrackingConfig(), 2)
    for index in range(20):
        follow(tracker, [(0.0, 0.0, LEFT)], index * 100_000_000)
    for index in range(20, 28):
        follow(tracker, [], index * 100_000_000)
    assert follow(tracker, [(0.02, 0.0, RIGHT)], 28 * 100_000_000) == ([RIGHT], (2,))


def test_boxes_that_are_only_followed_say_nothing_about_the_side() -> None:
    tracker = HandTracker(TrackingConfig(), 2)
    follow(tracker, [(0.0, 0.0, LEFT)], 0)
    for index in range(1, 20):
        (settled,) = tracker.settle_sides([replace(detection(0.0, 0.0, LEFT), side_seen=False)], index * 100_000_000)
        hand = HandObservation(settled.side, detection(0.0, 0.0, LEFT).box, np.array([0, 0, DEPTH]), -1, settled)
        tracker.update([hand], index * 100_000_000)
    sides = [follow(tracker, [(0.0, 0.0, RIGHT)], (20 + index) * 100_000_000)[0][0] for index in range(5)]
    assert sides[-1] == RIGHT


def flipped(rendered, index: int) -> tuple[HandDetection, ...]:
    """The hands of a rendered frame, the side of one of them wrong."""
    hands = camera_frame(rendered, index).detections or ()
    return tuple(
        replace(hand, side=HandSide(1 - hand.side)) if number == index % 2 else hand
        for number, hand in enumerate(hands)
    )


def test_meshes_are_not_mirrored_in_frames_with_a_wrong_label(two_hands) -> None:
    expected = play(make_reconstructor(), two_hands)
    reconstructor = make_reconstructor()
    for index, rendered in enumerate(two_hands):
        changes = {'detections': flipped(rendered, index)} if index % 4 == 3 else {}
        found = send(reconstructor, rendered, index, **changes)
        assert len(found.hands) == len(expected[index].hands) == 2
        for hand, same in zip(found.hands, expected[index].hands, strict=True):
            assert (hand.side, hand.track_id) == (same.side, same.track_id)
            np.testing.assert_allclose(hand.vertices_world, same.vertices_world, atol=1e-6)


def test_the_evidence_is_saved_and_restored_with_the_session(two_hands, tmp_path) -> None:
    """Labels before and after a restart add up as if there had been none."""

    def wrong(rendered, index):
        hands = camera_frame(rendered, index).detections or ()
        return tuple(replace(hand, side=LEFT) for hand in hands if hand.side == RIGHT)

    def labels_until_left(restart_after: int) -> int:
        reconstructor, rendered = make_reconstructor(), two_hands[0]
        for index in range(4):
            right = tuple(h for h in camera_frame(rendered, index).detections or () if h.side == RIGHT)
            send(reconstructor, rendered, index, detections=right)
        for count in range(1, 30):
            if send(reconstructor, rendered, 3 + count, detections=wrong(rendered, count)).hands[0].side == LEFT:
                return count
            if count == restart_after:
                reconstructor.save_state(tmp_path / 'state.safetensors')
                reconstructor = make_reconstructor()
                reconstructor.network.frame = rendered
                reconstructor.load_state(tmp_path / 'state.safetensors')
        return 30

    assert 4 < labels_until_left(restart_after=-1) == labels_until_left(restart_after=3) < 12


def test_the_smoother_begins_anew_where_a_hand_changes_its_side(two_hands) -> None:
    """The axes of a left and a right wrist point in different directions: no way leads from one to the other."""
    rendered = two_hands[0]
    smoothed = make_reconstructor(smoothing=SmoothingConfig(enabled=True, min_cutoff=0.05, beta=0.0))
    plain = make_reconstructor()
    for index in range(12):
        hands = camera_frame(rendered, index).detections or ()
        label = RIGHT if index < 4 else LEFT
        only = tuple(replace(hand, side=label) for hand in hands if hand.side == RIGHT)
        one, other = (send(r, rendered, index, detections=only).hands[0] for r in (smoothed, plain))
        assert one.side == other.side and one.track_id == other.track_id == 1
    assert one.side == LEFT
    np.testing.assert_allclose(one.T_world_wrist[:3, :3], other.T_world_wrist[:3, :3], atol=1e-3)
