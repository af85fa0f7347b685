"""The short demo, launched for real: what subscribers receive, what is recorded and what is said at the end."""

from __future__ import annotations

import json
import tempfile
import threading
import time
import unittest
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import launch_testing
import launch_testing.actions
import launch_testing.markers
import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import PoseStamped
from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription, SetEnvironmentVariable
from launch.launch_description_sources import PythonLaunchDescriptionSource
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from ros_domain import private_domain
from rosbags.highlevel import AnyReader
from sensor_msgs.msg import PointCloud2
from tf2_msgs.msg import TFMessage
from untrained import save_untrained_network

from hand3r_msgs.msg import Hand3RStatus, HandMesh, HandMeshArray
from hand3r_ros.geometry import invert_transform, matrix_from_quaternion, project_points, transform_points
from hand3r_ros.node import messages, messages_hands

ROOT = Path(__file__).parents[2]
DOMAIN = private_domain()
FRAMES, RATE = 8, 1.0
PATIENCE = 200.0
TOPICS = {
    '/tf': TFMessage,
    '/hand3r/hands': HandMeshArray,
    '/hand3r/camera_pose': PoseStamped,
    '/hand3r/points': PointCloud2,
    '/hand3r/status': Hand3RStatus,
    '/ground_truth/hands': HandMeshArray,
}


@pytest.mark.launch_test
@launch_testing.markers.keep_alive
def generate_test_description() -> tuple[LaunchDescription, dict[str, Any]]:
    folder = Path(tempfile.mkdtemp(prefix='hand3r_demo_'))
    arguments = {
        'weights_dir': str(save_untrained_network(folder / 'weights')),
        'output_dir': str(folder / 'results'),
        'width': '160',
        'height': '120',
        'fps': str(RATE),
        'pose_source': 'network',  # untrained points give tracks no pose to agree on
        'seconds': str(FRAMES / RATE),
        'seed': '200000011',
        'stay': 'true',  # the launch is ended by the tests, when they are done
    }
    demo = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(ROOT / 'launch' / 'demo.launch.py')), launch_arguments=arguments.items()
    )
    description = LaunchDescription(
        [
            SetEnvironmentVariable('ROS_DOMAIN_ID', str(DOMAIN)),
            SetEnvironmentVariable('OMP_NUM_THREADS', '1'),
            demo,
            launch_testing.actions.ReadyToTest(),
        ]
    )
    return description, {'results': folder / 'results'}


class Listener:
    """Records topics on a thread of its own until it is closed."""

    def __init__(self) -> None:
        self._context = rclpy.Context()
        rclpy.init(context=self._context, domain_id=DOMAIN)
        self._node = Node('demo_listener', context=self._context)
        self.received: dict[str, list[Any]] = {topic: [] for topic in TOPICS}
        for topic, message_type in TOPICS.items():
            self._node.create_subscription(message_type, topic, self.received[topic].append, 100)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        with suppress(ExternalShutdownException):
            self._executor.spin()

    def close(self) -> None:
        self._executor.shutdown()
        self._thread.join(10.0)
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)


def stamp_of(header: Any) -> int:
    return int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)


class TestDemo(unittest.TestCase):
    """Waits for the end of the demo once, then looks at what came."""

    @classmethod
    def setUpClass(cls, proc_output: Any) -> None:
        listener = Listener()
        try:
            proc_output.assertWaitFor('---------------------', timeout=PATIENCE, stream='stdout')
            time.sleep(0.5)
        finally:
            listener.close()
        cls.received = listener.received
        cls.hands = {stamp_of(message.header): message for message in cls.received['/hand3r/hands']}

    def test_several_images_went_through(self) -> None:
        self.assertGreaterEqual(len(self.hands), 2)
        self.assertGreaterEqual(sum(len(message.hands) for message in self.hands.values()), 2)

    def test_results_carry_stamps_of_images(self) -> None:
        images = {stamp_of(message.header) for message in self.received['/ground_truth/hands']}
        self.assertLessEqual(set(self.hands), images)
        poses = {stamp_of(message.header) for message in self.received['/hand3r/camera_pose']}
        points = {stamp_of(message.header) for message in self.received['/hand3r/points']}
        self.assertEqual(poses, set(self.hands))
        self.assertEqual(points, set(self.hands))

    def test_every_result_has_its_camera_in_tf(self) -> None:
        cameras = {
            stamp_of(transform.header): transform
            for message in self.received['/tf']
            for transform in message.transforms
            if transform.child_frame_id == 'camera_optical_frame'
        }
        for message in self.received['/hand3r/camera_pose']:
            transform = cameras[stamp_of(message.header)]
            self.assertEqual(transform.header.frame_id, message.header.frame_id)
            np.testing.assert_allclose(
                messages.matrix_from_transform(transform.transform), messages.matrix_from_pose(message.pose), atol=1e-6
            )

    def test_hands_are_complete_and_consistent(self) -> None:
        poses = {stamp_of(m.header): messages.matrix_from_pose(m.pose) for m in self.received['/hand3r/camera_pose']}
        truth = {stamp_of(message.header): message for message in self.received['/ground_truth/hands']}
        for stamp, message in self.hands.items():
            self.assertEqual(message.header.frame_id, 'hand3r_world')
            sides = {hand.side for hand in truth[stamp].hands if hand.score >= 0.25}
            self.assertEqual({hand.side for hand in message.hands}, sides)
            for hand in message.hands:
                self.check_hand(hand, poses[stamp])

    def check_hand(self, hand: HandMesh, T_world_camera: np.ndarray) -> None:
        self.assertEqual(hand.hand_model, 'open_hand')
        vertices = messages_hands.points_of(hand.vertices)
        keypoints = messages_hands.points_of(hand.keypoints)
        self.assertEqual((vertices.shape, keypoints.shape), ((778, 3), (21, 3)))
        self.assertTrue(np.isfinite(vertices).all())
        size = np.ptp(vertices, axis=0).max()
        self.assertTrue(0.05 < size < 0.35, f'a hand of {size:.3f} m')
        q = hand.wrist.orientation
        np.testing.assert_allclose(np.linalg.norm([q.x, q.y, q.z, q.w]), 1.0, atol=1e-5)
        self.assertEqual(matrix_from_quaternion([q.x, q.y, q.z, q.w]).shape, (3, 3))
        wrist = [hand.wrist.position.x, hand.wrist.position.y, hand.wrist.position.z]
        np.testing.assert_allclose(keypoints[0], wrist, atol=1e-4)
        camera_points = transform_points(invert_transform(T_world_camera), keypoints)
        self.assertTrue((camera_points[:, 2] > 0.0).all(), 'a hand behind the camera')
        self.assertEqual(project_points(camera_points, self.intrinsics()).shape, (21, 2))

    @staticmethod
    def intrinsics() -> Any:
        from hand3r_lab.scenes.sequence import SceneConfig, Sequence

        return Sequence(200_000_011, SceneConfig(width=160, height=120, frames=2, fps=RATE)).intrinsics

    def test_status_counts_every_image(self) -> None:
        last = self.received['/hand3r/status'][-1]
        self.assertEqual(last.frames_processed, len(self.hands))
        self.assertEqual(last.frames_rejected, 0)
        self.assertLessEqual(last.frames_processed + last.frames_dropped, FRAMES)


@launch_testing.post_shutdown_test()
class TestAfterDemo(unittest.TestCase):
    """What is left of the demo."""

    def test_every_process_ended_well(self, proc_info: Any) -> None:
        launch_testing.asserts.assertExitCodes(proc_info)
        names = ' '.join(info.process_name for info in proc_info)
        for name in ('hand3r_node', 'rendered_camera', 'demo_monitor', 'recorder'):
            self.assertIn(name, names)

    def test_the_summary_has_accuracy_and_places(self, results: Path) -> None:
        text = (results / 'summary.txt').read_text()
        for part in ('PA-MPJPE', 'C-MPJPE', 'camera ATE', 'latency', str(results / 'picture.png'), 'recording'):
            self.assertIn(part, text)
        numbers = json.loads((results / 'summary.json').read_text())
        self.assertEqual(numbers['images'], FRAMES)
        self.assertEqual(numbers['accuracy']['missed_hands'], 0)

    def test_the_picture_is_one(self, results: Path) -> None:
        picture = cv2.imread(str(results / 'picture.png'))
        self.assertGreater(picture.shape[1], picture.shape[0])
        self.assertGreater(picture.std(), 20.0)

    def test_the_recording_can_be_read_without_the_packages(self, results: Path) -> None:
        with AnyReader([results / 'recording']) as reader:
            counts = {topic: info.msgcount for topic, info in reader.topics.items()}
            hands = [
                reader.deserialize(raw, connection.msgtype)
                for connection, _, raw in reader.messages()
                if connection.topic == '/hand3r/hands'
            ]
        for topic in ('/image/compressed', '/camera_info', '/detections', '/ground_truth/hands'):
            self.assertEqual(counts[topic], FRAMES, topic)
        for topic in ('/tf', '/hand3r/points', '/hand3r/map', '/hand3r/markers', '/hand3r/status'):
            self.assertGreater(counts[topic], 0, topic)
        self.assertGreaterEqual(len(hands), 2)
        self.assertTrue(all(len(hand.vertices) == 778 * 3 for message in hands for hand in message.hands))
