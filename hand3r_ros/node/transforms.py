"""TF listener: looks transforms up, and records which frames already have a parent.

The executor's thread receives, the worker's thread asks and waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.time import Time
from tf2_msgs.msg import TFMessage
from tf2_ros import Buffer, TransformException, TransformListener

from hand3r_ros.geometry import Array
from hand3r_ros.node.messages import matrix_from_transform
from hand3r_ros.node.names import frame_name, is_frame_name
from hand3r_ros.node.tf_tree import SeenParents

_POLL_SECONDS = 0.005
_TF_DEPTH = 100  # as tf2_ros has it


class TransformLookup:
    """A TF buffer that listens while it is open."""

    def __init__(self, node: Node) -> None:
        self._buffer = Buffer(cache_time=Duration(seconds=10.0))
        self._listener: TransformListener | None = TransformListener(self._buffer, node)

    def lookup(self, target: str, source: str, stamp_ns: int | None, timeout: float) -> Array:
        """``T_target_source`` (4, 4) at a time, or the newest for None.

        Raises:
            LookupError: it did not become available within ``timeout`` seconds; says why.

        """
        when = Time() if stamp_ns is None else Time(nanoseconds=stamp_ns)
        deadline = time.monotonic() + timeout
        while True:
            try:
                return matrix_from_transform(self._buffer.lookup_transform(target, source, when).transform)
            except TransformException as error:
                if time.monotonic() >= deadline:
                    raise LookupError(f'no transform {target} <- {source}: {error}') from error
            # Timeouts of the buffer follow the ROS clock, which may stand still in simulation.
            time.sleep(_POLL_SECONDS)

    def clear(self) -> None:
        """Forget moving transforms (time was set back)."""
        self._buffer.clear()

    def close(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            self._listener.unregister()
            self._listener = None


class TransformsOnDemand:
    """TF that is listened to from the first moment on, or once somebody finds that it is needed."""

    def __init__(self, make: Callable[[], TransformLookup], at_once: bool) -> None:
        self._make = make
        self._lookup = make() if at_once else None
        self._closed = False

    def listen(self) -> None:
        """Begin to listen, if nobody does; for the executor's thread."""
        if self._lookup is None and not self._closed:
            self._lookup = self._make()

    def lookup(self, target: str, source: str, stamp_ns: int | None, timeout: float) -> Array:
        """As ``TransformLookup.lookup``; a LookupError, too, when nobody listens."""
        if self._lookup is None:
            raise LookupError(f'no transform {target} <- {source}: not listening to TF yet')
        return self._lookup.lookup(target, source, stamp_ns, timeout)

    def clear(self) -> None:
        """Forget moving transforms (time was set back)."""
        if self._lookup is not None:
            self._lookup.clear()

    def close(self) -> None:
        """Stop listening."""
        self._closed = True
        lookup, self._lookup = self._lookup, None
        if lookup is not None:
            lookup.close()


class ParentListener:
    """Notes the parents of all frames on /tf and /tf_static while it is open."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.seen = SeenParents()
        static = QoSProfile(depth=_TF_DEPTH, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._subscriptions = [
            node.create_subscription(TFMessage, '/tf', partial(self._take, static=False), QoSProfile(depth=_TF_DEPTH)),
            node.create_subscription(TFMessage, '/tf_static', partial(self._take, static=True), static),
        ]

    def close(self) -> None:
        """Stop listening."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def _take(self, message: TFMessage, static: bool) -> None:
        for transform in message.transforms:
            parent, child = frame_name(transform.header.frame_id), frame_name(transform.child_frame_id)
            if is_frame_name(parent) and is_frame_name(child) and parent != child:
                self.seen.add(parent, child, static)
