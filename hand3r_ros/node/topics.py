"""Output topics: name, type, queue depth, and whether late subscribers get the last message."""

from __future__ import annotations

from dataclasses import dataclass

from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from visualization_msgs.msg import MarkerArray

from hand3r_msgs.msg import Hand3RStatus, HandMeshArray, HandTopology
from hand3r_ros.hand_model.sides import HandSide


@dataclass(frozen=True)
class OutputTopic:
    """One topic that is private to the node (``~/``)."""

    name: str
    message_type: type
    depth: int = 1
    latched: bool = False  # transient local
    overridable: bool = False  # users may set its QoS by parameters qos_overrides.<topic>.publisher....


HANDS = OutputTopic('~/hands', HandMeshArray, depth=5, overridable=True)
WRIST_POSES = {
    HandSide.LEFT: OutputTopic('~/hands/left/wrist_pose', PoseStamped),
    HandSide.RIGHT: OutputTopic('~/hands/right/wrist_pose', PoseStamped),
}
POINTS = OutputTopic('~/points', PointCloud2, overridable=True)
MAP = OutputTopic('~/map', PointCloud2, latched=True, overridable=True)
CAMERA_POSE = OutputTopic('~/camera_pose', PoseStamped, depth=5)
MARKERS = OutputTopic('~/markers', MarkerArray)
HAND_TOPOLOGY = OutputTopic('~/hand_topology', HandTopology, latched=True)
DEPTH_IMAGE = OutputTopic('~/depth/image', Image)
DEPTH_CAMERA_INFO = OutputTopic('~/depth/camera_info', CameraInfo)
STATUS = OutputTopic('~/status', Hand3RStatus)

OUTPUT_TOPICS = (
    HANDS,
    *WRIST_POSES.values(),
    POINTS,
    MAP,
    CAMERA_POSE,
    MARKERS,
    HAND_TOPOLOGY,
    DEPTH_IMAGE,
    DEPTH_CAMERA_INFO,
    STATUS,
)
