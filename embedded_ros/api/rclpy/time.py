"""Points in time of one of the clocks."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from rclpy.duration import S_TO_NS, Duration, total_nanoseconds


class ClockType(IntEnum):
    """Kind of a clock or time."""

    UNINITIALIZED = 0
    ROS_TIME = 1
    SYSTEM_TIME = 2
    STEADY_TIME = 3


class Time:
    """Nanoseconds since the epoch of a clock; times of different clocks cannot be compared."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, *, seconds: float = 0, nanoseconds: float = 0, clock_type: ClockType = ClockType.SYSTEM_TIME):
        if not isinstance(clock_type, ClockType):
            raise TypeError('Clock type must be a ClockType enum')
        if seconds < 0 or nanoseconds < 0:
            raise ValueError('Seconds and nanoseconds value must not be negative')
        self._nanoseconds = total_nanoseconds(seconds, nanoseconds)
        self.clock_type = clock_type

    @property
    def nanoseconds(self) -> int:
        """Nanoseconds since the epoch."""
        return self._nanoseconds

    def seconds_nanoseconds(self) -> tuple[int, int]:
        """Whole seconds and remaining nanoseconds."""
        return divmod(self._nanoseconds, S_TO_NS)

    def _same_clock(self, other: Time, action: str) -> None:
        if self.clock_type != other.clock_type:
            raise TypeError(f"Can't {action} times with different clock types")

    def __add__(self, other: Duration) -> Time:
        if not isinstance(other, Duration):
            return NotImplemented
        return Time(nanoseconds=self._nanoseconds + other.nanoseconds, clock_type=self.clock_type)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, Time):
            self._same_clock(other, 'subtract')
            return Duration(nanoseconds=self._nanoseconds - other._nanoseconds)
        if isinstance(other, Duration):
            return Time(nanoseconds=self._nanoseconds - other.nanoseconds, clock_type=self.clock_type)
        return NotImplemented

    def _compare(self, other: object) -> int | None:
        if not isinstance(other, Time):
            return None
        self._same_clock(other, 'compare')
        return self._nanoseconds - other._nanoseconds

    def __eq__(self, other: object) -> bool:
        return self._compare(other) == 0

    def __lt__(self, other: Time) -> bool:
        difference = self._compare(other)
        return NotImplemented if difference is None else difference < 0

    def __le__(self, other: Time) -> bool:
        difference = self._compare(other)
        return NotImplemented if difference is None else difference <= 0

    def __gt__(self, other: Time) -> bool:
        difference = self._compare(other)
        return NotImplemented if difference is None else difference > 0

    def __ge__(self, other: Time) -> bool:
        difference = self._compare(other)
        return NotImplemented if difference is None else difference >= 0

    def __repr__(self) -> str:
        return f'Time(nanoseconds={self._nanoseconds}, clock_type={self.clock_type.name})'

    def to_msg(self) -> Any:
        """Return a builtin_interfaces/Time."""
        from builtin_interfaces.msg import Time as TimeMessage

        seconds, nanoseconds = self.seconds_nanoseconds()
        return TimeMessage(sec=seconds, nanosec=nanoseconds)

    @classmethod
    def from_msg(cls, msg: Any, clock_type: ClockType = ClockType.ROS_TIME) -> Time:
        """Create from a builtin_interfaces/Time."""
        from builtin_interfaces.msg import Time as TimeMessage

        if not isinstance(msg, TimeMessage):
            raise TypeError('Must pass a builtin_interfaces.msg.Time object')
        return cls(seconds=msg.sec, nanoseconds=msg.nanosec, clock_type=clock_type)
