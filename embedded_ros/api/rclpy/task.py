"""Futures: results that arrive later."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from typing import Any


class Future:
    """A result set by another thread or by a callback."""

    def __init__(self, *, executor: Any = None):
        self._result: Any = None
        self._exception: BaseException | None = None
        self._done = False
        self._cancelled = False
        self._callbacks: list[Callable[[Future], Any]] = []
        self._lock = threading.Lock()

    def done(self) -> bool:
        """Return whether a result or an exception was set."""
        return self._done

    def cancelled(self) -> bool:
        """Return whether the future was cancelled."""
        return self._cancelled

    def cancel(self) -> None:
        """Give up waiting; done callbacks are called."""
        self._finish(None, None, cancelled=True)

    def result(self) -> Any:
        """Return the result (None while there is none), or raise the exception that was set."""
        if self._exception is not None:
            raise self._exception
        return self._result

    def exception(self) -> BaseException | None:
        """Return the exception that was set."""
        return self._exception

    def set_result(self, result: Any) -> None:
        """Set the result."""
        self._finish(result, None)

    def set_exception(self, exception: BaseException) -> None:
        """Set an exception instead of a result."""
        self._finish(None, exception)

    def _finish(self, result: Any, exception: BaseException | None, cancelled: bool = False) -> None:
        with self._lock:
            if self._done or self._cancelled:
                return
            self._result, self._exception = result, exception
            self._done, self._cancelled = not cancelled, cancelled
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            self._call(callback)

    def _call(self, callback: Callable[[Future], Any]) -> None:
        try:
            callback(self)
        except Exception as error:  # whoever sets the result is not to blame
            warnings.warn(f'Unhandled exception in done callback: {error}', stacklevel=2)

    def add_done_callback(self, callback: Callable[[Future], Any]) -> None:
        """Call `callback(future)` when done; at once where it is."""
        with self._lock:
            if not (self._done or self._cancelled):
                self._callbacks.append(callback)
                return
        self._call(callback)

    def __await__(self) -> Any:
        raise NotImplementedError('embedded_ros: await on rclpy.task.Future (coroutine callbacks)')
