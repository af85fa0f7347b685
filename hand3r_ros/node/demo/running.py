"""Runs one of the demo's nodes as a process: until it is done, or until SIGINT or SIGTERM ends it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.task import Future

UNUSABLE = 2
"""Exit code when the node cannot do what its parameters ask for."""


class DemoNode(Protocol):
    """A node that says when it is done and cleans up after itself."""

    done: Future  # spinning ends when it has a result; it may never have one

    def finish(self) -> int:
        """What remains to be done at the end, also after an interruption; gives the exit code."""
        ...

    def close(self) -> None:
        """Free what the node holds beside its subscriptions and publishers."""
        ...

    def destroy_node(self) -> None:
        """Given by rclpy."""
        ...


def run_demo_node(
    name: str, make: Callable[[], DemoNode], arguments: list[str] | None, unusable: tuple[type[Exception], ...]
) -> int:
    """Make the node, spin it and finish; gives the exit code.

    ``unusable`` are the errors of ``make`` that are told to the user in one line; others are defects.
    """
    rclpy.init(args=arguments)
    node = None
    try:
        node = make()
        _spin(node)
        return node.finish()
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0  # before there was anything to finish
    except unusable as error:
        print(f'{name}: {error}', file=sys.stderr)
        return UNUSABLE
    finally:
        if node is not None:
            node.close()
            node.destroy_node()
        rclpy.try_shutdown()


def _spin(node: DemoNode) -> None:
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin_until_future_complete(node, node.done)
