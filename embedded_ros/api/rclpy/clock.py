"""Clocks: system, steady, and ROS time that /clock can take over; callbacks on time jumps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from rcl_interfaces.msg import SetParametersResult

from rclpy.duration import S_TO_NS, Duration
from rclpy.exceptions import NotInitializedException
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.time import ClockType, Time

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.subscription import Subscription

__all__ = ['Clock', 'ClockChange', 'ClockType', 'JumpHandle', 'JumpThreshold', 'ROSClock', 'TimeJump']

SIMULATED_POLL_SECONDS = 0.002
WAKE_SECONDS = 0.1


class ClockChange(IntEnum):
    """Whether the source of a clock changed at a jump."""

    ROS_TIME_NO_CHANGE = 1
    ROS_TIME_ACTIVATED = 2
    ROS_TIME_DEACTIVATED = 3
    SYSTEM_TIME_NO_CHANGE = 4


class JumpThreshold:
    """Which jumps call back: at least `min_forward`, at most `min_backward` (negative), a change of the source."""

    def __init__(self, *, min_forward: Duration | None, min_backward: Duration | None, on_clock_change: bool = True):
        if min_forward is not None and min_forward.nanoseconds <= 0:
            raise ValueError('min_forward must be a positive non-zero duration')
        if min_backward is not None and min_backward.nanoseconds >= 0:
            raise ValueError('min_backward must be a negative non-zero duration')
        if min_forward is None and min_backward is None and not on_clock_change:
            raise ValueError('At least one jump threshold must be enabled')
        self.min_forward = min_forward
        self.min_backward = min_backward
        self.on_clock_change = on_clock_change

    def is_met(self, change: ClockChange, delta: Duration) -> bool:
        """True when a jump by `delta` is to be reported."""
        if change in (ClockChange.ROS_TIME_ACTIVATED, ClockChange.ROS_TIME_DEACTIVATED):
            return self.on_clock_change
        if self.min_forward is not None and delta >= self.min_forward:
            return True
        return self.min_backward is not None and delta <= self.min_backward


@dataclass(frozen=True)
class TimeJump:
    """A jump of a clock."""

    clock_change: ClockChange
    delta: Duration


class JumpHandle:
    """A registered jump callback."""

    def __init__(
        self,
        *,
        clock: Clock,
        threshold: JumpThreshold,
        pre_callback: Callable[[], Any] | None,
        post_callback: Callable[[TimeJump], Any] | None,
    ):
        if pre_callback is None and post_callback is None:
            raise ValueError('One of pre_callback or post_callback must be callable')
        self._clock = clock
        self.threshold, self.pre_callback, self.post_callback = threshold, pre_callback, post_callback

    def unregister(self) -> None:
        """Call back no more."""
        if self in self._clock._jump_handles:
            self._clock._jump_handles.remove(self)

    def __enter__(self) -> JumpHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.unregister()


class Clock:
    """A clock of the given kind; `Clock(clock_type=ClockType.ROS_TIME)` makes a ROSClock."""

    def __new__(cls, *, clock_type: ClockType = ClockType.SYSTEM_TIME) -> Clock:
        """Choose the class by the kind of clock."""
        if not isinstance(clock_type, ClockType):
            raise TypeError('Clock type must be a ClockType enum')
        return super().__new__(ROSClock if clock_type is ClockType.ROS_TIME else cls)

    def __init__(self, *, clock_type: ClockType = ClockType.SYSTEM_TIME):
        self.clock_type = clock_type
        self._jump_handles: list[JumpHandle] = []

    def now(self) -> Time:
        """Return the current time of this clock."""
        steady = self.clock_type is ClockType.STEADY_TIME
        return Time(nanoseconds=time.monotonic_ns() if steady else time.time_ns(), clock_type=self.clock_type)

    def create_jump_callback(
        self,
        threshold: JumpThreshold,
        *,
        pre_callback: Callable[[], Any] | None = None,
        post_callback: Callable[[TimeJump], Any] | None = None,
    ) -> JumpHandle:
        """Call back around time jumps; keep the handle, `unregister()` ends it."""
        handle = JumpHandle(clock=self, threshold=threshold, pre_callback=pre_callback, post_callback=post_callback)
        self._jump_handles.append(handle)
        return handle

    def sleep_until(self, until: Time, context: Any = None) -> bool:
        """Sleep until a time of this clock; False when the context was shut down (or time went out of use) before."""
        from rclpy.utilities import get_default_context

        context = context or get_default_context()
        if not context.ok():
            raise NotInitializedException()
        if until.clock_type != self.clock_type:
            raise ValueError("until's clock type does not match this clock's type")
        interrupted = threading.Event()
        context.on_shutdown(interrupted.set)
        while context.ok():
            remaining = (until - self.now()).nanoseconds / S_TO_NS
            if remaining <= 0:
                return True
            simulated = isinstance(self, ROSClock) and self.ros_time_is_active
            interrupted.wait(SIMULATED_POLL_SECONDS if simulated else min(remaining, WAKE_SECONDS))
        return False

    def sleep_for(self, rel_time: Duration, context: Any = None) -> bool:
        """Sleep for a time span of this clock."""
        return self.sleep_until(self.now() + rel_time, context)

    def __repr__(self) -> str:
        return f'Clock(clock_type={self.clock_type.name})'


class ROSClock(Clock):
    """System time, or the time of /clock while that is active."""

    def __new__(cls) -> ROSClock:
        """Create a clock of ROS time."""
        return object.__new__(cls)

    def __init__(self, *, clock_type: ClockType = ClockType.ROS_TIME):
        super().__init__(clock_type=ClockType.ROS_TIME)
        self._override: int | None = None
        self._last_override = 0

    @property
    def ros_time_is_active(self) -> bool:
        """True while /clock drives this clock."""
        return self._override is not None

    def now(self) -> Time:
        """Return the current ROS time."""
        override = self._override
        return super().now() if override is None else Time(nanoseconds=override, clock_type=self.clock_type)

    def set_ros_time_override(self, time: Time) -> None:
        """Set the time that is returned while ROS time is active."""
        if not isinstance(time, Time) or time.clock_type is not ClockType.ROS_TIME:
            raise TypeError('Time must be specified as rclpy.time.Time of ROS_TIME')
        if self._override is None:
            self._last_override = time.nanoseconds
            return
        self._jump(ClockChange.ROS_TIME_NO_CHANGE, time.nanoseconds)

    def _set_ros_time_is_active(self, enabled: bool) -> None:
        if enabled and self._override is None:
            self._jump(ClockChange.ROS_TIME_ACTIVATED, self._last_override)
        elif not enabled and self._override is not None:
            self._last_override = self._override
            self._jump(ClockChange.ROS_TIME_DEACTIVATED, None)

    def _jump(self, change: ClockChange, override: int | None) -> None:
        new = time.time_ns() if override is None else override
        jump = TimeJump(change, Duration(nanoseconds=new - self.now().nanoseconds))
        handles = [handle for handle in self._jump_handles if handle.threshold.is_met(change, jump.delta)]
        for handle in handles:
            if handle.pre_callback is not None:
                handle.pre_callback()
        self._override = override
        for handle in handles:
            if handle.post_callback is not None:
                handle.post_callback(jump)


CLOCK_TOPIC = '/clock'
USE_SIM_TIME_NAME = 'use_sim_time'


class TimeSource:
    """Follows use_sim_time of a node; declares the parameter."""

    def __init__(self, *, node: Node, clock: ROSClock):
        self._node, self._clock = node, clock
        self._subscription: Subscription | None = None
        if not node.has_parameter(USE_SIM_TIME_NAME):
            node.declare_parameter(USE_SIM_TIME_NAME, False)
        node.add_on_set_parameters_callback(self._check)
        node.add_post_set_parameters_callback(self._follow)
        self._follow([node.get_parameter(USE_SIM_TIME_NAME)])

    @staticmethod
    def _check(parameters: list[Parameter]) -> SetParametersResult:
        for parameter in parameters:
            if parameter.name == USE_SIM_TIME_NAME and parameter.type_ is not Parameter.Type.BOOL:
                return SetParametersResult(successful=False, reason=f'{USE_SIM_TIME_NAME} must be a bool')
        return SetParametersResult(successful=True)

    def _follow(self, parameters: list[Parameter]) -> None:
        for parameter in parameters:
            if parameter.name == USE_SIM_TIME_NAME:
                self._enable(parameter.value)

    def _enable(self, enabled: bool) -> None:
        if enabled and self._subscription is None:
            from rosgraph_msgs.msg import Clock

            qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
            self._clock._set_ros_time_is_active(True)
            self._subscription = self._node.create_subscription(Clock, CLOCK_TOPIC, self._receive, qos)
        elif not enabled and self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None
            self._clock._set_ros_time_is_active(False)

    def _receive(self, message: Any) -> None:
        self._clock.set_ros_time_override(Time.from_msg(message.clock))
