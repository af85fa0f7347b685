"""What the online reconstruction says of a frame: hands, map, cameras."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from session_helpers import send
from truth_network import FRAME_NS, camera_frame, depth_at_network, make_reconstructor, play

from hand3r_ros.geometry import invert_transform, transform_points
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.online.config import MapConfig, SmoothingConfig
from hand3r_ros.online.errors import FrameRejected
from hand3r_ros.online.preparation import ImageGeometry
from hand3r_ros.online.results import HandDetection, TrackingState


def test_results_describe_the_frame(two_hands):
    results = play(make_reconstructor(), two_hands[:3])
    assert [r.frame_index for r in results] == [0, 1, 2]
    assert [r.stamp_ns for r in results] == [0, FRAME_NS, 2 * FRAME_NS]
    assert {r.session_id for r in results} == {1}
    last, truth = results[-1], two_hands[2]
    geometry = ImageGeometry.for_image(448, 320, 224)
    assert last.state == TrackingState.OK
    assert last.points_camera.shape == (160, 224, 3)
    assert last.confidence.shape == last.hand_mask.shape == (160, 224)
    assert last.colors.shape == (160, 224, 3)
    assert last.intrinsics == geometry.intrinsics_to_network(truth.intrinsics)
    assert np.allclose(last.points_camera[..., 2], depth_at_network(truth, geometry), atol=1e-5)
    assert np.abs(last.colors.astype(int) - truth.image[::2, ::2]).mean() < 6.0
    assert last.seconds.network > 0.0


def test_hands_in_world_and_camera_are_the_same_hands(two_hands):
    for result in play(make_reconstructor(), two_hands[:4]):
        for hand in result.hands:
            assert np.allclose(transform_points(result.T_world_camera, hand.vertices_camera), hand.vertices_world)
            assert np.allclose(transform_points(result.T_world_camera, hand.keypoints_camera), hand.keypoints_world)
            assert np.allclose(result.T_world_camera @ hand.T_camera_wrist, hand.T_world_wrist)


def test_ids_last_through_a_sequence(two_hands):
    ids = {(hand.side, hand.track_id) for r in play(make_reconstructor(), two_hands) for hand in r.hands}
    assert len(ids) == 2


def test_the_mask_covers_the_visible_hands(two_hands):
    result = play(make_reconstructor(), two_hands[:1])[0]
    segmentation = two_hands[0].segmentation[::2, ::2]
    for hand in two_hands[0].hands:
        if hand.visible_fraction > 0.5:
            visible = segmentation == hand.instance_id
            assert np.count_nonzero(result.hand_mask & visible) > 0.8 * np.count_nonzero(visible)


def map_pixels(reconstructor, result):
    """Network pixels (N, 2) of all map points as the frame of ``result`` sees them."""
    points = transform_points(invert_transform(result.T_world_camera), reconstructor.map.snapshot().points)
    camera = result.intrinsics
    pixels = points[:, :2] / points[:, 2:] * [camera.fx, camera.fy] + [camera.cx, camera.cy]
    return np.rint(pixels).astype(int), points[:, 2]


def test_the_map_lies_on_the_true_surfaces_and_leaves_hands_out(two_hands):
    reconstructor = make_reconstructor(map=MapConfig(min_confidence=2.0, voxel_size=0.005))
    result = play(reconstructor, two_hands[:1])[0]
    pixels, depth = map_pixels(reconstructor, result)
    truth = depth_at_network(two_hands[0], ImageGeometry.for_image(448, 320, 224))
    assert len(pixels) > 3000
    assert np.median(np.abs(truth[pixels[:, 1], pixels[:, 0]] - depth)) < 0.003
    # A voxel's mean lies between its pixels, so that its own pixel may just touch a hand's.
    hands = two_hands[0].segmentation[::2, ::2]
    on_hand = np.isin(hands[pixels[:, 1], pixels[:, 0]], [h.instance_id for h in two_hands[0].hands])
    assert on_hand.mean() < 0.002
    keeping = make_reconstructor(map=MapConfig(min_confidence=2.0, voxel_size=0.005, exclude_hands=False))
    play(keeping, two_hands[:1])
    assert len(keeping.map) > len(reconstructor.map) + 200


def test_the_map_stays_within_its_limit_and_can_be_switched_off(two_hands):
    small = make_reconstructor(map=MapConfig(min_confidence=2.0, voxel_size=0.005, max_points=1500))
    for start in range(0, 30, 6):
        play(small, two_hands[:6], start=start)
        assert 0 < len(small.map) <= 1500
    off = make_reconstructor(map=MapConfig(enabled=False))
    play(off, two_hands[:2])
    assert len(off.map) == 0


def test_frames_without_hands_work(two_hands):
    reconstructor = make_reconstructor()
    for detections in (None, ()):
        result = send(reconstructor, two_hands[0], 0 if detections is None else 1, detections=detections)
        assert result.hands == ()
        assert not result.hand_mask.any()
        assert result.state == TrackingState.OK


def test_many_hands_are_limited_to_the_best(two_hands):
    rendered = two_hands[0]
    sides = [hand.side for hand in rendered.hands]
    many = tuple(
        HandDetection(np.array([8.0 + 40 * i, 8, 40 + 40 * i, 60]), sides[i % len(sides)], 0.5 + 0.04 * i)
        for i in range(10)
    )
    for limit in (0, 1, 3):
        result = send(make_reconstructor(max_hands=limit), rendered, 0, detections=many)
        assert [round(hand.score, 2) for hand in result.hands] == [0.86, 0.82, 0.78][:limit]


def test_uncalibrated_cameras_are_estimated_and_said_so(two_hands):
    reconstructor = make_reconstructor()
    results = play(reconstructor, two_hands[:3], intrinsics=None)
    truth = ImageGeometry.for_image(448, 320, 224).intrinsics_to_network(two_hands[0].intrinsics)
    assert {r.state for r in results} == {TrackingState.UNCALIBRATED}
    assert results[-1].intrinsics.fx == pytest.approx(truth.fx, rel=0.03)
    configured = play(make_reconstructor(fallback_focal_px=500.0), two_hands[:1], intrinsics=None)[0]
    assert configured.intrinsics.fx == pytest.approx(250.0)
    assert configured.state == TrackingState.UNCALIBRATED


def test_points_of_a_calibrated_camera_lie_on_its_rays(two_hands):
    reconstructor = make_reconstructor()
    network = reconstructor.network
    step = network.step

    def too_wide(state, frame, boxes, scene=None):
        state, prediction = step(state, frame, boxes)
        points = prediction.scene.points_self * torch.tensor([1.2, 1.2, 1.0])
        return state, replace(prediction, scene=replace(prediction.scene, points_self=points))

    network.step = too_wide
    result = play(reconstructor, two_hands[:1])[0]
    u = np.indices(result.confidence.shape)[1]
    x = (u - result.intrinsics.cx) / result.intrinsics.fx * result.points_camera[..., 2]
    assert np.allclose(result.points_camera[..., 0], x, atol=1e-5)


def test_smoothing_carries_whole_hands_and_needs_a_second_frame(two_hands):
    plain = play(make_reconstructor(), two_hands[:6])
    slow = SmoothingConfig(enabled=True, min_cutoff=0.5, beta=0.0)
    smooth = play(make_reconstructor(smoothing=slow), two_hands[:6])
    for a, b in zip(plain[0].hands, smooth[0].hands, strict=True):
        assert np.allclose(a.vertices_world, b.vertices_world, atol=1e-6)
    moved = []
    for a, b in zip(plain[-1].hands, smooth[-1].hands, strict=True):
        moved.append(np.linalg.norm(a.T_world_wrist[:3, 3] - b.T_world_wrist[:3, 3]))
        wrist, keypoint = b.T_world_wrist[:3, 3], b.keypoints_world[0]
        assert np.allclose(wrist, keypoint, atol=1e-6)
        span = np.linalg.norm(a.vertices_world[0] - a.vertices_world[700])
        assert np.linalg.norm(b.vertices_world[0] - b.vertices_world[700]) == pytest.approx(span)
    assert max(moved) > 1e-3


def test_boxes_are_bridged_when_the_detector_is_silent(two_hands):
    reconstructor = make_reconstructor(tracking=replace(make_reconstructor().config.tracking, timeout=0.35))
    first = send(reconstructor, two_hands[0], 0)
    ids = {(hand.side, hand.track_id) for hand in first.hands}
    for index in (1, 2, 3):
        result = send(reconstructor, two_hands[index], index, detections=None)
        assert {(hand.side, hand.track_id) for hand in result.hands} <= ids
        assert result.seen_hands
    assert send(reconstructor, two_hands[4], 4, detections=None).seen_hands == ()


def test_hands_at_the_image_border_and_tiny_boxes_do_no_harm(two_hands):
    side = two_hands[0].hands[0].side
    for box in (
        [-100, -100, 30, 30],
        [430, 300, 600, 500],
        [0, 0, 447, 319],
        [200, 100, 201, 300],
        [-900, 0, 1500, 319],
    ):
        detections = (HandDetection(np.array(box, float), HandSide(side), 0.9),)
        result = send(make_reconstructor(), two_hands[0], 0, detections=detections)
        assert np.isfinite(result.points_camera).all()


def test_a_camera_that_is_too_elongated_is_refused(two_hands):
    frame = camera_frame(two_hands[0], 0, image=np.zeros((40, 2000, 3), np.uint8), intrinsics=None)
    with pytest.raises(FrameRejected, match='too elongated'):
        make_reconstructor().process(frame)
