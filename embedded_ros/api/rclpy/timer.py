"""Timers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rclpy._entity import Entity
from rclpy.callback_groups import CallbackGroup
from rclpy.clock import Clock, ROSClock
from rclpy.duration import S_TO_NS

if TYPE_CHECKING:
    from rclpy.node import Node


class Timer(Entity):
    """Calls back periodically by a clock; made by Node.create_timer."""

    def __init__(
        self,
        node: Node,
        timer_period_ns: int,
        callback: Callable[[], Any],
        callback_group: CallbackGroup | None,
        clock: Clock,
        autostart: bool,
    ):
        if timer_period_ns < 0:
            raise ValueError(f'timer period must not be negative, got {timer_period_ns} ns')
        super().__init__(node, callback_group)
        self._period = timer_period_ns
        self.callback = callback
        self.clock = clock
        self._canceled = not autostart
        self._next_call = self._now() + timer_period_ns

    def _now(self) -> int:
        return self.clock.now().nanoseconds

    @property
    def timer_period_ns(self) -> int:
        """The period."""
        return self._period

    @timer_period_ns.setter
    def timer_period_ns(self, value: int) -> None:
        self._period = int(value)
        self.reset()

    def is_ready(self) -> bool:
        """Return whether the callback is due."""
        remaining = self.time_until_next_call()
        return remaining is not None and remaining <= 0

    def is_canceled(self) -> bool:
        """Return whether the timer is stopped."""
        return self._canceled

    def cancel(self) -> None:
        """Stop the timer."""
        self._canceled = True

    def reset(self) -> None:
        """Start (again) with a full period."""
        self._canceled = False
        self._next_call = self._now() + self._period
        self.node.wake_executor()

    def time_until_next_call(self) -> int | None:
        """Return the time until the next call in nanoseconds, None while stopped."""
        if self._canceled:
            return None
        now = self._now()
        if self._next_call - now > self._period:  # the clock jumped back
            self._next_call = now + self._period
        return self._next_call - now

    def wall_seconds_until_next_call(self) -> float | None:
        """Return how long an executor may sleep; None where only /clock or a reset makes the timer due."""
        remaining = self.time_until_next_call()
        if remaining is None or (isinstance(self.clock, ROSClock) and self.clock.ros_time_is_active and remaining > 0):
            return None
        return max(0, remaining) / S_TO_NS

    def take_work(self) -> Callable[[], Any] | None:
        """Return the callback when it is due; missed periods are skipped, the phase is kept."""
        if not self.is_ready():
            return None
        now = self._now()
        self._next_call += self._period
        if self._next_call <= now:
            missed = (now - self._next_call) // self._period + 1 if self._period else 0
            self._next_call += missed * self._period
        return self._call

    def _call(self) -> Any:
        return None if self._canceled else self.callback()
