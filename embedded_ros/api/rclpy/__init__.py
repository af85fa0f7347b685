"""The part of the ROS 2 client library rclpy that embedded_ros implements. This is not ROS 2."""

from __future__ import annotations

from typing import Any

from rclpy import logging, utilities
from rclpy.context import Context
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions, install_signal_handlers, uninstall_signal_handlers
from rclpy.task import Future
from rclpy.utilities import get_default_context, ok

__all__ = [
    'create_node',
    'get_default_context',
    'get_global_executor',
    'init',
    'logging',
    'ok',
    'shutdown',
    'spin',
    'spin_once',
    'spin_until_future_complete',
    'try_shutdown',
]

_executor: Executor | None = None


def init(
    *,
    args: list[str] | None = None,
    context: Context | None = None,
    domain_id: int | None = None,
    signal_handler_options: SignalHandlerOptions | None = None,
) -> Context:
    """Initialise; `args` defaults to sys.argv. Signals are handled for the default context unless told otherwise."""
    used = context or utilities.new_default_context()
    used.init(args, domain_id=domain_id)
    default = SignalHandlerOptions.ALL if context is None else SignalHandlerOptions.NO
    options = default if signal_handler_options is None else signal_handler_options
    if options is not SignalHandlerOptions.NO:
        install_signal_handlers(options, used)
    return used


def _forget_executor(context: Context | None) -> None:
    global _executor
    if _executor is not None and context in (None, _executor.context):
        _executor.shutdown()
        _executor = None


def shutdown(*, context: Context | None = None, uninstall_handlers: bool | None = None) -> None:
    """Shut down; RuntimeError where rclpy is not initialised."""
    _forget_executor(context)
    utilities.shutdown(context=context)
    if uninstall_handlers or (uninstall_handlers is None and context is None):
        uninstall_signal_handlers()


def try_shutdown(*, context: Context | None = None, uninstall_handlers: bool | None = None) -> None:
    """Shut down where that was not done yet."""
    _forget_executor(context)
    utilities.try_shutdown(context=context)
    if uninstall_handlers or (uninstall_handlers is None and context is None):
        uninstall_signal_handlers()


def create_node(node_name: str, **options: Any) -> Node:
    """Create a node; the options are those of Node."""
    return Node(node_name, **options)


def get_global_executor() -> Executor:
    """Return the executor of the functions below."""
    global _executor
    if _executor is None or not _executor.context.ok():
        _executor = SingleThreadedExecutor()
    return _executor


class _Spinning:
    """Holds a node in an executor for the time of a call."""

    def __init__(self, node: Node, executor: Executor | None):
        self._node, self._executor = node, executor or get_global_executor()

    def __enter__(self) -> Executor:
        self._added = self._executor.add_node(self._node)
        return self._executor

    def __exit__(self, *exception: object) -> None:
        if self._added:
            self._executor.remove_node(self._node)


def spin(node: Node, executor: Executor | None = None) -> None:
    """Run callbacks until the context is shut down; a signal that does so raises ExternalShutdownException."""
    with _Spinning(node, executor) as used:
        try:
            while used.context.ok() and not used.is_shutdown:
                used.spin_once()
        except ExternalShutdownException:
            if used.context.ended_by_signal:
                raise


def spin_once(node: Node, *, executor: Executor | None = None, timeout_sec: float | None = None) -> None:
    """Run one callback, or return when the time is over."""
    with _Spinning(node, executor) as used:
        used.spin_once(timeout_sec)


def spin_until_future_complete(
    node: Node, future: Future, executor: Executor | None = None, timeout_sec: float | None = None
) -> None:
    """Run callbacks until the future is done or the time is over."""
    with _Spinning(node, executor) as used:
        used.spin_until_future_complete(future, timeout_sec)
