"""Runs the checks of a node and publishes their results."""

from __future__ import annotations

import threading
import traceback
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from rclpy.parameter import Parameter

from diagnostic_updater._diagnostic_status_wrapper import DiagnosticStatusWrapper
from diagnostic_updater._tasks import DiagnosticTask, FunctionDiagnosticTask

PERIOD_PARAMETER = 'diagnostic_updater.period'
FULL_NAME_PARAMETER = 'diagnostic_updater.use_fqn'


class Updater:
    """Publishes all checks every `period` seconds (parameter diagnostic_updater.period)."""

    def __init__(self, node: Node, period: float = 1.0):
        self.node = node
        self.verbose = False
        self.hwid = ''
        self._tasks: list[DiagnosticTask] = []
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

    def add(self, *args: Any) -> None:
        """Add a check: add(task), add(name, function) or add(name, object with run)."""
        if len(args) == 1:
            task = args[0]
        elif callable(args[1]):
            task = FunctionDiagnosticTask(args[0], args[1])
        else:
            task = FunctionDiagnosticTask(args[0], args[1].run)
        with self._lock:
            self._tasks.append(task)
            self._publish([self._new_status(task, DiagnosticStatus.OK, 'Node starting up')])

    def removeByName(self, name: str) -> bool:  # noqa: N802 - ROS 2's name
        """Remove a check; False when there is none of this name."""
        with self._lock:
            before = len(self._tasks)
            self._tasks = [task for task in self._tasks if task.getName() != name]
            return len(self._tasks) < before

    def setHardwareID(self, hwid: str) -> None:  # noqa: N802 - ROS 2's name
        """Set what the statuses name as hardware."""
        self.hwid = hwid

    def update(self) -> None:
        """Run all checks and publish."""
        statuses = []
        with self._lock:
            for task in self._tasks:
                status = self._new_status(task, DiagnosticStatus.ERROR, 'No message was set')
                try:
                    status = task.run(status) or status
                except Exception:  # a failing check is itself a diagnosis
                    status.summary(DiagnosticStatus.ERROR, f'the check failed: {traceback.format_exc(limit=1)}')
                if status.level != DiagnosticStatus.OK and self.verbose:
                    self.node.get_logger().warning(f'{status.name}: {status.message}')
                statuses.append(status)
        self._publish(statuses)

    force_update = update

    def broadcast(self, lvl: bytes, msg: str) -> None:
        """Publish the same level and message for all checks."""
        with self._lock:
            self._publish([self._new_status(task, lvl, msg) for task in self._tasks])

    def _new_status(self, task: DiagnosticTask, level: bytes, message: str) -> DiagnosticStatusWrapper:
        return DiagnosticStatusWrapper(level=level, message=message, name=task.getName(), hardware_id=self.hwid)

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
