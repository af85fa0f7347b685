"""The camera player as its own process: what subscribers receive of rendered scenes, videos and bad sources."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import PoseStamped
from harness import Client, stamp_of
from ros_domain import private_domain, release_domain
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import UInt32
from vision_msgs.msg import Detection2DArray

from hand3r_lab.scenes.sequence import SceneConfig, Sequence
from hand3r_msgs.msg import HandMesh, HandMeshArray
from hand3r_ros.geometry import project_points
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.node import messages, messages_hands
from hand3r_ros.node.calibration import intrinsics_from_camera_info
from hand3r_ros.node.detections import detections_from_message
from hand3r_ros.node.image_decoding import decode_compressed_image, decode_image

SEED, WIDTH, HEIGHT, FRAMES, RATE = 200_000_011, 160, 120, 4, 10.0
TOPICS = {
    'image': Image,
    'image/compressed': CompressedImage,
    'camera_info': CameraInfo,
    'detections': Detection2DArray,
    'ground_truth/hands': HandMeshArray,
    'ground_truth/camera_pose': PoseStamped,
    'ground_truth/depth': Image,
}
FINISHED = 'finished'
FAKE_WEBCAM = Path(__file__).with_name('fake_webcam.py')


def command(parameters: dict[str, Any], webcam: bool = False) -> list[str]:
    words = [word for name, value in parameters.items() for word in ('-p', f'{name}:={value}')]
    module = 'hand3r_ros.node.camera_player' if 'source' in parameters else 'hand3r_lab.demo.rendered_camera'
    program = [str(FAKE_WEBCAM)] if webcam else ['-m', module]
    return [sys.executable, *program, '--ros-args', *words]


@pytest.fixture(scope='module')
def play() -> Iterator[Callable[[dict[str, Any]], tuple[dict[str, list[Any]], int]]]:
    """Runs a player to its end; gives everything that was received by topic, and its exit code."""
    domain = private_domain()
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain)

    def run(parameters: dict[str, Any], webcam: bool = False) -> tuple[dict[str, list[Any]], int]:
        client = Client(context)
        for topic, message_type in TOPICS.items():
            client.record(message_type, topic)
        finished = '/camera_player/finished' if 'source' in parameters else '/rendered_camera/finished'
        client.record(UInt32, finished, latched=True)
        environment = {**os.environ, 'ROS_DOMAIN_ID': str(domain)}
        with subprocess.Popen(command(parameters, webcam), env=environment) as process:
            try:
                client.wait(lambda: client.received[finished], 'the end of the stream', timeout=120.0)
                code = process.wait(timeout=30.0)
            finally:
                process.kill()
        received = {**client.received, FINISHED: client.received[finished]}
        client.close()
        return received, code

    yield run
    rclpy.shutdown(context=context)
    release_domain(domain)


@pytest.fixture(scope='module')
def scene(play: Callable[[dict[str, Any]], tuple[dict[str, list[Any]], int]]) -> dict[str, list[Any]]:
    parameters = {'seed': SEED, 'width': WIDTH, 'height': HEIGHT, 'frames': FRAMES, 'fps': RATE}
    received, code = play({**parameters, 'compressed': True, 'wait_for_recorder': True, 'start_delay': 0.3})
    assert code == 0
    return received


@pytest.fixture(scope='module')
def truth() -> Sequence:
    return Sequence(SEED, SceneConfig(width=WIDTH, height=HEIGHT, frames=FRAMES, fps=RATE, hands='both'))


def test_every_topic_brings_every_frame_with_the_same_stamp(scene: dict[str, list[Any]]) -> None:
    stamps = [stamp_of(message) for message in scene['image']]
    assert len(stamps) == FRAMES == scene[FINISHED][0].data
    assert (np.diff(stamps) > 0).all()
    for topic in TOPICS:
        assert [stamp_of(message) for message in scene[topic]] == stamps, topic
    frames = {m.header.frame_id for topic in TOPICS if topic != 'ground_truth/camera_pose' for m in scene[topic]}
    assert frames == {'camera_optical_frame'}


def test_images_and_calibration_are_those_of_the_scene(scene: dict[str, list[Any]], truth: Sequence) -> None:
    for index in range(FRAMES):
        rendered = truth.frame(index)
        assert_rendered_alike(decode_image(scene['image'][index]), rendered.image, 2)
        assert intrinsics_from_camera_info(scene['camera_info'][index], rectified=False) == rendered.intrinsics
        pose = messages.matrix_from_pose(scene['ground_truth/camera_pose'][index].pose)
        np.testing.assert_allclose(pose, rendered.T_world_camera, atol=1e-6)
        compressed = decode_compressed_image(scene['image/compressed'][index]).astype(float)
        assert np.abs(compressed - rendered.image).mean() < 6.0


def assert_rendered_alike(found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    """Two processes may round differently, so a pixel on an edge may show what is before or behind it."""
    assert found.shape == expected.shape
    assert np.mean(np.abs(found.astype(float) - expected) > tolerance) < 0.002


def test_true_depth_marks_pixels_that_see_nothing(scene: dict[str, list[Any]], truth: Sequence) -> None:
    message = scene['ground_truth/depth'][1]
    depth = np.frombuffer(message.data, '<f4').reshape(message.height, message.width)
    expected = truth.frame(1).depth
    assert_rendered_alike(np.isnan(depth), expected <= 0.0, 0.5)
    assert_rendered_alike(np.nan_to_num(depth), expected, 1e-4)


def test_boxes_hold_the_keypoints_of_the_true_hands(scene: dict[str, list[Any]]) -> None:
    seen = 0
    for detections, hands in zip(scene['detections'], scene['ground_truth/hands'], strict=True):
        found, problems = detections_from_message(detections)
        assert not problems
        visible = {hand.side: hand for hand in hands.hands if hand.score >= 0.25}
        assert {int(detection.side) for detection in found} == set(visible)
        for detection in found:
            hand = visible[int(detection.side)]
            assert detection.track_id == hand.track_id
            pixels = messages_hands.points_of(hand.keypoints_2d, 2)
            inside_image = ((pixels >= 0.0) & (pixels <= [WIDTH - 1, HEIGHT - 1])).all(1)
            low, high = detection.box[:2], detection.box[2:]
            margin = 0.05 * (high - low).max()  # joints lie inside the hand, but its box ends at the image's border
            assert ((pixels >= low - margin) & (pixels <= high + margin)).all(1)[inside_image].all()
            seen += int(inside_image.sum())
    assert seen > 40


def test_true_hands_agree_with_themselves_and_with_the_calibration(scene: dict[str, list[Any]]) -> None:
    for info, hands in zip(scene['camera_info'], scene['ground_truth/hands'], strict=True):
        intrinsics = intrinsics_from_camera_info(info, rectified=False)
        assert intrinsics is not None and hands.hands
        for hand in hands.hands:
            assert hand.hand_model == 'open_hand'
            keypoints = messages_hands.points_of(hand.keypoints)
            pixels = messages_hands.points_of(hand.keypoints_2d, 2)
            np.testing.assert_allclose(project_points(keypoints, intrinsics), pixels, atol=0.01)
            wrist = hand.wrist.position
            np.testing.assert_allclose(keypoints[0], [wrist.x, wrist.y, wrist.z], atol=1e-5)


def test_parameters_of_true_hands_give_their_vertices(scene: dict[str, list[Any]]) -> None:
    from scipy.spatial.transform import Rotation

    from hand3r_ros.hand_model.layer import HandLayer

    torch = pytest.importorskip('torch')
    layer = HandLayer(load_open_hand())
    for hand in scene['ground_truth/hands'][0].hands:
        is_right = hand.side == HandMesh.RIGHT
        axis_angle = np.concatenate([hand.global_orient, hand.hand_pose]).reshape(16, 3).astype(float)
        if not is_right:
            axis_angle *= [1.0, -1.0, -1.0]  # the layer takes right-looking hands and mirrors x
        rotations = torch.as_tensor(Rotation.from_rotvec(axis_angle).as_matrix()[None], dtype=torch.float32)
        mesh = layer(rotations, torch.as_tensor(np.array(hand.betas)[None]), torch.tensor([is_right]))
        keypoints = messages_hands.points_of(hand.keypoints)
        vertices = mesh.vertices[0].numpy() + keypoints[0]
        np.testing.assert_allclose(vertices, messages_hands.points_of(hand.vertices), atol=5e-4)
        resting = mesh.rest_root[0].numpy()
        np.testing.assert_allclose(np.array(hand.transl) + resting, keypoints[0], atol=1e-4)


def test_a_camera_of_this_machine_shows_its_newest_image_stamped_when_taken(play: Callable, tmp_path: Path) -> None:
    """The camera gives five images at once while the player waits: only the last one is still of interest."""
    path = tmp_path / 'webcam.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 20.0, (64, 48))
    for number in range(5):
        writer.write(np.full((48, 64, 3), 50 * number, np.uint8))
    writer.release()
    before = time.time_ns()
    received, code = play({'source': path, 'start_delay': 0.5}, webcam=True)
    assert code == 0
    (image,) = received['image']
    assert decode_image(image).mean() == pytest.approx(200.0, abs=8.0)
    assert received[FINISHED][0].data == 1
    assert before < stamp_of(image) < time.time_ns() - 400_000_000  # it waited for start_delay


def test_a_video_is_played_without_ground_truth(play: Callable, tmp_path: Path) -> None:
    path = tmp_path / 'clip.mp4'
    write_video(path, [40, 90, 140, 190, 240, 30], fps=12.0)
    parameters = {'source': path, 'fps': 0.0, 'frames': 0, 'intrinsics': '[100.0, 100.0, 31.5, 23.5]'}
    received, code = play({**parameters, 'start_delay': 0.5})
    assert code == 0
    levels = [int(decode_image(message).mean()) for message in received['image']]
    np.testing.assert_allclose(levels, [40, 90, 140, 190, 240, 30], atol=8)
    info = intrinsics_from_camera_info(received['camera_info'][0], rectified=False)
    assert info is not None and (info.fx, info.width, info.height) == (100.0, 64, 48)
    assert not received['detections'] and not received['ground_truth/hands']
    gaps = np.diff([stamp_of(message) for message in received['image']])
    assert np.median(gaps) == pytest.approx(1e9 / 12.0, rel=0.5)


@pytest.mark.parametrize(
    ('parameters', 'said'),
    [
        ({'source': '/nowhere/clip.mp4'}, '/nowhere/clip.mp4 does not exist'),
        ({'source': "''"}, 'parameter source is empty'),
        ({'camera': 'sideways'}, 'camera'),
        ({'seed': -1}, 'seed'),
    ],
)
def test_a_bad_source_ends_with_a_clear_error(parameters: dict[str, Any], said: str) -> None:
    environment = {**os.environ, 'ROS_DOMAIN_ID': str(private_domain())}
    ended = subprocess.run(command(parameters), env=environment, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2
    assert said in ended.stderr


def test_a_node_that_takes_compressed_images_is_a_subscriber_too(tmp_path: Path) -> None:
    path = tmp_path / 'clip.mp4'
    write_video(path, [40, 90], fps=12.0)
    domain = private_domain()
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain)
    client = Client(context)
    client.record(CompressedImage, 'image/compressed')
    parameters = {'source': path, 'fps': 0.0, 'compressed': True, 'wait_timeout': 0.0}
    with subprocess.Popen(command(parameters), env={**os.environ, 'ROS_DOMAIN_ID': str(domain)}) as process:
        try:
            assert process.wait(timeout=60.0) == 0
        finally:
            process.kill()
    client.wait(lambda: len(client.received['image/compressed']) == 2, 'both images', timeout=10.0)
    client.close()
    rclpy.shutdown(context=context)
    release_domain(domain)


@pytest.mark.parametrize(
    ('waiting', 'said'),
    [
        ({}, 'waiting for subscriptions to /image (0 of 1)'),
        ({'compressed': True}, 'subscriptions to /image or /image/compressed (0 of 1)'),
        ({'compressed': True, 'wait_for_recorder': True}, 'the recorder of image/compressed'),
    ],
)
def test_a_player_says_which_subscriptions_it_waits_for(waiting: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = tmp_path / 'clip.mp4'
    write_video(path, [40, 90], fps=12.0)
    domain = private_domain()
    environment = {**os.environ, 'ROS_DOMAIN_ID': str(domain)}
    words = command({'source': path, 'wait_timeout': 6.0, 'start_delay': 0.0, **waiting})
    ended = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120)
    release_domain(domain)
    assert ended.returncode == 0
    assert said in ended.stdout + ended.stderr


def write_video(path: Path, levels: list[int], fps: float) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), fps, (64, 48))
    for level in levels:
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
