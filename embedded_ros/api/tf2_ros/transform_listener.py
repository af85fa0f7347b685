"""Fills a buffer from /tf and /tf_static."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from tf2_msgs.msg import TFMessage

from tf2_ros.buffer import Buffer

DEFAULT_DEPTH = 100


class TransformListener:
    """Subscribes to transforms; `spin_thread` spins the whole node in a thread of its own."""

    def __init__(
        self,
        buffer: Buffer,
        node: Node,
        *,
        spin_thread: bool = False,
        qos: QoSProfile | int | None = None,
        static_qos: QoSProfile | int | None = None,
        tf_topic: str = '/tf',
        tf_static_topic: str = '/tf_static',
        static_only: bool = False,
    ):
        self.buffer, self.node = buffer, node
        group = ReentrantCallbackGroup()
        default_static = QoSProfile(depth=DEFAULT_DEPTH, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._subscriptions = [
            node.create_subscription(
                TFMessage,
                tf_static_topic,
                self.static_callback,
                default_static if static_qos is None else static_qos,
                callback_group=group,
            )
        ]
        if not static_only:
            moving_qos = DEFAULT_DEPTH if qos is None else qos
            self._subscriptions.append(
                node.create_subscription(TFMessage, tf_topic, self.callback, moving_qos, callback_group=group)
            )
        self.executor: SingleThreadedExecutor | None = None
        if spin_thread:
            self.executor = SingleThreadedExecutor(context=node.context)
            self.executor.add_node(node)
            self._thread = threading.Thread(target=self._spin, daemon=True, name='transform_listener')
            self._thread.start()

    def _spin(self) -> None:
        assert self.executor is not None
        with contextlib.suppress(ExternalShutdownException):
            self.executor.spin()

    def callback(self, data: Any) -> None:
        """Take moving frames."""
        for transform in data.transforms:
            self.buffer.set_transform(transform, 'default_authority')

    def static_callback(self, data: Any) -> None:
        """Take fixed frames."""
        for transform in data.transforms:
            self.buffer.set_transform_static(transform, 'default_authority')

    def unregister(self) -> None:
        """Listen no more."""
        if self.executor is not None:
            self.executor.shutdown()
        for subscription in self._subscriptions:
            self.node.destroy_subscription(subscription)
        self._subscriptions = []
