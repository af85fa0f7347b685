"""Loggers: console output in ROS 2's format, filters, and forwarding to /rosout."""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Callable
from enum import IntEnum
from typing import Any

from rclpy.duration import S_TO_NS

__all__ = [
    'LoggingSeverity',
    'get_logger',
    'get_logger_effective_level',
    'get_logger_level',
    'get_logging_severity_from_string',
    'set_logger_level',
]


class LoggingSeverity(IntEnum):
    """Severity of a log line, and level of a logger."""

    UNSET = 0
    DEBUG = 10
    INFO = 20
    WARN = 30
    ERROR = 40
    FATAL = 50


ROOT = ''
_levels: dict[str, LoggingSeverity] = {ROOT: LoggingSeverity.INFO}
_last_calls: dict[tuple[str, int], float] = {}
# Logger name of a node -> what publishes its lines on /rosout.
rosout_sinks: dict[str, Callable[[str, LoggingSeverity, str, int, Any], None]] = {}


def _ancestors(name: str) -> list[str]:
    """['a.b', 'a', ''] for 'a.b'."""
    parts = name.split('.') if name else []
    return ['.'.join(parts[:count]) for count in range(len(parts), 0, -1)] + [ROOT]


def get_logger_effective_level(name: str) -> LoggingSeverity:
    """Level of this logger, or of its closest ancestor that has one."""
    return next(_levels[known] for known in _ancestors(name) if _levels.get(known, LoggingSeverity.UNSET))


def get_logger_level(name: str) -> LoggingSeverity:
    """Level set for this very logger."""
    return _levels.get(name, LoggingSeverity.UNSET)


def set_logger_level(name: str, level: int) -> None:
    """Set the level of a logger ('' is the root of all)."""
    _levels[name] = LoggingSeverity(level)


def get_logging_severity_from_string(log_severity: str) -> LoggingSeverity:
    """Severity of a name such as 'debug'."""
    try:
        return LoggingSeverity[log_severity.upper()]
    except KeyError:
        raise RuntimeError(f'Invalid log level {log_severity!r}: use one of debug, info, warn, error, fatal') from None


class RcutilsLogger:
    """A named logger."""

    def __init__(self, name: str = ''):
        self.name = name

    def get_child(self, name: str) -> RcutilsLogger:
        """Return the logger '<this>.<name>'."""
        if not name:
            raise ValueError('Need non-empty child name')
        return RcutilsLogger(f'{self.name}.{name}' if self.name else name)

    def set_level(self, level: int) -> None:
        """Drop lines below this level."""
        set_logger_level(self.name, level)

    def get_effective_level(self) -> LoggingSeverity:
        """Return the level below which lines are dropped."""
        return get_logger_effective_level(self.name)

    def is_enabled_for(self, severity: int) -> bool:
        """Return whether lines of this severity are written."""
        return severity >= self.get_effective_level()

    def log(
        self,
        message: str,
        severity: int,
        *,
        once: bool = False,
        skip_first: bool = False,
        throttle_duration_sec: float | None = None,
        throttle_time_source_type: Any = None,
        name: str | None = None,
    ) -> bool:
        """Write a line; False when a filter or the level dropped it.

        The filters count per line of code that logs: `once` writes the first only, `skip_first` all but the first,
        `throttle_duration_sec` at most one per that many seconds (always of the steady clock here).
        """
        severity = LoggingSeverity(severity)
        logger_name = self.name if name is None else name
        if severity < get_logger_effective_level(logger_name):
            return False
        caller = _caller()
        filtered = once or skip_first or throttle_duration_sec is not None
        if filtered and not _passes(caller, once, skip_first, throttle_duration_sec):
            return False
        stamp = time.time_ns()
        line = f'[{severity.name}] [{stamp / S_TO_NS:.9f}] [{logger_name}]: {message}'
        print(line, file=sys.stderr, flush=True)
        for known in _ancestors(logger_name):
            if known in rosout_sinks:
                rosout_sinks[known](logger_name, severity, str(message), stamp, caller)
                break
        return True

    def debug(self, message: str, **filters: Any) -> bool:
        """Log a DEBUG line."""
        return self.log(message, LoggingSeverity.DEBUG, **filters)

    def info(self, message: str, **filters: Any) -> bool:
        """Log an INFO line."""
        return self.log(message, LoggingSeverity.INFO, **filters)

    def warning(self, message: str, **filters: Any) -> bool:
        """Log a WARN line."""
        return self.log(message, LoggingSeverity.WARN, **filters)

    warn = warning

    def error(self, message: str, **filters: Any) -> bool:
        """Log an ERROR line."""
        return self.log(message, LoggingSeverity.ERROR, **filters)

    def fatal(self, message: str, **filters: Any) -> bool:
        """Log a FATAL line."""
        return self.log(message, LoggingSeverity.FATAL, **filters)


def _caller() -> inspect.Traceback:
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    if frame is None:
        return inspect.Traceback('', 0, '', None, None)
    return inspect.Traceback(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name, None, None)


def _passes(caller: inspect.Traceback, once: bool, skip_first: bool, throttle: float | None) -> bool:
    key, now = (caller.filename, caller.lineno), time.monotonic()
    last = _last_calls.get(key)
    if last is None:
        _last_calls[key] = now
        return not skip_first
    if once or (throttle is not None and now - last < throttle):
        return False
    _last_calls[key] = now
    return True


def get_logger(name: str) -> RcutilsLogger:
    """Return the logger of this name."""
    if not name:
        raise ValueError('Logger name must not be empty.')
    return RcutilsLogger(name)
