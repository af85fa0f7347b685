"""Guarded callbacks: an exception that leaves a callback would end the node on rclpy.

A node class that begins with :class:`GuardedCallbacks` passes on only what does not raise. An exception is counted,
logged (the first of its kind with its traceback) and answered as a failure where there is an answer.
"""

from __future__ import annotations

import functools
import threading
import traceback
from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.lifecycle import TransitionCallbackReturn

REASON_LENGTH = 300  # characters: the text of an error may hold what came from outside
TRACEBACK_LENGTH = 8000


class CallbackFailures:
    """Counts the exceptions of callbacks; the first of each kind is logged with its traceback. Thread-safe."""

    def __init__(self, log: Callable[[str], object]) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._logged: set[tuple[str, type[Exception]]] = set()
        self._count = 0
        self._last = ''

    def note(self, callback: str, error: Exception) -> str:
        """Take an exception of a callback into account; gives what to answer."""
        reason = f'{type(error).__name__}: {error}'[:REASON_LENGTH]
        kind = callback, type(error)
        with self._lock:
            self._count += 1
            self._last = f'{callback}: {reason}'
            is_first = kind not in self._logged
            self._logged.add(kind)
        if is_first:
            trace = ''.join(traceback.format_exception(error))[-TRACEBACK_LENGTH:]
            self._log(
                f'{callback} failed because of a defect, the node keeps running; later ones are only counted:\n{trace}'
            )
        return f'{reason} (a defect: see the log of the node)'

    @property
    def count(self) -> int:
        """Number of exceptions."""
        with self._lock:
            return self._count

    @property
    def last(self) -> str:
        """Which callback failed last, and why; empty when none did."""
        with self._lock:
            return self._last


class GuardedCallbacks:
    """Stands before Node or LifecycleNode in the bases of a class: what is created through it never raises.

    Transition callbacks get :func:`guarded_transition`. Callbacks that are called for a node that is being shut down
    may fail without a word: what they use is gone.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.callback_failures = CallbackFailures(self._log_failure)
        super().__init__(*arguments, **options)
        for service in self.services:  # type: ignore[attr-defined]
            if not getattr(service.callback, 'is_guarded', False):  # rclpy made it without asking create_service
                service.callback = self._guard_service(service.srv_name, service.callback)
            if service.srv_name.endswith('/change_state'):
                service.callback = self._refuse_unfit(service.callback.__wrapped__, service.callback)

    def create_subscription(self, msg_type: Any, topic: str, callback: Any, *arguments: Any, **options: Any) -> Any:
        """As that of Node."""
        guarded = self._guard(f'the callback of topic {topic}', callback)
        return super().create_subscription(msg_type, topic, guarded, *arguments, **options)  # type: ignore[misc]

    def create_timer(self, timer_period_sec: float, callback: Any, *arguments: Any, **options: Any) -> Any:
        """As that of Node."""
        guarded = self._guard(f'timer {getattr(callback, "__qualname__", callback)}', callback)
        return super().create_timer(timer_period_sec, guarded, *arguments, **options)  # type: ignore[misc]

    def create_service(self, srv_type: Any, srv_name: str, callback: Any, *arguments: Any, **options: Any) -> Any:
        """As that of Node; an exception is answered with success False where the response has such a field."""
        guarded = self._guard_service(srv_name, callback)
        return super().create_service(srv_type, srv_name, guarded, *arguments, **options)  # type: ignore[misc]

    def add_on_set_parameters_callback(self, callback: Any) -> Any:
        """As that of Node; with an exception the change is refused."""
        guarded = self._guard(
            'the check of parameters', callback, lambda why: SetParametersResult(successful=False, reason=why)
        )
        return super().add_on_set_parameters_callback(guarded)  # type: ignore[misc]

    def _guard_service(self, name: str, callback: Any) -> Any:
        @functools.wraps(callback)
        def guarded(request: Any, response: Any) -> Any:
            try:
                return callback(request, response)
            except Exception as error:
                return _refusal(type(response)(), self.note_failure(f'service {name}', error))

        guarded.is_guarded = True  # type: ignore[attr-defined]
        return guarded

    def _guard(self, name: str, callback: Any, answer: Callable[[str], Any] = lambda why: None) -> Any:
        @functools.wraps(callback)  # rclpy looks at the signature of some callbacks
        def guarded(*arguments: Any) -> Any:
            try:
                return callback(*arguments)
            except Exception as error:
                return answer(self.note_failure(name, error))

        return guarded

    def _refuse_unfit(self, change_state: Any, guarded: Any) -> Any:
        """Of a transition that does not fit the present state rclpy makes an exception; it is only to be refused."""

        @functools.wraps(change_state)
        def refusing(request: Any, response: Any) -> Any:
            try:
                return change_state(request, response)
            except RuntimeError:  # RCLError is one
                wanted = request.transition.label or request.transition.id
                self.get_logger().warning(  # type: ignore[attr-defined]
                    f'~/change_state: transition {wanted} does not fit the present state; refused'
                )
                return _refusal(type(response)(), '')

        return refusing

    def note_failure(self, callback: str, error: Exception) -> str:
        """Count and log an exception, unless the process is ending; gives what to answer."""
        if not self.context.ok():  # type: ignore[attr-defined]
            return 'the node is being shut down'
        return self.callback_failures.note(callback, error)

    def _log_failure(self, text: str) -> None:
        self.get_logger().error(text)  # type: ignore[attr-defined]


def guarded_transition(callback: Any) -> Any:
    """Decorates ``on_configure`` and the like of a class with :class:`GuardedCallbacks`.

    An exception becomes ERROR, which leads to ``on_error``; one of ``on_error`` itself finalizes the node.
    """

    @functools.wraps(callback)
    def guarded(self: GuardedCallbacks, state: Any) -> TransitionCallbackReturn:
        try:
            return callback(self, state)
        except Exception as error:
            self.note_failure(f'transition callback {callback.__name__}', error)
            return TransitionCallbackReturn.ERROR

    return guarded


def _refusal(response: Any, reason: str) -> Any:
    """The response as it says no."""
    if hasattr(response, 'success'):
        response.success = False
    if hasattr(response, 'message'):
        response.message = reason
    return response
