"""Publishes moving frames on /tf."""

from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile
from tf2_msgs.msg import TFMessage

DEFAULT_DEPTH = 100


class TransformBroadcaster:
    """Sends transforms, each valid at its stamp."""

    def __init__(self, node: Node, qos: QoSProfile | int | None = None):
        self.pub_tf = node.create_publisher(TFMessage, '/tf', DEFAULT_DEPTH if qos is None else qos)

    def sendTransform(self, transform: TransformStamped | list[TransformStamped]) -> None:  # noqa: N802 - ROS 2's
        """Send one geometry_msgs/TransformStamped, or several."""
        transforms = list(transform) if isinstance(transform, (list, tuple)) else [transform]
        self.pub_tf.publish(TFMessage(transforms=transforms))
