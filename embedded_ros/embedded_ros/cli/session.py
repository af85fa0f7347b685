"""A short-lived node for one command: discovery, service calls, waiting for things to appear."""

from __future__ import annotations

import contextlib
import importlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from .errors import CommandError

DISCOVERY_S = 1.0
PATIENCE_S = 5.0
POLL_S = 0.05
QUIET = ['--ros-args', '--log-level', 'embedded_ros:=error']  # no start-up lines among the output


def import_interface(type_name: str) -> Any:
    """Return the class of 'package/msg/Name' or 'package/srv/Name'.

    Raises:
        CommandError: when there is none.
    """
    parts = type_name.split('/')
    try:
        package, kind, name = parts
        return getattr(importlib.import_module(f'{package}.{kind}'), name)
    except (ValueError, ImportError, AttributeError) as error:
        raise CommandError(f"The message type '{type_name}' is invalid or unknown") from error


def is_hidden(name: str) -> bool:
    """Return whether a part of a name begins with an underscore."""
    return any(part.startswith('_') for part in name.split('/'))


def absolute(name: str) -> str:
    """Return a name with its leading slash."""
    return name if name.startswith('/') else '/' + name


def subscription_qos(publishers: list[Any]) -> Any:
    """Return the strictest QoS that fits all publishers, so that nothing is lost or missed without need."""
    from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

    def all_are(name: str, policy: Any) -> bool:
        return bool(publishers) and all(getattr(item.qos_profile, name) == policy for item in publishers)

    reliable = all_are('reliability', ReliabilityPolicy.RELIABLE)
    latched = all_are('durability', DurabilityPolicy.TRANSIENT_LOCAL)
    return QoSProfile(
        depth=10,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


class Session:
    """A hidden node in a context of its own."""

    def __init__(self) -> None:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor

        self._context = rclpy.context.Context()
        rclpy.init(args=QUIET, context=self._context)
        self.node = rclpy.create_node(
            f'_ros2cli_{os.getpid()}', context=self._context, start_parameter_services=False, enable_rosout=False
        )
        self.executor = SingleThreadedExecutor(context=self._context)
        self.executor.add_node(self.node)

    def close(self) -> None:
        """Leave the graph."""
        self.executor.shutdown()
        self.node.destroy_node()
        self._context.try_shutdown()

    def wait_for(self, predicate: Callable[[], Any], seconds: float = PATIENCE_S) -> Any:
        """Return what `predicate` returns, as soon as it is true or the time is over."""
        end = time.monotonic() + seconds
        while not (value := predicate()) and time.monotonic() < end:
            time.sleep(POLL_S)
        return value

    def node_names(self) -> list[str]:
        """Return the full names of the other nodes, sorted."""
        own = self.node.get_fully_qualified_name()
        return sorted(name for name in self.node.get_fully_qualified_node_names() if name != own)

    def require_node(self, name: str) -> str:
        """Return the full name of a node after waiting for it.

        Raises:
            CommandError: when it does not appear.
        """
        name = absolute(name)
        if not self.wait_for(lambda: name in self.node_names()):
            raise CommandError(f"Node not found: '{name}' (there are: {', '.join(self.node_names()) or 'none'})")
        return name

    def call(self, service_type: Any, service: str, request: Any, seconds: float = PATIENCE_S) -> Any:
        """Call a service and return its response.

        Raises:
            CommandError: when it is not there or does not answer in time.
        """
        client = self.node.create_client(service_type, service)
        try:
            if not client.wait_for_service(timeout_sec=seconds):
                raise CommandError(f"service '{service}' is not available")
            future = client.call_async(request)
            self.executor.spin_until_future_complete(future, timeout_sec=seconds)
            if not future.done():
                raise CommandError(f"service '{service}' did not answer within {seconds:g} s")
            return future.result()
        finally:
            self.node.destroy_client(client)


@contextlib.contextmanager
def ros_session(discovery_s: float = 0.0) -> Iterator[Session]:
    """Open a session, wait for discovery, and close it at the end."""
    session = Session()
    try:
        time.sleep(discovery_s)
        yield session
    finally:
        session.close()


def add_spin_time(parser: Any) -> None:
    """Add the option for the time of discovery."""
    parser.add_argument('--spin-time', type=float, default=DISCOVERY_S, help='seconds to wait for discovery')
    parser.add_argument('--no-daemon', action='store_true', help='there is no daemon: accepted and ignored')
