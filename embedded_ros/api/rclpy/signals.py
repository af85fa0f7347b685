"""Signal handlers: SIGINT and SIGTERM shut the default context down."""

from __future__ import annotations

import signal
import threading
from enum import IntEnum
from typing import Any

from rclpy.context import Context


class SignalHandlerOptions(IntEnum):
    """Which signals rclpy.init() handles."""

    NO = 0
    SIGINT = 1
    SIGTERM = 2
    ALL = 3


_previous: dict[int, Any] = {}


def install_signal_handlers(options: SignalHandlerOptions, context: Context) -> None:
    """Shut `context` down on the chosen signals, then do what was done before (SIGINT: KeyboardInterrupt)."""
    if threading.current_thread() is not threading.main_thread():
        return
    uninstall_signal_handlers()
    for number, option in (
        (signal.SIGINT, SignalHandlerOptions.SIGINT),
        (signal.SIGTERM, SignalHandlerOptions.SIGTERM),
    ):
        if options & option:
            _previous[number] = signal.getsignal(number)
            signal.signal(number, lambda received, frame: _handle(received, frame, context))


def _handle(number: int, frame: Any, context: Context) -> None:
    previous = _previous.get(number)
    context.try_shutdown(reason=f'signal {number}')
    if callable(previous):
        previous(number, frame)


def uninstall_signal_handlers() -> None:
    """Restore the handlers that were there before."""
    if threading.current_thread() is threading.main_thread():
        for number, handler in _previous.items():
            signal.signal(number, handler)
        _previous.clear()
