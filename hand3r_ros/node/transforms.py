"""Looks transforms up in TF, waiting on the worker's thread while the executor's thread receives them."""

from __future__ import annotations

import time

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from tf2_ros import Buffer, TransformException, TransformListener

from hand3r_ros.geometry import Array
from hand3r_ros.node.messages import matrix_from_transform

_POLL_SECONDS = 0.005


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
