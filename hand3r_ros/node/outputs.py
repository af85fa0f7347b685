"""The node's publishers, and the order in which one result leaves: TF first, then everything of the same stamp."""

from __future__ import annotations

import time
from collections import deque

import numpy as np
from geometry_msgs.msg import PoseStamped, TransformStamped
from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header
from tf2_ros import TransformBroadcaster
from visualization_msgs.msg import MarkerArray

from hand3r_msgs.msg import Hand3RStatus, HandMeshArray, HandTopology
from hand3r_ros.hand_model.data import HandModelData
from hand3r_ros.hand_model.joints import KEYPOINT_NAMES, KEYPOINT_PARENTS, NUM_VERTICES
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.node import frames, messages, messages_hands, messages_markers, messages_scene
from hand3r_ros.node.parameters import NodeParameters
from hand3r_ros.online.mapping import MapCloud
from hand3r_ros.online.results import FrameResult

PATH_LENGTH = 2000
"""Camera positions kept for the path in ~/markers."""
PATH_STEP = 0.01
"""The camera has to move this far, m, for the next position of the path."""


def reliable(depth: int = 1, keep_for_late_joiners: bool = False) -> QoSProfile:
    """QoS of the outputs: reliable serves both kinds of subscribers."""
    durability = DurabilityPolicy.TRANSIENT_LOCAL if keep_for_late_joiners else DurabilityPolicy.VOLATILE
    return QoSProfile(depth=depth, reliability=ReliabilityPolicy.RELIABLE, durability=durability)


class Outputs:
    """All publishers between configure and cleanup; ``publish_*`` build only what somebody wants."""

    def __init__(self, node: LifecycleNode, hand_model: HandModelData, lookup_base: frames.BaseLookup) -> None:
        self._node = node
        self._hand_model = hand_model
        self._faces = {side: np.asarray(hand_model.faces(side)) for side in HandSide}
        self._lookup_base = lookup_base
        self._path: deque[np.ndarray] = deque(maxlen=PATH_LENGTH)
        self._markers_published_at = -float('inf')
        self._publishers: list[LifecyclePublisher] = []
        self._broadcaster = TransformBroadcaster(node)

        self._hands = self._create(HandMeshArray, '~/hands', reliable(5))
        self._wrists = {
            side: self._create(PoseStamped, f'~/hands/{side.name.lower()}/wrist_pose', reliable()) for side in HandSide
        }
        self._points = self._create(PointCloud2, '~/points', reliable())
        self._map = self._create(PointCloud2, '~/map', reliable(keep_for_late_joiners=True))
        self._camera_pose = self._create(PoseStamped, '~/camera_pose', reliable(5))
        self._markers = self._create(MarkerArray, '~/markers', reliable())
        self._topology = self._create(HandTopology, '~/hand_topology', reliable(keep_for_late_joiners=True))
        self._depth = self._create(Image, '~/depth/image', reliable())
        self._depth_info = self._create(CameraInfo, '~/depth/camera_info', reliable())
        self._status = self._create(Hand3RStatus, '~/status', reliable())

    def close(self) -> None:
        """Destroy every publisher."""
        for publisher in self._publishers:
            self._node.destroy_lifecycle_publisher(publisher)
        self._publishers.clear()
        self._node.destroy_publisher(self._broadcaster.pub_tf)

    def publish_topology(self) -> None:
        """Send what does not change; late joiners get it too."""
        self._topology.publish(
            messages_hands.hand_topology(
                messages.header(self._node.get_clock().now().to_msg(), ''),
                self._hand_model.id,
                NUM_VERTICES,
                self._faces[HandSide.RIGHT],
                self._faces[HandSide.LEFT],
                KEYPOINT_NAMES,
                KEYPOINT_PARENTS,
            )
        )

    def publish_result(self, result: FrameResult, header: Header, parameters: NodeParameters) -> str | None:
        """Send everything that one image gave; ``header`` is that of the image.

        Gives what could not be published and why, None when all was.
        """
        world = messages.header(header.stamp, parameters.world_frame)
        problem = self._publish_poses(result, header, world, parameters)
        self._publish_hands(result, header, world, parameters)
        if parameters.points.publish and self._wanted(self._points):
            self._points.publish(messages_scene.frame_cloud(header, result, parameters.points))
        if parameters.depth.publish and (self._wanted(self._depth) or self._wanted(self._depth_info)):
            self._depth.publish(messages_scene.depth_image(header, result, parameters.points))
            self._depth_info.publish(messages_scene.camera_info(header, result.intrinsics))
        if parameters.markers.publish and self._wanted(self._markers) and self._markers_due(parameters.markers.rate_hz):
            self._markers.publish(self._build_markers(result, header, world))
        return problem

    def publish_map(self, cloud: MapCloud, header: Header) -> None:
        """Send the whole map; ``header.frame_id`` is the world."""
        self._map.publish(messages_scene.point_cloud(header, cloud.points, cloud.colors))

    def publish_status(self, status: Hand3RStatus) -> None:
        """Send the node's status."""
        self._status.publish(status)

    def forget_session(self) -> None:
        """The world frame is another one from now on: begin a new camera path, at once."""
        self._markers_published_at = -float('inf')
        self._path.clear()

    def _publish_poses(
        self, result: FrameResult, header: Header, world: Header, parameters: NodeParameters
    ) -> str | None:
        if not frames.is_placed(result):
            return None
        problem, transforms = None, []
        try:
            camera = frames.camera_transform(header, result.T_world_camera, parameters, self._lookup_base)
            transforms = [] if camera is None else [camera]
        except LookupError as error:
            problem = str(error)
        if parameters.tf_hands:
            transforms += frames.hand_transforms(world, result.hands)
        self._broadcast(transforms)
        self._extend_path(np.asarray(result.T_world_camera)[:3, 3])
        self._camera_pose.publish(messages.pose_stamped(world, result.T_world_camera))
        return problem

    def _publish_hands(self, result: FrameResult, header: Header, world: Header, parameters: NodeParameters) -> None:
        in_world = parameters.hands.frame == 'world'
        hands = result.hands if frames.is_placed(result) or not in_world else ()
        hands_header = world if in_world else header
        self._hands.publish(
            messages_hands.hand_mesh_array(
                hands_header, hands, self._hand_model.id, in_world, parameters.hands.vertices
            )
        )
        stamp = self._node.get_clock().now().to_msg() if parameters.teleop.stamp == 'now' else header.stamp
        wrist_header = messages.header(stamp, hands_header.frame_id)
        for side, hand in frames.best_of_each_side(hands).items():
            T_frame_wrist = hand.T_world_wrist if in_world else hand.T_camera_wrist
            self._wrists[side].publish(messages.pose_stamped(wrist_header, T_frame_wrist))

    def _build_markers(self, result: FrameResult, header: Header, world: Header) -> MarkerArray:
        """Everything in the world, or the hands alone in the camera frame while the camera's place is unknown."""
        array = messages_markers.clear_markers(world)
        placed = frames.is_placed(result)
        for hand in result.hands:
            vertices = hand.vertices_world if placed else hand.vertices_camera
            keypoints = hand.keypoints_world if placed else hand.keypoints_camera
            faces = self._faces[HandSide(hand.side)]
            array.markers.extend(
                messages_markers.hand_markers(world if placed else header, hand, faces, vertices, keypoints)
            )
        if placed:
            array.markers.append(messages_markers.camera_marker(world, result.T_world_camera, result.intrinsics))
            array.markers.append(messages_markers.path_marker(world, list(self._path)))
        return array

    def _markers_due(self, rate_hz: float) -> bool:
        now = time.monotonic()
        due = now - self._markers_published_at >= 1.0 / rate_hz
        if due:
            self._markers_published_at = now
        return due

    def _extend_path(self, position: np.ndarray) -> None:
        if not self._path or np.linalg.norm(position - self._path[-1]) >= PATH_STEP:
            self._path.append(position)

    def _broadcast(self, transforms: list[TransformStamped]) -> None:
        if transforms:
            self._broadcaster.sendTransform(transforms)

    def _create(self, message_type: type, topic: str, qos: QoSProfile) -> LifecyclePublisher:
        publisher = self._node.create_lifecycle_publisher(message_type, topic, qos)
        self._publishers.append(publisher)
        return publisher

    @staticmethod
    def _wanted(publisher: LifecyclePublisher) -> bool:
        return bool(publisher.get_subscription_count() > 0)
