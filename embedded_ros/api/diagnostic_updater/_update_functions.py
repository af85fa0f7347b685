"""Ready-made checks: rates, stamps, a heartbeat."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.constants import S_TO_NS
from rclpy.time import Time

from diagnostic_updater._diagnostic_status_wrapper import DiagnosticStatusWrapper
from diagnostic_updater._tasks import DiagnosticTask


class FrequencyStatusParam:
    """`freq_bound` is a dict with 'min' and 'max' in Hz; `tolerance` a fraction of both; `window_size` in updates."""

    def __init__(self, freq_bound: dict[str, float], tolerance: float = 0.1, window_size: int = 5):
        self.freq_bound = freq_bound
        self.tolerance = tolerance
        self.window_size = window_size


class FrequencyStatus(DiagnosticTask):
    """Checks how often `tick` is called, over the last `window_size` updates."""

    def __init__(self, params: FrequencyStatusParam, name: str = 'FrequencyStatus'):
        super().__init__(name)
        self.params = params
        self._clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Start counting again."""
        with self._lock:
            self._count = 0
            # (time in ns, count) at the last updates
            window = max(self.params.window_size, 1)
            self._history = deque([(self._clock.now().nanoseconds, 0)], maxlen=window)

    def tick(self) -> None:
        """Count an event."""
        with self._lock:
            self._count += 1

    def run(self, stat: DiagnosticStatusWrapper) -> Any:
        """Fill the status with the rate."""
        with self._lock:
            now, total = self._clock.now().nanoseconds, self._count
            start, count_then = self._history[0]
            self._history.append((now, total))
        seconds, events = (now - start) / S_TO_NS, total - count_then
        rate = events / seconds if seconds > 0 else 0.0
        low, high, tolerance = self.params.freq_bound['min'], self.params.freq_bound['max'], self.params.tolerance
        if events == 0:
            stat.summary(DiagnosticStatus.ERROR, 'No events recorded.')
        elif rate < low * (1 - tolerance):
            stat.summary(DiagnosticStatus.WARN, 'Frequency too low.')
        elif rate > high * (1 + tolerance):
            stat.summary(DiagnosticStatus.WARN, 'Frequency too high.')
        else:
            stat.summary(DiagnosticStatus.OK, 'Desired frequency met')
        stat.add('Events in window', events)
        stat.add('Events since startup', total)
        stat.add('Duration of window (s)', f'{seconds:f}')
        stat.add('Actual frequency (Hz)', f'{rate:f}')
        if low == high:
            stat.add('Target frequency (Hz)', f'{low:f}')
        if low > 0:
            stat.add('Minimum acceptable frequency (Hz)', f'{low * (1 - tolerance):f}')
        if high != float('inf'):
            stat.add('Maximum acceptable frequency (Hz)', f'{high * (1 + tolerance):f}')
        return stat


class TimeStampStatusParam:
    """Acceptable age of stamps in seconds: `min_acceptable` (negative: in the future) to `max_acceptable`."""

    def __init__(self, min_acceptable: float = -1, max_acceptable: float = 5):
        self.min_acceptable = min_acceptable
        self.max_acceptable = max_acceptable


class TimeStampStatus(DiagnosticTask):
    """Checks the age of the stamps given to `tick`."""

    def __init__(self, params: TimeStampStatusParam | None = None, name: str = 'Timestamp Status'):
        super().__init__(name)
        self.params = params or TimeStampStatusParam()
        self._clock = Clock(clock_type=ClockType.ROS_TIME)
        self._lock = threading.Lock()
        self._early = self._late = self._zero = 0
        self._ages: list[float] = []

    def tick(self, stamp: Any) -> None:
        """Check a stamp: a Time, a builtin_interfaces/Time, or seconds."""
        if isinstance(stamp, (int, float)):
            nanoseconds = int(stamp * S_TO_NS)
        else:
            nanoseconds = (stamp if isinstance(stamp, Time) else Time.from_msg(stamp)).nanoseconds
        with self._lock:
            if nanoseconds == 0:
                self._zero += 1
            else:
                self._ages.append((self._clock.now().nanoseconds - nanoseconds) / S_TO_NS)

    def run(self, stat: DiagnosticStatusWrapper) -> Any:
        """Fill the status with the ages since the last update."""
        with self._lock:
            ages, self._ages = self._ages, []
            has_zero, self._zero = self._zero > 0, 0
        stat.summary(DiagnosticStatus.OK, 'Timestamps are reasonable.')
        if not ages and not has_zero:
            stat.summary(DiagnosticStatus.WARN, 'No data since last update.')
        if ages and min(ages) < self.params.min_acceptable:
            stat.summary(DiagnosticStatus.ERROR, 'Timestamps too far in future seen.')
            self._early += 1
        if ages and max(ages) > self.params.max_acceptable:
            stat.summary(DiagnosticStatus.ERROR, 'Timestamps too far in past seen.')
            self._late += 1
        if has_zero:
            stat.summary(DiagnosticStatus.ERROR, 'Zero timestamp seen.')
        stat.add('Earliest timestamp delay:', f'{min(ages, default=0.0):f}')
        stat.add('Latest timestamp delay:', f'{max(ages, default=0.0):f}')
        stat.add('Earliest acceptable timestamp delay:', f'{self.params.min_acceptable:f}')
        stat.add('Latest acceptable timestamp delay:', f'{self.params.max_acceptable:f}')
        stat.add('Late diagnostic update count:', self._late)
        stat.add('Early diagnostic update count:', self._early)
        return stat


class Heartbeat(DiagnosticTask):
    """Always well: shows that the node is alive."""

    def __init__(self) -> None:
        super().__init__('Heartbeat')

    def run(self, stat: DiagnosticStatusWrapper) -> Any:
        """Fill the status."""
        stat.summary(DiagnosticStatus.OK, 'Alive')
        return stat
