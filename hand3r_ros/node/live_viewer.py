"""Node that shows the running reconstruction in a browser on this machine: map, camera, path, hands, status."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.task import Future
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from hand3r_msgs.msg import Hand3RStatus, HandMeshArray, HandTopology
from hand3r_ros.geometry import Intrinsics, transform_points
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.imaging.decoder import ImageDecoder
from hand3r_ros.node import messages, messages_hands, messages_scene
from hand3r_ros.node.calibration import CalibrationError, intrinsics_from_camera_info
from hand3r_ros.node.callbacks import GuardedCallbacks
from hand3r_ros.node.declaring import declare_parameters
from hand3r_ros.node.image_decoding import ImageDecodingError, decode_image
from hand3r_ros.node.newest import Newest
from hand3r_ros.node.parameter_fields import Changes, ParameterError, parameter
from hand3r_ros.node.running import run_node
from hand3r_ros.node.stamps import stamp_nanoseconds
from hand3r_ros.visualization.live_scene import LOCAL_HOST, LiveHand, LiveScene

START = Changes.NEVER
GUESSED_FIELD_OF_VIEW = 60.0  # degrees, to draw a camera without calibration
STATES = {
    Hand3RStatus.UNKNOWN: 'unknown',
    Hand3RStatus.OK: 'ok',
    Hand3RStatus.LOST: 'camera lost',
    Hand3RStatus.UNCALIBRATED: 'uncalibrated camera',
}


@dataclass(frozen=True)
class ViewerParameters:
    """Where the page is served and how often it changes."""

    node: str = parameter('hand3r', 'Name of the node that is shown', START)
    host: str = parameter(
        LOCAL_HOST, 'Address to listen on; others than 127.0.0.1 make it reachable from the network', START
    )
    port: int = parameter(
        8080, 'Port to listen on; the next free one if it is taken', START, minimum=1024, maximum=65535
    )
    rate: float = parameter(8.0, 'Maximum update rate, Hz', START, minimum=0.5, maximum=60.0)
    mirrored_image: bool = parameter(False, 'Images are mirrored, as in the parameters of the node', START)
    point_size: float = parameter(0.007, 'Size of a point, m', START, minimum=0.0005, maximum=1.0)


class LiveViewer(GuardedCallbacks, Node):
    """Keeps the newest message of each topic and shows what is new at a steady rate."""

    def __init__(self) -> None:
        super().__init__('live_viewer')
        self.parameters = declare_parameters(self, ViewerParameters)
        self.done: Future = Future()  # never: it serves until it is ended
        self._scene = LiveScene(self.parameters.port, self.parameters.host, self.parameters.point_size)
        self._decoder = ImageDecoder()
        self._new: dict[str, Any] = {}  # newest message by topic, until it is shown
        self._images: Newest[Any] = Newest(10)
        self._poses: Newest[np.ndarray] = Newest(50)
        self._intrinsics: Intrinsics | None = None
        self._faces: dict[HandSide, np.ndarray] = {}
        self._camera_frame = ''
        self._session = None
        self._subscribe()
        self.create_timer(1.0 / self.parameters.rate, self._show_news)
        self.get_logger().info(f'live view: open {self._scene.address} in a browser')

    def finish(self) -> int:
        """There is nothing to sum up."""
        return 0

    def close(self) -> None:
        """Stop serving."""
        self._scene.close()

    def _subscribe(self) -> None:
        node = self.parameters.node
        latched = QoSProfile(
            depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
        )
        self.create_subscription(Image, 'image', self._on_image, 2)
        self.create_subscription(CameraInfo, 'camera_info', self._on_camera_info, 2)
        self.create_subscription(HandTopology, f'{node}/hand_topology', self._on_topology, latched)
        self.create_subscription(PoseStamped, f'{node}/camera_pose', self._on_pose, 10)
        self.create_subscription(HandMeshArray, f'{node}/hands', lambda message: self._keep('hands', message), 2)
        self.create_subscription(PointCloud2, f'{node}/points', lambda message: self._keep('points', message), 2)
        self.create_subscription(PointCloud2, f'{node}/map', lambda message: self._keep('map', message), latched)
        self.create_subscription(Hand3RStatus, f'{node}/status', lambda message: self._keep('status', message), 2)

    def _keep(self, topic: str, message: Any) -> None:
        self._new[topic] = message

    def _on_image(self, message: Image) -> None:
        self._camera_frame = message.header.frame_id
        self._images.add(stamp_nanoseconds(message.header.stamp), message)

    def _on_camera_info(self, message: CameraInfo) -> None:
        try:
            self._intrinsics = intrinsics_from_camera_info(message, rectified=False)
        except CalibrationError as error:
            self.get_logger().warning(f'camera_info: {error}', throttle_duration_sec=10.0)

    def _on_topology(self, message: HandTopology) -> None:
        for side, faces in ((HandSide.LEFT, message.faces_left), (HandSide.RIGHT, message.faces_right)):
            self._faces[side] = np.asarray(faces, np.uint32).reshape(-1, 3)

    def _on_pose(self, message: PoseStamped) -> None:
        self._poses.add(stamp_nanoseconds(message.header.stamp), messages.matrix_from_pose(message.pose))
        self._keep('pose', message)

    def _show_news(self) -> None:
        news, self._new = self._new, {}
        show = {
            'status': self._show_status,
            'map': self._show_map,
            'pose': self._show_camera,
            'points': self._show_points,
            'hands': self._show_hands,
        }
        for topic, function in show.items():
            if topic in news:
                function(news[topic])

    def _show_status(self, message: Hand3RStatus) -> None:
        if self._session not in (None, message.session_id):
            self._scene.forget_session()
        self._session = message.session_id
        lines = [
            f'**{STATES.get(message.state, message.state)}**, session {message.session_id}, '
            f'image {message.frame_index}',
            f'{message.hands} hands',
            f'image age {1e3 * message.image_age_seconds:.0f} ms, network {1e3 * message.inference_seconds:.0f} ms',
            f'{message.frames_processed} processed, {message.frames_dropped} dropped, '
            f'{message.frames_rejected} rejected',
        ]
        self._scene.show_status(lines + ([f'last error: {message.last_error}'] if message.last_error else []))

    def _show_map(self, message: PointCloud2) -> None:
        points, colors = messages_scene.cloud_arrays(message)
        self._scene.show_map(points.reshape(-1, 3), colors.reshape(-1, 3))

    def _show_points(self, message: PointCloud2) -> None:
        T_world_camera = self._poses.get(stamp_nanoseconds(message.header.stamp))
        if T_world_camera is not None:
            points, colors = messages_scene.cloud_arrays(message)
            self._scene.show_points(transform_points(T_world_camera, points.reshape(-1, 3)), colors.reshape(-1, 3))

    def _show_camera(self, message: PoseStamped) -> None:
        message_image = self._images.get(stamp_nanoseconds(message.header.stamp))
        image = None
        if message_image is not None:
            try:
                image = decode_image(message_image, self._decoder)
            except ImageDecodingError as error:
                self.get_logger().warning(f'image: {error}', throttle_duration_sec=10.0)
        if image is not None and self.parameters.mirrored_image:
            image = np.ascontiguousarray(image[:, ::-1])
        height, width = (480, 640) if image is None else image.shape[:2]
        guess = Intrinsics.from_field_of_view(GUESSED_FIELD_OF_VIEW, width, height)
        self._scene.show_camera(messages.matrix_from_pose(message.pose), self._intrinsics or guess, image)

    def _show_hands(self, message: HandMeshArray) -> None:
        in_camera = message.header.frame_id == self._camera_frame
        T_world_camera = self._poses.get(stamp_nanoseconds(message.header.stamp))
        if in_camera and T_world_camera is None:
            return
        T = T_world_camera if in_camera and T_world_camera is not None else np.eye(4)
        self._scene.show_hands([self._live_hand(hand, T) for hand in message.hands])

    def _live_hand(self, hand: Any, T_world_frame: np.ndarray) -> LiveHand:
        side = HandSide(hand.side)
        faces = self._faces.get(side)
        vertices = messages_hands.points_of(hand.vertices if faces is not None else ())
        return LiveHand(
            side,
            transform_points(T_world_frame, vertices),
            transform_points(T_world_frame, messages_hands.points_of(hand.keypoints)),
            np.zeros((0, 3), np.uint32) if faces is None else faces,
        )


def main(arguments: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM."""
    return run_node('live_viewer', LiveViewer, arguments, (ParameterError, OSError))


if __name__ == '__main__':
    sys.exit(main())
