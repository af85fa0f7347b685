"""Returns freed memory to the system, so that a process that runs for weeks keeps its size.

The C library keeps what is freed in the middle of its heaps for later. Clouds, maps and images of ever other sizes
leave holes there that are too small for the next ones, and for hours the process grows although nothing it holds does.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable

PERIOD = 30.0
"""Seconds; giving back takes about a millisecond for every four megabytes."""


class HeapTrimmer:
    """Gives back from time to time; where the C library cannot (other than glibc), it does nothing."""

    def __init__(self, period: float = PERIOD, clock: Callable[[], float] = time.monotonic) -> None:
        """``period`` in seconds between two times, of a ``clock`` in seconds."""
        self._period = period
        self._clock = clock
        self._last = clock()
        self._malloc_trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)

    def trim_if_due(self) -> None:
        """For the thread that makes most of the garbage; others can go on meanwhile."""
        now = self._clock()
        if self._malloc_trim is not None and now - self._last >= self._period:
            self._last = now
            self._malloc_trim(ctypes.c_size_t(0))
