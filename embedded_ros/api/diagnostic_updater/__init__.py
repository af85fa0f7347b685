"""Publishes the health of a node on /diagnostics: `Updater.add(name, function)`. Part of embedded_ros, not of ROS 2."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node
from rclpy.parameter import Parameter

__all__ = ['DiagnosticStatusWrapper', 'Updater']

PERIOD_PARAMETER = 'diagnostic_updater.period'
FULL_NAME_PARAMETER = 'diagnostic_updater.use_fqn'


class DiagnosticStatusWrapper(DiagnosticStatus):
    """Level, message and values of one check."""

    if TYPE_CHECKING:  # the fields of a generated class are not visible to type checkers
        level: bytes
        message: str
        values: list[KeyValue]

    def summary(self, level: bytes, message: str) -> None:
        """Set level and message."""
        self.level, self.message = level, str(message)

    def add(self, key: str, val: Any) -> None:
        """Add a value."""
        self.values.append(KeyValue(key=key, value=str(val)))


class Updater:
    """Publishes all checks every `period` seconds (parameter diagnostic_updater.period)."""

    def __init__(self, node: Node, period: float = 1.0):
        self.node = node
        self.verbose = False
        self.hwid = ''
        self._checks: list[tuple[str, Callable[[DiagnosticStatusWrapper], Any]]] = []
        self._lock = threading.RLock()
        self.publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 1)
        self._period = float(_declare(node, PERIOD_PARAMETER, float(period)))
        self._use_full_name = bool(_declare(node, FULL_NAME_PARAMETER, False))
        node.add_post_set_parameters_callback(self._on_parameters)
        self.timer = node.create_timer(self._period, self.update)

    @property
    def period(self) -> float:
        """Seconds between updates."""
        return self._period

    def _on_parameters(self, parameters: list[Parameter]) -> None:
        for parameter in parameters:
            if parameter.name == PERIOD_PARAMETER:
                self._period = float(parameter.value)
                self.timer.timer_period_ns = int(self._period * 1e9)

    def add(self, name: str, check: Callable[[DiagnosticStatusWrapper], Any]) -> None:
        """Add a check: a function that fills a DiagnosticStatusWrapper."""
        with self._lock:
            self._checks.append((name, check))
            self._publish([self._new_status(name, DiagnosticStatus.OK, 'Node starting up')])

    def setHardwareID(self, hwid: str) -> None:  # noqa: N802 - ROS 2's name
        """Set what the statuses name as hardware."""
        self.hwid = hwid

    def update(self) -> None:
        """Run all checks and publish."""
        statuses = []
        with self._lock:
            for name, check in self._checks:
                status = self._new_status(name, DiagnosticStatus.ERROR, 'No message was set')
                try:
                    check(status)
                except Exception:  # a failing check is itself a diagnosis
                    status.summary(DiagnosticStatus.ERROR, f'the check failed: {traceback.format_exc(limit=1)}')
                if status.level != DiagnosticStatus.OK and self.verbose:
                    self.node.get_logger().warning(f'{status.name}: {status.message}')
                statuses.append(status)
        self._publish(statuses)

    force_update = update

    def _new_status(self, name: str, level: bytes, message: str) -> DiagnosticStatusWrapper:
        return DiagnosticStatusWrapper(level=level, message=message, name=name, hardware_id=self.hwid)

    def _publish(self, statuses: list[DiagnosticStatusWrapper]) -> None:
        name = self.node.get_fully_qualified_name() if self._use_full_name else self.node.get_name()
        for status in statuses:
            status.name = f'{name}: {status.name}'
        array = DiagnosticArray(status=statuses)
        array.header.stamp = self.node.get_clock().now().to_msg()
        self.publisher.publish(array)


def _declare(node: Node, name: str, default: Any) -> Any:
    if not node.has_parameter(name):
        node.declare_parameter(name, default)
    return node.get_parameter(name).value
