"""/diagnostics: life cycle, input and reconstruction."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_updater import Updater
from rclpy.node import Node

from hand3r_msgs.msg import Hand3RStatus
from hand3r_ros.node.accounting import Accounting, Counters
from hand3r_ros.node.callbacks import CallbackFailures
from hand3r_ros.node.messages import FrameReport

_SCALE_NAMES = {
    Hand3RStatus.SCALE_NETWORK: 'predicted by the network',
    Hand3RStatus.SCALE_DEPTH: 'measured by the depth camera',
    Hand3RStatus.SCALE_EARLIER_DEPTH: 'predicted, scaled as the depth camera said for earlier images',
}
SILENCE_SECONDS = 5.0
_STATE_NAMES = {
    Hand3RStatus.UNKNOWN: 'no image processed yet',
    Hand3RStatus.OK: 'tracking',
    Hand3RStatus.LOST: 'the camera pose is lost',
    Hand3RStatus.UNCALIBRATED: 'no usable CameraInfo: the focal length is estimated',
}


@dataclass(frozen=True)
class NodeHealth:
    """What the diagnostics are made from."""

    lifecycle: str  # unconfigured, inactive or active
    problem: str  # why configuring failed, empty if it did not
    image_topic: str
    report: FrameReport | None  # of the image processed last; None while unconfigured
    is_paused: bool = False  # by ~/enable


class Diagnostics:
    """Reports once per second through diagnostic_updater, in every state of the life cycle."""

    def __init__(
        self, node: Node, accounting: Accounting, failures: CallbackFailures, health: Callable[[], NodeHealth]
    ) -> None:
        self._accounting = accounting
        self._failures = failures
        self._failures_reported = 0
        self._health = health
        self._last = Counters()
        self._last_image = time.monotonic()
        self._updater = Updater(node)
        self._updater.setHardwareID('hand3r')
        self._updater.add('node', self._describe_node)
        self._updater.add('input', self._describe_input)
        self._updater.add('reconstruction', self._describe_reconstruction)

    def _describe_node(self, status: Any) -> Any:
        health = self._health()
        failures, self._failures_reported = self._failures_reported, self._failures.count
        if health.problem:
            status.summary(DiagnosticStatus.ERROR, health.problem)
        elif self._failures_reported > failures:
            status.summary(DiagnosticStatus.ERROR, f'a callback failed: {self._failures.last}')
        elif health.lifecycle == 'active' and health.is_paused:
            status.summary(DiagnosticStatus.OK, 'active, but ~/enable said to ignore images')
        elif health.lifecycle == 'active':
            status.summary(DiagnosticStatus.OK, 'active')
        else:
            status.summary(DiagnosticStatus.WARN, health.lifecycle)
        status.add('failed_callbacks', str(self._failures_reported))
        status.add('last_failed_callback', self._failures.last)
        return status

    def _describe_input(self, status: Any) -> Any:
        counters, last, health = self._accounting.counters(), self._last, self._health()
        self._last = counters
        now = time.monotonic()
        if counters.received != last.received or health.lifecycle != 'active' or health.is_paused:
            self._last_image = now
        if counters.rejected > last.rejected:
            status.summary(DiagnosticStatus.WARN, counters.last_error)
        elif now - self._last_image > SILENCE_SECONDS:
            status.summary(DiagnosticStatus.WARN, f'no image on {health.image_topic} for {SILENCE_SECONDS:g} s')
        elif counters.warnings:
            status.summary(DiagnosticStatus.WARN, '; '.join(counters.warnings))
        else:
            status.summary(DiagnosticStatus.OK, 'ok')
        for name in ('received', 'processed', 'dropped', 'too_old', 'rejected', 'without_detections', 'last_error'):
            status.add(name, str(getattr(counters, name)))
        for cause, number in sorted(counters.by_cause.items()):
            status.add(f'rejected: {cause}', str(number))
        for number, warning in enumerate(counters.warnings, 1):
            status.add(f'warning {number}', warning)
        for number, note in enumerate(counters.notes, 1):
            status.add(f'note {number}', note)
        return status

    def _describe_reconstruction(self, status: Any) -> Any:
        report = self._health().report
        if report is None:
            status.summary(DiagnosticStatus.OK, 'not configured')
            return status
        bad = report.state in (Hand3RStatus.LOST, Hand3RStatus.UNCALIBRATED)
        status.summary(DiagnosticStatus.WARN if bad else DiagnosticStatus.OK, _STATE_NAMES[report.state])
        status.add('session', str(report.session_id))
        status.add('frame', str(report.frame_index))
        status.add('hands', str(report.hands))
        status.add('scale', _SCALE_NAMES[report.scale_source])
        for name in ('decode', 'detect', 'inference', 'publish', 'image_age'):
            status.add(f'{name}_seconds', f'{getattr(report, name + "_seconds"):.4f}')
        return status
