"""Filters with one input: subscriber and cache."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from rclpy.clock import ROSClock
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.time import Time


def stamp_of(message: Any, allow_headerless: bool) -> Time:
    """Stamp of a message; the time of arrival where it has no header and that is allowed, else TypeError."""
    if hasattr(message, 'header'):
        return Time.from_msg(message.header.stamp)
    if not allow_headerless:
        raise TypeError(f'{type(message).__name__} has no header; allow_headerless=True takes the time of arrival')
    return ROSClock().now()


class SimpleFilter:
    """Passes messages on to callbacks."""

    def __init__(self) -> None:
        self.callbacks: dict[int, tuple[Callable[..., Any], tuple[Any, ...]]] = {}

    def registerCallback(self, cb: Callable[..., Any], *args: Any) -> int:  # noqa: N802 - ROS 2's name
        """Call `cb(message..., *args)`; returns an id of the connection."""
        connection = len(self.callbacks)
        self.callbacks[connection] = (cb, args)
        return connection

    def signalMessage(self, *messages: Any) -> None:  # noqa: N802 - ROS 2's name
        """Pass messages on."""
        for callback, arguments in self.callbacks.values():
            callback(*messages, *arguments)


class Subscriber(SimpleFilter):
    """A subscription as the start of a chain."""

    def __init__(
        self, node: Node, msg_type: Any, topic: str, qos_profile: QoSProfile | int = 10, **subscription_options: Any
    ):
        super().__init__()
        self.node = node
        self.topic = topic
        self.sub = node.create_subscription(msg_type, topic, self.signalMessage, qos_profile, **subscription_options)

    def getTopic(self) -> str:  # noqa: N802 - ROS 2's name
        """Return the topic as it was given."""
        return self.topic

    def unsubscribe(self) -> None:
        """Take no more messages."""
        self.node.destroy_subscription(self.sub)


class Cache(SimpleFilter):
    """Keeps the last messages in the order of their stamps, and passes all on."""

    def __init__(self, f: SimpleFilter | None = None, cache_size: int = 1, allow_headerless: bool = False):
        super().__init__()
        self.cache_size = cache_size
        self.allow_headerless = allow_headerless
        self._entries: list[tuple[Time, Any]] = []
        self._lock = threading.Lock()
        if f is not None:
            self.connectInput(f)

    def connectInput(self, f: SimpleFilter) -> None:  # noqa: N802 - ROS 2's name
        """Take the messages of another filter."""
        f.registerCallback(self.add)

    def add(self, msg: Any) -> None:
        """Keep a message."""
        stamp = stamp_of(msg, self.allow_headerless)
        with self._lock:
            self._entries.append((stamp, msg))
            self._entries.sort(key=lambda entry: entry[0].nanoseconds)
            del self._entries[: -self.cache_size]
        self.signalMessage(msg)

    def getInterval(self, from_stamp: Time, to_stamp: Time) -> list[Any]:  # noqa: N802 - ROS 2's name
        """Return the messages between two times (both included)."""
        low, high = from_stamp.nanoseconds, to_stamp.nanoseconds
        with self._lock:
            return [message for stamp, message in self._entries if low <= stamp.nanoseconds <= high]

    def getElemAfterTime(self, stamp: Time) -> Any:  # noqa: N802 - ROS 2's name
        """Return the oldest message at or after a time, None where there is none."""
        with self._lock:
            return next((m for known, m in self._entries if known.nanoseconds >= stamp.nanoseconds), None)

    def getElemBeforeTime(self, stamp: Time) -> Any:  # noqa: N802 - ROS 2's name
        """Return the newest message at or before a time, None where there is none."""
        with self._lock:
            return next((m for known, m in reversed(self._entries) if known.nanoseconds <= stamp.nanoseconds), None)

    def getLatestTime(self) -> Time | None:  # noqa: N802 - ROS 2's name
        """Return the newest stamp."""
        return self._entries[-1][0] if self._entries else None

    def getOldestTime(self) -> Time | None:  # noqa: N802 - ROS 2's name
        """Return the oldest stamp."""
        return self._entries[0][0] if self._entries else None

    def getLast(self) -> Any:  # noqa: N802 - ROS 2's name
        """Return the newest message."""
        return self._entries[-1][1] if self._entries else None
