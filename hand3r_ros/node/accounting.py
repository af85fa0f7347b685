"""Statistics of the input: counters for status and diagnostics, and one throttled log line per reason."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from hand3r_ros.node.names import shortened

LONGEST_MESSAGE = 500
"""Characters of a rejection that are logged and kept: the last resort, names in it are shortened before."""
MOST_NOTES = 20
"""Different messages that are said once; more of them come from an input that changes all the time."""


@dataclass(frozen=True)
class Counters:
    """Counts since the node was configured."""

    received: int = 0
    processed: int = 0
    dropped: int = 0  # overtaken by a newer image
    too_old: int = 0  # skipped because of max_image_age
    rejected: int = 0  # unusable input
    without_detections: int = 0  # detections were expected but did not come in time
    last_error: str = ''
    by_cause: dict[str, int] = field(default_factory=dict)  # rejections by short cause
    warnings: tuple[str, ...] = ()  # what is wrong now, beside rejections
    notes: tuple[str, ...] = ()  # what was said once, about what stays as it is


class Accounting:
    """Thread-safe counters; every rejection names its topic and cause in a log line of at most one per ``period``."""

    def __init__(
        self,
        warn: Callable[[str], object],
        period: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._warn = warn
        self._period = period
        self._clock = clock
        self._lock = threading.Lock()
        self._last_logged: dict[tuple[str, str], float] = {}
        self._warnings: dict[tuple[str, str], tuple[float, str]] = {}  # the newest of each cause, and when that was
        self._notes: dict[str, None] = {}  # in the order in which they were said
        self.clear()

    def clear(self) -> None:
        """Begin to count from zero."""
        with self._lock:
            self._counts = dict.fromkeys(('received', 'processed', 'dropped', 'too_old', 'without_detections'), 0)
            self._by_cause: dict[str, int] = {}
            self._last_error = ''
            self._warnings.clear()
            self._notes.clear()

    def count(self, name: str, number: int = 1) -> None:
        """Add to one of received, processed, dropped, too_old, without_detections."""
        with self._lock:
            self._counts[name] += number

    def reject(self, topic: str, cause: str, message: str) -> None:
        """Count unusable input and log it, unless the same cause on the same topic was logged a moment ago."""
        message = shortened(message, LONGEST_MESSAGE)
        with self._lock:
            self._by_cause[cause] = self._by_cause.get(cause, 0) + 1
            self._last_error = f'{topic}: {message}'
        self._log(topic, cause, message)

    def warn(self, topic: str, cause: str, message: str) -> None:
        """Log without counting, throttled per topic and cause; ``counters().warnings`` holds it for a while."""
        with self._lock:
            self._warnings[topic, cause] = (self._clock(), f'{topic}: {shortened(message, LONGEST_MESSAGE)}')
        self._log(topic, cause, message)

    def warn_once(self, topic: str, message: str) -> None:
        """Log, without counting, what stays as it is: the same message once until the node is configured again.

        It stays among the warnings for as long as it is repeated.
        """
        note = f'{topic}: {shortened(message, LONGEST_MESSAGE)}'
        with self._lock:
            is_new = note not in self._notes
            if is_new and len(self._notes) >= MOST_NOTES:
                return
            self._notes[note] = None
            self._warnings[topic, note] = (self._clock(), note)
        if is_new:
            self._warn(note)

    def counters(self) -> Counters:
        """A consistent copy of all counts."""
        with self._lock:
            return Counters(
                **self._counts,
                rejected=sum(self._by_cause.values()),
                last_error=self._last_error,
                by_cause=dict(self._by_cause),
                warnings=tuple(text for at, text in self._warnings.values() if self._clock() - at < self._period),
                notes=tuple(self._notes),
            )

    def _log(self, topic: str, cause: str, message: str) -> None:
        now = self._clock()
        with self._lock:
            last = self._last_logged.get((topic, cause))
            if last is not None and now - last < self._period:
                return
            self._last_logged[topic, cause] = now
        self._warn(f'{topic}: {message}')
