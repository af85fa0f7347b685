"""The messages of one result, in order: TF first, then everything of the same stamp.

Shared by the node, which publishes them, and by ``hand3r run``, which writes them into a file. No publishers here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import TransformStamped
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from hand3r_msgs.msg import HandTopology
from hand3r_ros.hand_model.data import HandModelData
from hand3r_ros.hand_model.joints import KEYPOINT_NAMES, KEYPOINT_PARENTS, NUM_VERTICES
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.node import frames, messages, messages_hands, messages_markers, messages_scene, topics
from hand3r_ros.node.parameters import NodeParameters
from hand3r_ros.node.tf_tree import Parents
from hand3r_ros.node.topics import OutputTopic
from hand3r_ros.online.results import FrameResult

PATH_LENGTH = 2000
"""Camera positions kept for the path in ~/markers."""
PATH_STEP = 0.01
"""The camera has to move this far, m, for the next position of the path."""

Outgoing = tuple[OutputTopic, Any]
"""A topic and the message for it."""


@dataclass(frozen=True)
class Moment:
    """The time at which a result leaves."""

    stamp: Time  # of the ROS clock
    seconds: float  # of any steady clock


@dataclass(frozen=True)
class OutgoingTransforms:
    """What one image gives for /tf."""

    messages: list[TransformStamped] = field(default_factory=list)
    missing: str | None = None  # what is not known yet
    changed: str | None = None  # what is not published as asked for, because of the tree of others


class ResultMessages:
    """Builds the messages of one frame after the other; remembers only the camera's path and the last markers."""

    def __init__(
        self, hand_model: HandModelData, lookup_base: frames.BaseLookup, parents: Callable[[], Parents]
    ) -> None:
        """Takes the hand model in use, and what TF says: where ``base_frame`` is, and which parents frames have."""
        self._parents = parents
        self._hand_model = hand_model
        self._faces = {side: np.asarray(hand_model.faces(side)) for side in HandSide}
        self._lookup_base = lookup_base
        self._path: deque[np.ndarray] = deque(maxlen=PATH_LENGTH)
        self._markers_at = -float('inf')

    def topology(self, stamp: Time) -> HandTopology:
        """What does not change between hands."""
        return messages_hands.hand_topology(
            messages.header(stamp, ''),
            self._hand_model.id,
            NUM_VERTICES,
            self._faces[HandSide.RIGHT],
            self._faces[HandSide.LEFT],
            KEYPOINT_NAMES,
            KEYPOINT_PARENTS,
        )

    def transforms(self, result: FrameResult, header: Header, parameters: NodeParameters) -> OutgoingTransforms:
        """For /tf; ``header`` is that of the image."""
        if not frames.is_placed(result):
            return OutgoingTransforms()
        parents, missing = self._parents(), None
        joint = frames.camera_joint(header.frame_id, parameters, parents)
        found: list[TransformStamped] = []
        try:
            camera = frames.camera_transform(header, result.T_world_camera, parameters, self._lookup_base, parents)
            found = [] if camera is None else [camera]
        except LookupError as error:
            missing = f'pose of base_frame is not published: {error}'
        if parameters.tf_hands:
            found += frames.hand_transforms(messages.header(header.stamp, parameters.world_frame), result.seen_hands)
        return OutgoingTransforms(found, missing, None if joint is None else joint.problem)

    def of_frame(
        self,
        result: FrameResult,
        header: Header,
        parameters: NodeParameters,
        now: Moment,
        wanted: Callable[[OutputTopic], bool],
    ) -> Iterator[Outgoing]:
        """Everything but TF; what is costly only where ``wanted``. ``header`` is that of the image."""
        world = messages.header(header.stamp, parameters.world_frame)
        if frames.is_placed(result):
            self._extend_path(np.asarray(result.T_world_camera)[:3, 3])
            yield topics.CAMERA_POSE, messages.pose_stamped(world, result.T_world_camera)
        yield from self._hands(result, header, world, parameters, now)
        if parameters.points.publish and wanted(topics.POINTS):
            yield topics.POINTS, messages_scene.frame_cloud(header, result, parameters.points)
        if parameters.depth.publish and (wanted(topics.DEPTH_IMAGE) or wanted(topics.DEPTH_CAMERA_INFO)):
            yield topics.DEPTH_IMAGE, messages_scene.depth_image(header, result, parameters.points)
            yield topics.DEPTH_CAMERA_INFO, messages_scene.camera_info(header, result.intrinsics)
        markers_due = now.seconds - self._markers_at >= 1.0 / parameters.markers.rate_hz
        if parameters.markers.publish and wanted(topics.MARKERS) and markers_due:
            self._markers_at = now.seconds
            yield topics.MARKERS, self._markers(result, header, world)

    def forget_session(self) -> None:
        """The world frame is another one from now on: begin a new camera path, at once."""
        self._markers_at = -float('inf')
        self._path.clear()

    def memory(self) -> tuple[list[list[float]], float]:
        """What ``restore`` needs: the camera's path and when the last markers left."""
        return [position.tolist() for position in self._path], self._markers_at

    def restore(self, path: list[list[float]], markers_at: float) -> None:
        """Restores what ``memory`` gave."""
        self._path = deque((np.array(position) for position in path), maxlen=PATH_LENGTH)
        self._markers_at = markers_at

    def _hands(
        self, result: FrameResult, header: Header, world: Header, parameters: NodeParameters, now: Moment
    ) -> Iterator[Outgoing]:
        in_world = parameters.hands.frame == 'world'
        hands = result.hands if frames.is_placed(result) or not in_world else ()
        hands_header = world if in_world else header
        yield (
            topics.HANDS,
            messages_hands.hand_mesh_array(
                hands_header, hands, self._hand_model.id, in_world, parameters.hands.vertices
            ),
        )
        stamp = now.stamp if parameters.teleop.stamp == 'now' else header.stamp
        wrist_header = messages.header(stamp, hands_header.frame_id)
        # A pose cannot say that it is predicted.
        seen = tuple(hand for hand in hands if hand.is_seen)
        for side, hand in frames.best_of_each_side(seen).items():
            T_frame_wrist = hand.T_world_wrist if in_world else hand.T_camera_wrist
            yield topics.WRIST_POSES[side], messages.pose_stamped(wrist_header, T_frame_wrist)

    def _markers(self, result: FrameResult, header: Header, world: Header) -> MarkerArray:
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
            if len(self._path) > 1:  # RViz takes a line of one point for an error
                array.markers.append(messages_markers.path_marker(world, list(self._path)))
        return array

    def _extend_path(self, position: np.ndarray) -> None:
        if not self._path or np.linalg.norm(position - self._path[-1]) >= PATH_STEP:
            self._path.append(position)
