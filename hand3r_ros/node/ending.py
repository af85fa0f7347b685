"""Ends a process with exit code 0 on SIGINT and SIGTERM, however many arrive and at any moment.

``ros2 launch`` and the terminal each send a SIGINT, a launch that waits too long adds SIGTERM: the first asks to end,
all others are ignored, so that no KeyboardInterrupt strikes what tidies up. While modules are imported there is nothing
to tidy up, and the process ends at once. Later rclpy's own handlers shut the context down, which ends spinning; they
also call the handlers that they found, which are those of this module. What then takes too long (weights being read, a
large network at work) is cut off.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
GRACE_SECONDS = 4.0  # launch sends SIGTERM after 5 s


def end_at_once_when_asked() -> None:
    """From now on a signal ends the process with 0: for the time before there is anything to tidy up."""
    for number in SIGNALS:
        signal.signal(number, _end_at_once)


def _end_at_once(number: int, frame: Any) -> None:
    os._exit(0)


class Ending:
    """Takes note of the first signal and sees to it that the process ends soon after; main thread only."""

    def __init__(self, grace_seconds: float | None = GRACE_SECONDS) -> None:
        """Take the signals over, which has to happen before ``rclpy.init``: that passes on only to what it finds.

        ``grace_seconds`` is the time to tidy up after a signal; None: as long as it takes.
        """
        self._grace_seconds = grace_seconds
        self._has_begun = False
        self.requested = False
        for number in SIGNALS:
            signal.signal(number, self._on_signal)

    def begin(self) -> None:
        """From now on there is something to tidy up (until then a signal ends the process at once)."""
        self._has_begun = True

    def leave(self, code: int) -> int:
        """Last of all, after ``rclpy.shutdown``: give the exit code, deaf to signals from now on.

        After a signal, or while other threads still run, the process ends here: the interpreter's own end takes seconds
        with PyTorch loaded, and stops threads in the middle of native code, which can abort the process.
        """
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # for other handlers the interpreter's end puts back the default
        if self.requested or threading.active_count() > 1:
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):  # nobody reads any more
                    stream.flush()
            os._exit(code)
        return code

    def _on_signal(self, number: int, frame: Any) -> None:
        if not self._has_begun:
            os._exit(0)
        if self.requested:
            return
        self.requested = True
        if self._grace_seconds is not None:
            threading.Thread(target=_cut_off, args=(self._grace_seconds,), name='ending', daemon=True).start()


def _cut_off(seconds: float) -> None:
    time.sleep(seconds)
    os._exit(0)
