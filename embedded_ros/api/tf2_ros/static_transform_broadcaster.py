"""Publishes fixed frames on /tf_static."""

from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from tf2_msgs.msg import TFMessage


class StaticTransformBroadcaster:
    """Sends transforms that hold for all times; late listeners get all of them."""

    def __init__(self, node: Node, qos: QoSProfile | int | None = None):
        default = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.pub_tf = node.create_publisher(TFMessage, '/tf_static', default if qos is None else qos)
        self._sent: dict[str, TransformStamped] = {}

    def sendTransform(self, transform: TransformStamped | list[TransformStamped]) -> None:  # noqa: N802 - ROS 2's
        """Send one geometry_msgs/TransformStamped, or several; each replaces an earlier one of its child frame."""
        transforms = list(transform) if isinstance(transform, (list, tuple)) else [transform]
        self._sent.update({entry.child_frame_id: entry for entry in transforms})
        self.pub_tf.publish(TFMessage(transforms=list(self._sent.values())))
