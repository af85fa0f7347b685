"""Publishes the log lines of a node on /rosout."""

from __future__ import annotations

import contextlib
import inspect
from typing import TYPE_CHECKING

from builtin_interfaces.msg import Time
from rcl_interfaces.msg import Log

from rclpy._rclpy_pybind11 import RCLError
from rclpy.constants import S_TO_NS
from rclpy.logging import LoggingSeverity, rosout_sinks
from rclpy.qos import QoSProfile

if TYPE_CHECKING:
    from rclpy.node import Node

ROSOUT_TOPIC = '/rosout'


class Rosout:
    """Forwards what the node's logger and its children write, until closed."""

    def __init__(self, node: Node, qos_profile: QoSProfile | int):
        self._node = node
        self._publisher = node.create_publisher(Log, ROSOUT_TOPIC, qos_profile)
        self._logger_name = node.get_logger().name
        rosout_sinks[self._logger_name] = self._publish

    def close(self) -> None:
        """Forward no more; a newer node of the same name keeps its sink."""
        if rosout_sinks.get(self._logger_name) == self._publish:
            del rosout_sinks[self._logger_name]

    def _publish(self, name: str, severity: LoggingSeverity, text: str, stamp: int, caller: inspect.Traceback) -> None:
        if not self._node.context.ok():
            return
        seconds, nanoseconds = divmod(stamp, S_TO_NS)
        message = Log(stamp=Time(sec=seconds, nanosec=nanoseconds), level=int(severity), name=name, msg=text)
        message.file, message.function, message.line = caller.filename, caller.function, caller.lineno
        with contextlib.suppress(RCLError):  # another thread is destroying the node: logging must not fail
            self._publisher.publish(message)
