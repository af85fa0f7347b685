"""Executors: wait for work of their nodes and run the callbacks."""

# ruff: noqa: N818 - ROS 2 gave the exceptions their names
from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from cyclonedds.core import DDSException
from embedded_ros.dds.condition_set import ConditionSet

from rclpy._entity import Entity
from rclpy.context import Context
from rclpy.exceptions import NotInitializedException
from rclpy.task import Future
from rclpy.timer import Timer
from rclpy.utilities import get_default_context

if TYPE_CHECKING:
    from rclpy.node import Node

# Python runs signal handlers only between two bytecodes of the main thread, so no wait in C may be long.
MAX_WAIT_SECONDS = 0.1


class TimeoutException(Exception):
    """Nothing to do before the time was over."""


class ShutdownException(Exception):
    """The executor was shut down."""


class ExternalShutdownException(Exception):
    """The context was shut down."""

    def __init__(self) -> None:
        super().__init__('the context was shut down')


class _Work(NamedTuple):
    call: Callable[[], Any]
    entity: Entity


class Executor:
    """Base: finds the next work. One thread at a time may spin an executor."""

    def __init__(self, *, context: Context | None = None):
        self._context = context or get_default_context()
        if not self._context.ok():
            raise NotInitializedException('an executor needs a context that is initialised')
        self._nodes: list[Node] = []
        self._lock = threading.RLock()
        self._is_shutdown = False
        self._turn = 0
        self._conditions = ConditionSet(self._context.graph.participant)
        self._context.on_shutdown(self.wake)

    @property
    def context(self) -> Context:
        """The context."""
        return self._context

    @property
    def is_shutdown(self) -> bool:
        """Whether shutdown() was called."""
        return self._is_shutdown

    def add_node(self, node: Node) -> bool:
        """Run the callbacks of this node from now on; False when it was added before."""
        with self._lock:
            if self._is_shutdown:
                raise ShutdownException()
            if node in self._nodes:
                return False
            self._nodes.append(node)
        node.executor = self
        self.wake()
        return True

    def remove_node(self, node: Node) -> None:
        """Run the callbacks of this node no more."""
        with self._lock:
            if node in self._nodes:
                self._nodes.remove(node)
        if node.executor is self:
            node.executor = None
        self.wake()

    def get_nodes(self) -> list[Node]:
        """Return the nodes."""
        return list(self._nodes)

    def wake(self) -> None:
        """Let the waiting thread look for work again; safe from any thread."""
        self._conditions.wake()

    def shutdown(self, timeout_sec: float | None = None) -> bool:
        """Stop: spin() returns. The nodes stay alive."""
        self._is_shutdown = True
        self.wake()
        for node in self.get_nodes():
            self.remove_node(node)
        return True

    # Finding work

    def _entities(self) -> list[Entity]:
        with self._lock:
            return [entity for node in self._nodes for entity in node.executable_entities()]

    def _find_work(self, entities: list[Entity]) -> _Work | None:
        count = len(entities)
        for step in range(count):
            position = (self._turn + step) % count
            entity = entities[position]
            if entity._destroyed or not entity.callback_group.can_execute(entity):
                continue
            try:
                call = entity.take_work()
            except DDSException:
                if entity._destroyed:  # by another thread, in the meantime
                    continue
                raise
            if call is not None and entity.callback_group.beginning_execution(entity):
                self._turn = position + 1  # so that a busy topic does not starve the others
                return _Work(call, entity)
        return None

    def _wait_for_work(self, timeout_sec: float | None) -> _Work:
        end = None if timeout_sec is None or timeout_sec < 0 else time.monotonic() + timeout_sec
        while True:
            if self._is_shutdown:
                raise ShutdownException()
            if not self._context.ok():
                raise ExternalShutdownException()
            self._conditions.clear_wake()
            entities = self._entities()
            work = self._find_work(entities)
            if work is not None:
                return work
            pause = MAX_WAIT_SECONDS if end is None else min(MAX_WAIT_SECONDS, end - time.monotonic())
            if pause <= 0:
                raise TimeoutException()
            # Entities of a busy group are left out: their waiting data would end every wait at once.
            free = [entity for entity in entities if entity.callback_group.can_execute(entity)]
            for entity in free:
                if isinstance(entity, Timer):
                    due = entity.wall_seconds_until_next_call()
                    pause = pause if due is None else min(pause, due)
            try:
                conditions = [c for entity in free if not entity._destroyed for c in entity.conditions()]
                self._conditions.update(conditions)
                self._conditions.wait(pause)
            except DDSException:
                # Entities, or with the context everything, may be deleted by another thread meanwhile.
                if self._context.ok() and not any(entity._destroyed for entity in free):
                    raise

    def _run(self, work: _Work) -> None:
        try:
            result = work.call()
            if inspect.iscoroutine(result):
                result.close()
                raise NotImplementedError('embedded_ros: coroutine callbacks')
        finally:
            work.entity.callback_group.ending_execution(work.entity)

    def _execute(self, work: _Work) -> None:
        raise NotImplementedError(f'{type(self).__name__}._execute')

    # Spinning

    def spin(self) -> None:
        """Run callbacks until the context or the executor is shut down."""
        while self._context.ok() and not self._is_shutdown:
            self.spin_once()

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """Run one callback, or return when the time is over."""
        try:
            work = self._wait_for_work(timeout_sec)
        except (TimeoutException, ShutdownException):
            return
        self._execute(work)

    def spin_until_future_complete(self, future: Future, timeout_sec: float | None = None) -> None:
        """Run callbacks until the future is done or the time is over."""
        end = None if timeout_sec is None or timeout_sec < 0 else time.monotonic() + timeout_sec
        future.add_done_callback(lambda _: self.wake())
        while self._context.ok() and not self._is_shutdown and not (future.done() or future.cancelled()):
            remaining = None if end is None else end - time.monotonic()
            if remaining is not None and remaining <= 0:
                return
            self.spin_once_until_future_complete(future, remaining)

    def spin_once_until_future_complete(self, future: Future, timeout_sec: float | None = None) -> None:
        """Run one callback, or return when the future is done or the time is over."""
        unlimited = timeout_sec is None or timeout_sec < 0
        self.spin_once(MAX_WAIT_SECONDS if unlimited else min(timeout_sec or 0, MAX_WAIT_SECONDS))

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exception: object) -> None:
        self.shutdown()


class SingleThreadedExecutor(Executor):
    """Runs callbacks one after the other in the thread that spins."""

    def _execute(self, work: _Work) -> None:
        self._run(work)
