"""Contexts: what begins with rclpy.init() and ends with rclpy.shutdown()."""

from __future__ import annotations

import atexit
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

from embedded_ros.dds.configuration import domain_id_from_environment
from embedded_ros.dds.graph import Graph

from embedded_ros import __version__
from rclpy._arguments import RosArguments, parse_ros_arguments
from rclpy.exceptions import NotInitializedException
from rclpy.logging import get_logger, get_logging_severity_from_string, set_logger_level

_back_end_was_logged = False


def _log_back_end(domain_id: int) -> None:
    global _back_end_was_logged
    if not _back_end_was_logged:
        _back_end_was_logged = True
        get_logger('embedded_ros').info(
            f'back-end: embedded_ros {__version__} on Cyclone DDS, domain {domain_id} '
            '(a wire-compatible subset, not ROS 2)'
        )


class Context:
    """State of one initialisation: the DDS participant, the command line, callbacks at shutdown."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._ok = False
        self._lock = threading.RLock()
        self._shutdown_callbacks: list[Any] = []
        self._node_count = 0
        self._reason = ''
        self.arguments = RosArguments()

    def init(
        self, args: list[str] | None = None, *, initialize_logging: bool = True, domain_id: int | None = None
    ) -> None:
        """Join the graph of a domain (ROS_DOMAIN_ID by default) with the ROS arguments of this command line."""
        with self._lock:
            if self._ok:
                raise RuntimeError('Context.init() must only be called once')
            if domain_id is not None and domain_id < 0:
                raise RuntimeError('Domain id must be non-negative')
            self.arguments = parse_ros_arguments(sys.argv if args is None else args)
            for name, level in self.arguments.log_levels.items():
                set_logger_level(name, get_logging_severity_from_string(level))
            self._domain_id = domain_id_from_environment() if domain_id is None else domain_id
            _log_back_end(self._domain_id)
            self._graph = Graph(self._domain_id, self.arguments.enclave)
            self._ok = True
        # A process that ends without leaving the graph stays visible for ten seconds.
        atexit.register(self._close_graph)

    @property
    def graph(self) -> Graph:
        """The DDS side; raises NotInitializedException before init and after all nodes are gone."""
        if self._graph is None:
            raise NotInitializedException()
        return self._graph

    def ok(self) -> bool:
        """Return whether the context is initialised and not shut down."""
        return self._ok

    def get_domain_id(self) -> int:
        """Return the domain id."""
        if self._graph is None:
            raise NotInitializedException()
        return self._domain_id

    def on_shutdown(self, callback: Callable[[], Any]) -> None:
        """Call back once at shutdown; methods are held weakly."""
        if not callable(callback):
            raise TypeError('callback should be a callable')
        reference = weakref.WeakMethod(callback) if hasattr(callback, '__self__') else lambda: callback
        self._shutdown_callbacks.append(reference)

    def try_shutdown(self, *, reason: str = '') -> None:
        """Shut down where that was not done yet."""
        with self._lock:
            if not self._ok:
                return
            self._ok = False
            self._reason = reason
            callbacks, self._shutdown_callbacks = self._shutdown_callbacks, []
        for reference in callbacks:
            callback = reference()
            if callback is not None:
                callback()
        self._close_if_unused()

    def shutdown(self, *, reason: str = '') -> None:
        """Shut down; RuntimeError where the context is not initialised."""
        if not self._ok:
            raise RuntimeError('Context must be initialized before it can be shutdown')
        self.try_shutdown(reason=reason)

    @property
    def ended_by_signal(self) -> bool:
        """Whether one of the signal handlers shut it down."""
        return not self._ok and self._reason.startswith('signal')

    def destroy(self) -> None:
        """Shut down."""
        self.try_shutdown()

    def track_node(self, change: int) -> None:
        """Count nodes (+1, -1): the participant lives until the last node of a shut down context is destroyed."""
        with self._lock:
            self._node_count += change
        self._close_if_unused()

    def _close_if_unused(self) -> None:
        if not self._ok and self._node_count <= 0:
            self._close_graph()

    def _close_graph(self) -> None:
        self._ok = False
        with self._lock:
            graph, self._graph = self._graph, None
        if graph is not None:
            graph.close()

    def __enter__(self) -> Context:
        if not self._ok:
            self.init()
        return self

    def __exit__(self, *exception: object) -> None:
        self.try_shutdown()
