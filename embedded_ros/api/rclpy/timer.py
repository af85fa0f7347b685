"""Timers and rates."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rclpy._entity import Entity
from rclpy.callback_groups import CallbackGroup
from rclpy.clock import Clock, ROSClock
from rclpy.constants import S_TO_NS
from rclpy.exceptions import ROSInterruptException

if TYPE_CHECKING:
    from rclpy.context import Context
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
        self._last_call = self._now()
        self._next_call = self._last_call + timer_period_ns

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

    def time_since_last_call(self) -> int:
        """Return the time since the last call, in nanoseconds."""
        return self._now() - self._last_call

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
        self._last_call = now = self._now()
        self._next_call += self._period
        if self._next_call <= now:
            missed = (now - self._next_call) // self._period + 1 if self._period else 0
            self._next_call += missed * self._period
        return self._call

    def _call(self) -> Any:
        return None if self._canceled else self.callback()


class Rate:
    """Lets a loop run at the rate of a timer, which another thread has to spin."""

    def __init__(self, timer: Timer, context: Context):
        self.timer, self._context = timer, context
        self._tick = threading.Event()
        self._destroyed = False
        timer.callback = self._tick.set
        context.on_shutdown(self._tick.set)

    def sleep(self) -> None:
        """Wait for the next tick; ROSInterruptException when the context is shut down."""
        if self._context.ok() and not self._destroyed:
            self._tick.wait()
            self._tick.clear()
        if not self._context.ok():
            raise ROSInterruptException()

    def destroy(self) -> None:
        """Let go of who sleeps."""
        self._destroyed = True
        self._tick.set()
