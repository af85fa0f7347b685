"""Filters that join several inputs by their stamps."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from typing import Any

from rclpy.clock import ROSClock
from rclpy.duration import Duration

from message_filters.filters import SimpleFilter, stamp_of


class TimeSynchronizer(SimpleFilter):
    """Calls back with one message of each input when all have the same stamp."""

    def __init__(self, fs: Sequence[SimpleFilter], queue_size: int):
        super().__init__()
        self.queue_size = queue_size
        self.connectInput(fs)

    def connectInput(self, fs: Sequence[SimpleFilter]) -> None:  # noqa: N802 - ROS 2's name
        """Take the messages of other filters."""
        self.queues: list[dict[int, Any]] = [{} for _ in fs]
        self._lock = threading.Lock()
        for index, source in enumerate(fs):
            source.registerCallback(self._add, index)

    def _add(self, message: Any, index: int) -> None:
        with self._lock:
            stamp = self._stamp(message)
            self._insert(index, stamp, message)
            matched = self._match(index, stamp)
        if matched is not None:
            self.signalMessage(*matched)

    def _stamp(self, message: Any) -> int:
        return stamp_of(message, allow_headerless=False).nanoseconds

    def _insert(self, index: int, stamp: int, message: Any) -> None:
        queue = self.queues[index]
        queue[stamp] = message
        while len(queue) > self.queue_size:
            del queue[min(queue)]

    def _match(self, index: int, stamp: int) -> list[Any] | None:
        """Messages to pass on after one arrived; they and older ones are forgotten."""
        if not all(stamp in queue for queue in self.queues):
            return None
        messages = [queue[stamp] for queue in self.queues]
        for queue in self.queues:
            for old in [known for known in queue if known <= stamp]:
                del queue[old]
        return messages


class ApproximateTimeSynchronizer(TimeSynchronizer):
    """Calls back with messages whose stamps differ by at most `slop` seconds, closest first."""

    def __init__(
        self,
        fs: Sequence[SimpleFilter],
        queue_size: int,
        slop: float,
        allow_headerless: bool = False,
        sync_arrival_time: bool = False,
    ):
        self.slop = Duration(seconds=slop)
        self.allow_headerless = allow_headerless
        self.sync_arrival_time = sync_arrival_time
        super().__init__(fs, queue_size)

    def _stamp(self, message: Any) -> int:
        if self.sync_arrival_time:
            return ROSClock().now().nanoseconds
        return stamp_of(message, self.allow_headerless).nanoseconds

    def _match(self, index: int, stamp: int) -> list[Any] | None:
        slop = self.slop.nanoseconds
        near = [
            [stamp] if other == index else sorted(known for known in queue if abs(known - stamp) <= slop)
            for other, queue in enumerate(self.queues)
        ]
        candidates = [stamps for stamps in itertools.product(*near) if max(stamps) - min(stamps) <= slop]
        if not candidates:
            return None
        best = min(candidates, key=lambda stamps: sum(abs(known - stamp) for known in stamps))
        return [queue.pop(known) for queue, known in zip(self.queues, best, strict=True)]
