"""Publishers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cyclonedds.core import DDSException
from embedded_ros.dds.endpoint_qos import INFINITE
from embedded_ros.dds.transport import write
from embedded_ros.messages.classes import to_cdr

from rclpy._rclpy_pybind11 import InvalidHandle, RCLError
from rclpy.duration import Duration
from rclpy.qos import QoSProfile

if TYPE_CHECKING:
    from rclpy.node import Node


class Publisher:
    """Publishes messages of one type on one topic; made by Node.create_publisher. Usable from any thread."""

    def __init__(self, node: Node, msg_type: Any, topic: str, qos_profile: QoSProfile):
        self.node = node
        self.msg_type = msg_type
        self.topic = self.topic_name = topic
        self.qos_profile = qos_profile
        qos = qos_profile.to_endpoint_qos(is_writer=True)
        self.writer = node.context.graph.create_writer('rt' + topic, msg_type.TYPE_NAME, qos)
        self.events: Any = None  # set by the node
        self._destroyed = False

    @property
    def handle(self) -> Publisher:
        """The publisher itself; InvalidHandle once it is destroyed."""
        if self._destroyed:
            raise InvalidHandle(f'the publisher of {self.topic_name} was destroyed')
        return self

    @property
    def logger_name(self) -> str:
        """Name of the node's logger."""
        return self.node.get_logger().name

    def publish(self, msg: Any) -> None:
        """Publish a message, or CDR bytes."""
        _ = self.handle
        if isinstance(msg, self.msg_type):
            data = to_cdr(msg)
        elif isinstance(msg, bytes):
            data = memoryview(msg)
        else:
            raise TypeError(f'Expected {self.msg_type}, got {type(msg)}')
        if not self.node.context.ok():
            raise RCLError(f"Failed to publish on {self.topic_name}: publisher's context is invalid")
        try:
            write(self.writer, data)
        except DDSException as error:
            if self._destroyed or not self.node.context.ok():  # by another thread, in the meantime
                raise RCLError(f'Failed to publish on {self.topic_name}: the publisher is gone') from error
            raise

    def get_subscription_count(self) -> int:
        """Return the number of matched subscriptions."""
        return len(self.handle.writer.get_matched_subscriptions())

    def assert_liveliness(self) -> None:
        """Show that the publisher is alive (MANUAL_BY_TOPIC)."""
        raise NotImplementedError('embedded_ros: Publisher.assert_liveliness; publishing asserts liveliness, too')

    def wait_for_all_acked(self, timeout: Duration = Duration(seconds=-1)) -> bool:  # noqa: B008 - immutable
        """Wait until reliable subscriptions have everything; False when the time was over before."""
        return self.handle.writer.wait_for_acks(INFINITE if timeout.nanoseconds < 0 else timeout.nanoseconds)

    def destroy(self) -> None:
        """Remove the publisher from its node."""
        self.node.destroy_publisher(self)

    def __enter__(self) -> Publisher:
        return self

    def __exit__(self, *exception: object) -> None:
        self.destroy()
