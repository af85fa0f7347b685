"""Tracked hands that are missed for a moment are predicted, marked as that, and come back as the same hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from session_helpers import send
from truth_network import camera_frame, make_reconstructor

from hand3r_ros.geometry import transform_points
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.online.config import TrackingConfig
from hand3r_ros.online.results import ArticulationSource


def only(side, rendered, index):
    """The detections of a frame of which those of the other side are missed; None: all are."""
    chosen = [hand for hand in rendered.hands if hand.side == side]
    found = camera_frame(rendered, index).detections
    return tuple(hand for hand in found if any(np.array_equal(hand.box, other.box) for other in chosen))


def test_a_hand_that_is_missed_once_is_predicted_and_comes_back_as_the_same_hand(two_hands):
    reconstructor = make_reconstructor()
    before = [send(reconstructor, two_hands[index], index) for index in range(3)][-1]
    ids = {hand.side: hand.track_id for hand in before.hands}
    missed = send(reconstructor, two_hands[3], 3, detections=only(HandSide.RIGHT, two_hands[3], 3))
    seen, predicted = missed.hands
    assert (seen.side, seen.is_seen) == (HandSide.RIGHT, True)
    assert (predicted.side, predicted.is_seen, predicted.unseen_seconds) == (HandSide.LEFT, False, pytest.approx(0.1))
    assert predicted.articulation == ArticulationSource.PREDICTED
    assert predicted.keypoint_confidence.tolist() == [0.0] * 21
    assert predicted.score == pytest.approx(0.45)
    (truth,) = (hand for hand in two_hands[3].hands if hand.side == HandSide.LEFT)
    assert np.linalg.norm(predicted.keypoints_camera - truth.keypoints_camera, axis=1).mean() < 0.04
    after = send(reconstructor, two_hands[4], 4)
    assert {hand.side: hand.track_id for hand in after.hands} == ids
    assert {hand.side: hand.track_id for hand in missed.hands} == ids
    assert all(hand.is_seen and hand.score == pytest.approx(0.9) for hand in after.hands)
    assert missed.seen_hands == (seen,)


@pytest.mark.parametrize(('longest', 'images'), [(0.0, 0), (0.1, 1), (0.2, 2), (0.35, 3)])
def test_nothing_is_predicted_longer_than_asked_for(two_hands, longest, images):
    reconstructor = make_reconstructor(tracking=TrackingConfig(max_prediction=longest))
    for index in range(2):
        send(reconstructor, two_hands[index], index)
    results = [send(reconstructor, two_hands[index], index, detections=()) for index in range(2, 7)]
    assert [len(result.hands) for result in results] == [2] * images + [0] * (5 - images)
    scores = [max(hand.score for hand in result.hands) for result in results[:images]]
    assert scores == pytest.approx([0.9 * 0.5 ** (1 + step) for step in range(images)])
    unseen = [hand.unseen_seconds for result in results for hand in result.hands]
    assert max(unseen, default=0.0) <= longest + 1e-6


def test_all_that_is_said_of_a_predicted_hand_belongs_together(two_hands):
    reconstructor = make_reconstructor()
    first = [send(reconstructor, two_hands[index], index) for index in range(3)][-1]
    result = send(reconstructor, two_hands[3], 3, detections=())
    T_world_camera, camera = result.T_world_camera, two_hands[3].intrinsics
    for hand in result.hands:
        (before,) = (other for other in first.hands if other.track_id == hand.track_id)
        vertices_world = transform_points(T_world_camera, hand.vertices_camera)
        np.testing.assert_allclose(vertices_world, hand.vertices_world, atol=1e-6)
        np.testing.assert_allclose(T_world_camera @ hand.T_camera_wrist, hand.T_world_wrist, atol=1e-9)
        np.testing.assert_allclose(hand.T_camera_wrist[:3, 3], hand.keypoints_camera[0], atol=1e-5)
        seen = hand.keypoints_camera[:, :2] / hand.keypoints_camera[:, 2:] * (camera.fx, camera.fy)
        np.testing.assert_allclose(seen + np.array([camera.cx, camera.cy]), hand.keypoints_image, atol=1e-3)
        resting_before = before.T_camera_wrist[:3, 3] - before.translation
        np.testing.assert_allclose(hand.T_camera_wrist[:3, 3] - hand.translation, resting_before, atol=1e-9)
        np.testing.assert_array_equal(hand.hand_pose, before.hand_pose)
        hand.check()


def test_there_is_no_prediction_where_another_hand_was_found_or_no_room_is_left(two_hands):
    reconstructor = make_reconstructor()
    (left,), (right,) = (only(side, two_hands[0], 0) for side in HandSide)
    (first,) = send(reconstructor, two_hands[0], 0, detections=(replace(left, track_id=7),)).hands
    (other,) = send(reconstructor, two_hands[0], 1, detections=(replace(left, track_id=8),)).hands
    assert other.is_seen and other.track_id != first.track_id
    alone = make_reconstructor(max_hands=1)
    send(alone, two_hands[0], 0, detections=(left,))
    (only_hand,) = send(alone, two_hands[0], 1, detections=(right,)).hands
    assert only_hand.is_seen


def test_a_session_saved_with_a_predicted_hand_goes_on_with_it(two_hands, tmp_path):
    whole = make_reconstructor()
    for index in range(3):
        send(whole, two_hands[index], index)
    send(whole, two_hands[3], 3, detections=())
    whole.save_state(tmp_path / 'state.safetensors')
    expected = send(whole, two_hands[4], 4, detections=()).hands
    loaded = make_reconstructor()
    loaded.load_state(tmp_path / 'state.safetensors', after_a_pause=False)
    found = send(loaded, two_hands[4], 4, detections=()).hands
    assert [hand.unseen_seconds for hand in found] == [hand.unseen_seconds for hand in expected] == [0.2, 0.2]
    for hand, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(hand.vertices_world, other.vertices_world)
