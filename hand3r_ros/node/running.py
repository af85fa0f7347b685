"""Runs a node of this package as a process: until it is done, or until SIGINT or SIGTERM ends it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Protocol, cast

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future

from hand3r_ros.node.callbacks import CallbackFailures
from hand3r_ros.node.ending import GRACE_SECONDS, Ending

UNUSABLE = 2
"""Exit code when the node cannot do what its parameters ask for."""
EXECUTOR_PAUSE = 0.1  # s after an error of the executor itself, which may come again at once


class RunnableNode(Protocol):
    """A node that says when it is done and cleans up after itself."""

    done: Future  # spinning ends when it has a result; it may never have one
    callback_failures: CallbackFailures

    def finish(self) -> int:
        """What remains to be done at the end, also after a signal; gives the exit code."""
        ...

    def close(self) -> None:
        """Free what the node holds beside its subscriptions and publishers."""
        ...

    def destroy_node(self) -> Any:
        """Given by rclpy."""
        ...


def run_node(
    name: str,
    make: Callable[[], RunnableNode],
    arguments: list[str] | None,
    unusable: tuple[type[Exception], ...] = (),
    grace_seconds: float | None = GRACE_SECONDS,
) -> int:
    """Make the node, spin it and finish; gives the exit code, 0 after any number of signals at any moment.

    Args:
        name: of the node, for messages.
        make: makes it.
        arguments: command line, None for that of the process.
        unusable: errors of ``make`` that are told to the user in one line; others are defects.
        grace_seconds: after a signal the process ends within this time, tidied up or not; None: when it is done.

    """
    ending = Ending(grace_seconds)
    rclpy.init(args=arguments)
    ending.begin()
    code = _run(name, make, unusable, ending)
    return ending.leave(0 if ending.requested else code)


def _run(name: str, make: Callable[[], RunnableNode], unusable: tuple[type[Exception], ...], ending: Ending) -> int:
    try:
        with ExitStack() as cleanup:
            cleanup.callback(rclpy.try_shutdown)
            node = make()
            cleanup.callback(node.destroy_node)
            executor = SingleThreadedExecutor()
            cleanup.callback(executor.shutdown)
            cleanup.callback(node.close)
            executor.add_node(cast(Node, node))
            _spin(executor, node)
            return node.finish()
    except unusable as error:
        if not ending.requested:
            print(f'{name}: {error}', file=sys.stderr)
            return UNUSABLE
    except Exception as error:
        if not ending.requested:
            raise
        print(f'{name}: while ending: {type(error).__name__}: {error}', file=sys.stderr)
    return 0  # the signal came while something used the context that it shut down


def _spin(executor: SingleThreadedExecutor, node: RunnableNode) -> None:
    """Spin until the node is done or the context is shut down; callbacks raise nothing, but the executor might."""
    while rclpy.ok() and not node.done.done():
        try:
            executor.spin_until_future_complete(node.done)
        except ExternalShutdownException:
            return
        except Exception as error:
            if not rclpy.ok():
                return
            node.callback_failures.note('the executor', error)
            time.sleep(EXECUTOR_PAUSE)
