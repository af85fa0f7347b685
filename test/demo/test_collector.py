"""The monitor's collector: messages in any order become one record per image."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hand3r_ros.geometry import Intrinsics, make_transform, unproject_depth
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.online.results import HandResult

pytest.importorskip('rclpy')
from hand3r_lab.demo import truth_messages
from hand3r_lab.demo.collector import Collector
from hand3r_lab.demo.run_picture import draw_run
from hand3r_lab.demo.summary import summarize
from hand3r_ros.node import messages, messages_hands, messages_scene, player_messages
from hand3r_ros.node.image_correction import mirrored_box, mirrored_calibration, mirrored_pixels
from hand3r_ros.node.lens import Calibration

CAMERA = Intrinsics(60.0, 60.0, 31.5, 23.5, 64, 48)
T_WORLD_CAMERA = make_transform([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]], [0.2, 0.1, 0.0])
STAMP = 1_500_000_000


def header(frame: str, stamp: int = STAMP) -> object:
    return messages.header(messages.time_from_nanoseconds(stamp), frame)


def hand_result(side: HandSide, box: tuple[float, float, float, float]) -> HandResult:
    keypoints = np.random.default_rng(3).normal([0.0, 0.0, 0.5], 0.03, (21, 3))
    vertices = np.random.default_rng(4).normal([0.0, 0.0, 0.5], 0.03, (778, 3))
    world = keypoints @ T_WORLD_CAMERA[:3, :3].T + T_WORLD_CAMERA[:3, 3]
    return HandResult(
        side=side,
        track_id=3,
        score=0.75,
        box=np.array(box),
        vertices_camera=vertices,
        keypoints_camera=keypoints,
        vertices_world=vertices @ T_WORLD_CAMERA[:3, :3].T + T_WORLD_CAMERA[:3, 3],
        keypoints_world=world,
        keypoints_image=np.ones((21, 2)),
        T_camera_wrist=np.eye(4),
        T_world_wrist=T_WORLD_CAMERA,
        global_orient=np.zeros(3),
        hand_pose=np.zeros(45),
        betas=np.zeros(10),
        translation=np.zeros(3),
    )


def give_image(collector: Collector, stamp: int = STAMP, level: int = 70) -> None:
    image = np.full((CAMERA.height, CAMERA.width, 3), level, np.uint8)
    collector.on_camera_info(messages_scene.camera_info(header('camera', stamp), CAMERA))
    collector.on_image(player_messages.rgb_image(header('camera', stamp), image))


def give_hands(collector: Collector, hand: HandResult, in_world: bool, stamp: int = STAMP) -> None:
    frame = 'world' if in_world else 'camera'
    array = messages_hands.hand_mesh_array(header(frame, stamp), [hand], 'open_hand', in_world)
    collector.on_hands(array, now_ns=stamp + 120_000_000)


@pytest.mark.parametrize('in_world', [True, False])
@pytest.mark.parametrize('pose_first', [True, False])
def test_hands_are_brought_into_the_camera_frame(in_world: bool, pose_first: bool) -> None:
    collector, hand = Collector(), hand_result(HandSide.LEFT, (5, 5, 30, 30))
    give_image(collector)
    pose = messages.pose_stamped(header('world'), T_WORLD_CAMERA)
    if pose_first:
        collector.on_camera_pose(pose)
    give_hands(collector, hand, in_world)
    if not pose_first:
        collector.on_camera_pose(pose)
    record = collector.run.at(STAMP)
    assert record.arrival_seconds == pytest.approx(0.12)
    assert record.hands is not None
    (seen,) = record.hands
    assert (seen.side, seen.track_id, seen.score) == (HandSide.LEFT, 3, 0.75)
    np.testing.assert_allclose(record.keypoints_camera(seen), hand.keypoints_camera, atol=1e-6)
    np.testing.assert_allclose(record.keypoints_world(seen), hand.keypoints_world, atol=1e-6)


@pytest.mark.parametrize('cloud_first', [True, False])
def test_depth_is_compared_where_both_know_it(cloud_first: bool) -> None:
    truth = np.full((CAMERA.height, CAMERA.width), 2.0, np.float32)
    truth[:, :32] = 0.0  # nothing to be seen on the left
    points = unproject_depth(np.full_like(truth, 2.2), CAMERA).reshape(-1, 3)
    cloud = messages_scene.point_cloud(header('camera'), points, np.zeros_like(points, np.uint8))
    depth = truth_messages.depth_image(header('camera'), truth)
    collector = Collector()
    give_image(collector)
    if cloud_first:
        collector.on_points(cloud)
    collector.on_true_depth(depth)
    if not cloud_first:
        collector.on_points(cloud)
    relative, within, count = collector.run.at(STAMP).depth_errors  # type: ignore[misc]
    assert relative == pytest.approx(0.1, abs=1e-5)
    assert (within, count) == (1.0, 32 * CAMERA.height)


def test_the_picture_is_taken_where_the_hands_are_seen_best() -> None:
    collector = Collector()
    boxes = [(5, 5, 10, 10), (10, 10, 40, 40), (50, 30, 63, 47)]  # small; large and whole; cut off
    for index, box in enumerate(boxes):
        give_image(collector, STAMP + index, level=50 * index)
        give_hands(collector, hand_result(HandSide.RIGHT, box), True, STAMP + index)
    assert collector.best_moment is not None
    stamp, image = collector.best_moment
    assert stamp == STAMP + 1 and int(image.mean()) == 50


def test_a_run_without_calibration_and_topology_gives_a_picture() -> None:
    collector = Collector()
    assert draw_run(collector, summarize(collector.run, None), '') is None
    give_image(collector)
    collector.intrinsics = None
    collector.on_camera_pose(messages.pose_stamped(header('world'), T_WORLD_CAMERA))
    give_hands(collector, hand_result(HandSide.RIGHT, (10, 10, 40, 40)), True)
    picture = draw_run(collector, summarize(collector.run, None), 'a video')
    assert picture is not None and picture.ndim == 3


def test_the_picture_of_a_mirrored_run_shows_the_real_world() -> None:
    def picture(mirrored_camera: bool, told: bool) -> np.ndarray:
        collector = Collector()
        give_image(collector)
        collector.on_camera_pose(messages.pose_stamped(header('world'), T_WORLD_CAMERA))
        hand, width = hand_result(HandSide.RIGHT, (5, 10, 30, 40)), CAMERA.width
        camera = dataclasses.replace(CAMERA, cx=20.0)
        collector.intrinsics = camera
        if mirrored_camera:
            pixels = mirrored_pixels(hand.keypoints_image, width)
            hand = dataclasses.replace(hand, box=mirrored_box(hand.box, width), keypoints_image=pixels)
            collector.intrinsics = mirrored_calibration(Calibration(camera)).intrinsics
        give_hands(collector, hand, True)
        drawn = draw_run(collector, summarize(collector.run, None), '', mirrored=told)
        assert drawn is not None
        return drawn

    straight = picture(mirrored_camera=False, told=False)
    np.testing.assert_array_equal(picture(mirrored_camera=True, told=True), straight)
    assert (picture(mirrored_camera=True, told=False) != straight).any()
