"""Runs launch descriptions: one loop over events and timers, in the thread that calls run."""

from __future__ import annotations

import contextlib
import queue
import signal
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

from . import logging
from .events import Event, IncludeLaunchDescription, Shutdown
from .launch_context import LaunchContext
from .launch_description import LaunchDescription, visit_all

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _SignalShutdown(Shutdown):
    """A shutdown because of a signal to this process."""


class LaunchService:
    """Runs launch descriptions until all their processes ended and no timer is pending."""

    def __init__(
        self, *, argv: Sequence[str] | None = None, noninteractive: bool | None = None, debug: bool = False
    ) -> None:
        self._context = LaunchContext(argv=argv, noninteractive=bool(noninteractive))
        self._debug = debug
        self._logger = logging.get_logger()
        self._return_code = 0

    @property
    def context(self) -> LaunchContext:
        """The context of this launch."""
        return self._context

    def include_launch_description(self, launch_description: LaunchDescription) -> None:
        """Visit a description when the service runs."""
        self._context.emit_event(IncludeLaunchDescription(launch_description))

    def emit_event(self, event: Event) -> None:
        """Queue an event; safe in every thread."""
        self._context.emit_event(event)

    def shutdown(self, force_sync: bool = False) -> None:
        """Ask the launch to end; safe in every thread. run returns when all processes are gone."""
        self.emit_event(Shutdown(reason='LaunchService.shutdown() called'))

    def run(self, *, shutdown_when_idle: bool = True) -> int:
        """Work until shutdown, or until idle; return 0, or 1 if the launch itself failed."""
        self._return_code = 0
        folder = logging.open_log_file()
        self._logger.info('All log files can be found below %s', folder)
        try:
            with self._signals():
                self._loop(shutdown_when_idle)
        finally:
            logging.close_log_file()
        return self._return_code

    def _loop(self, shutdown_when_idle: bool) -> None:
        while True:
            if self._is_idle():
                if self._context.is_shutdown:
                    return
                if shutdown_when_idle:
                    self.emit_event(Shutdown(reason='idle'))
            try:
                event = self._context.events.get(timeout=self._seconds_to_next_timer())
            except queue.Empty:
                self._guarded(self._context.run_due_timers)
            else:
                self._guarded(self._process, event)
                self._guarded(self._context.run_due_timers)

    def _is_idle(self) -> bool:
        context = self._context
        return not context.running and context.next_due() is None and context.events.empty()

    def _seconds_to_next_timer(self) -> float | None:
        due = self._context.next_due()
        return None if due is None else max(0.0, due - time.monotonic())

    def _guarded(self, function: Any, *arguments: Any) -> None:
        """Call `function`; an error ends the launch cleanly instead of leaving processes behind."""
        try:
            function(*arguments)
        except Exception as error:
            self._logger.error('Caught exception in launch (see debug for traceback): %s', describe_error(error))
            if self._debug:
                self._logger.error('%s', traceback.format_exc())
            self._return_code = 1
            self.emit_event(Shutdown(reason=f'Caught exception in launch: {describe_error(error)}'))

    def _process(self, event: Event) -> None:
        if isinstance(event, IncludeLaunchDescription):
            visit_all([event.launch_description], self._context)
            return
        if isinstance(event, Shutdown) and not self._begin_shutdown(event):
            return
        context = self._context
        for handler in [handler for handler in context.event_handlers if handler.matches(event)]:
            if handler.handle_once and handler in context.event_handlers:
                context.unregister_event_handler(handler)
            context.current_event = event
            visit_all(handler.handle(event, context), context)

    def _begin_shutdown(self, event: Shutdown) -> bool:
        """Return whether this is the first time; later ones change nothing, as the first escalates by itself."""
        if isinstance(event, _SignalShutdown):
            action = 'already shutting down' if self._context.is_shutdown else 'shutting down'
            self._logger.warning('%s received, %s', event.reason, action)
        if self._context.is_shutdown:
            return False
        self._context.is_shutdown = True
        return True

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Turn SIGINT, SIGTERM and SIGHUP into shutdown, where this is the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        previous = {number: signal.signal(number, self._on_signal) for number in ENDING_SIGNALS}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _on_signal(self, number: int, frame: Any) -> None:
        # Runs between two instructions of the loop, perhaps within a write to the screen: it only queues.
        self.emit_event(_SignalShutdown(reason=signal.Signals(number).name, due_to_sigint=number == signal.SIGINT))


def describe_error(error: BaseException) -> str:
    """Return the text of an error, or its type where it has none."""
    return str(error) or type(error).__name__
