"""The transform buffer of a node."""

from __future__ import annotations

import time as wall_time
from collections.abc import Callable
from typing import Any

from rclpy.clock import JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.task import Future
from tf2_py import BufferCore, TransformException

FRAMES_SERVICE = 'tf2_frames'


def _to_seconds(timeout: Duration) -> float:
    return timeout.nanoseconds / 1e9


class Buffer(BufferCore):
    """Transforms of the last `cache_time` (10 s); with a node it is cleared when the node's clock jumps back.

    Waiting for a transform (`timeout`) needs another thread that spins the node of the TransformListener.
    """

    def __init__(self, cache_time: Duration | None = None, node: Node | None = None):
        super().__init__(cache_time)
        self._waiting: list[tuple[Callable[[], bool], Future]] = []
        if node is not None:
            from tf2_msgs.srv import FrameGraph

            threshold = JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=True)
            self._jump_handle = node.get_clock().create_jump_callback(threshold, post_callback=self._on_jump)
            self._frames_service = node.create_service(FrameGraph, FRAMES_SERVICE, self._on_frames)

    def _on_jump(self, jump: TimeJump) -> None:
        self.clear()

    def _on_frames(self, request: Any, response: Any) -> Any:
        response.frame_yaml = self.all_frames_as_yaml()
        return response

    def _set(self, transform: Any, authority: str, static: bool) -> bool:
        accepted = super()._set(transform, authority, static)
        with self.changed:
            ready = [entry for entry in self._waiting if entry[1].cancelled() or entry[0]()]
            self._waiting = [entry for entry in self._waiting if entry not in ready]
        for _, future in ready:
            future.set_result(True)
        return accepted

    def _wait(self, check: Callable[[], tuple[bool, str]], timeout: Duration) -> tuple[bool, str]:
        end = wall_time.monotonic() + _to_seconds(timeout)
        with self.changed:
            while True:
                result = check()
                remaining = end - wall_time.monotonic()
                if result[0] or remaining <= 0:
                    return result
                self.changed.wait(remaining)

    def lookup_transform(
        self,
        target_frame: str,
        source_frame: str,
        time: Any,
        timeout: Duration = Duration(),  # noqa: B008 - immutable
    ) -> Any:
        """Return the TransformStamped that maps data of `source_frame` to `target_frame` at a time.

        A time of 0 means the latest common one. Raises LookupException, ConnectivityException,
        ExtrapolationException or InvalidArgumentException.
        """
        self.can_transform(target_frame, source_frame, time, timeout)
        return self.lookup_transform_core(target_frame, source_frame, time)

    def can_transform(
        self,
        target_frame: str,
        source_frame: str,
        time: Any,
        timeout: Duration = Duration(),  # noqa: B008 - immutable
        return_debug_tuple: bool = False,
    ) -> Any:
        """Return whether the look-up succeeds; with `return_debug_tuple` also why not."""
        result = self._wait(lambda: self.can_transform_core(target_frame, source_frame, time), timeout)
        return result if return_debug_tuple else result[0]

    def transform(self, *arguments: Any, **options: Any) -> Any:
        """Not part of the subset."""
        raise NotImplementedError('embedded_ros: tf2_ros.Buffer.transform; look the transform up and apply it')


__all__ = ['Buffer', 'TransformException']
