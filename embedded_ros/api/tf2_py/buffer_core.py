"""The tree of frames over time: insertion and look-up."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

from rclpy.duration import Duration
from rclpy.logging import get_logger
from rclpy.time import Time

from tf2_py.exceptions import (
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    TransformException,
)
from tf2_py.rigid import IDENTITY, Rigid, compose, from_message, inverse, to_message
from tf2_py.time_cache import Stamped, StaticCache, TimeCache

DEFAULT_CACHE_TIME = Duration(seconds=10)
QUATERNION_TOLERANCE = 1e-2
MAX_DEPTH = 1000


def _stamp_of(time: Any) -> int:
    """Nanoseconds of a Time or builtin_interfaces/Time."""
    return time.nanoseconds if isinstance(time, Time) else Time.from_msg(time).nanoseconds


def _check_name(frame: str, argument: str) -> str:
    if not frame:
        raise InvalidArgumentException(f'Invalid argument passed to lookupTransform argument {argument}: empty frame')
    if frame.startswith('/'):
        raise InvalidArgumentException(
            f'Invalid argument "{frame}" passed to lookupTransform argument {argument} in tf2: '
            "frame_ids cannot start with a '/'"
        )
    return frame


class BufferCore:
    """Transforms between frames; usable from any thread."""

    def __init__(self, cache_time: Duration | None = None):
        self._cache_time = cache_time or DEFAULT_CACHE_TIME
        self._caches: dict[str, TimeCache | StaticCache] = {}
        self._frames: set[str] = set()
        self.changed = threading.Condition(threading.RLock())

    # Insertion

    def set_transform(self, transform: Any, authority: str) -> bool:
        """Add a geometry_msgs/TransformStamped; False (and a warning) when it is unusable."""
        return self._set(transform, authority, static=False)

    def set_transform_static(self, transform: Any, authority: str) -> bool:
        """Add a transform that holds for all times."""
        return self._set(transform, authority, static=True)

    def _set(self, transform: Any, authority: str, static: bool) -> bool:
        parent, child = transform.header.frame_id.lstrip('/'), transform.child_frame_id.lstrip('/')
        rigid = from_message(transform.transform)
        problem = _problem(parent, child, rigid)
        if problem is not None:
            get_logger('tf2').warning(
                f'ignoring the transform from {child!r} to {parent!r} of {authority}: {problem}',
                throttle_duration_sec=1.0,
            )
            return False
        sample = Stamped(_stamp_of(transform.header.stamp), parent, rigid)
        with self.changed:
            cache = self._caches.get(child)
            if cache is None or cache.is_static is not static:
                cache = StaticCache() if static else TimeCache(self._cache_time.nanoseconds)
                self._caches[child] = cache
            accepted = cache.insert(sample)
            self._frames.update((parent, child))
            self.changed.notify_all()
        return accepted

    def clear(self) -> None:
        """Forget all moving frames; static ones stay."""
        with self.changed:
            self._caches = {child: cache for child, cache in self._caches.items() if cache.is_static}
            parents = {cache.newest().parent for cache in self._caches.values()}
            self._frames = parents | self._caches.keys()

    # Look-up

    def lookup_transform_core(self, target_frame: str, source_frame: str, time: Any) -> Any:
        """Return the TransformStamped that maps data of `source_frame` to `target_frame` at a time (0: latest)."""
        stamp = _stamp_of(time)
        with self.changed:
            self._check_frames(target_frame=target_frame, source_frame=source_frame)
            if stamp == 0:
                stamp = self._latest_common_stamp(target_frame, source_frame)
            rigid = self._relative(target_frame, source_frame, stamp)
        return _stamped_message(target_frame, source_frame, stamp, rigid)

    def can_transform_core(self, target_frame: str, source_frame: str, time: Any) -> tuple[bool, str]:
        """Return (whether the look-up would succeed, why not)."""
        return _succeeds(lambda: self.lookup_transform_core(target_frame, source_frame, time))

    def _check_frames(self, **frames: str) -> None:
        for argument, frame in frames.items():
            if _check_name(frame, argument) not in self._frames:
                raise LookupException(f'"{frame}" passed to lookupTransform argument {argument} does not exist. ')

    def _path(self, frame: str, stamp: int) -> list[tuple[str, Stamped | None]]:
        """Frames from `frame` up to its root, each with its transform to the next (None for the root)."""
        path: list[tuple[str, Stamped | None]] = []
        while len(path) <= MAX_DEPTH:
            cache = self._caches.get(frame)
            sample = None if cache is None else cache.at(stamp)
            path.append((frame, sample))
            if sample is None:
                return path
            frame = sample.parent
        raise LookupException(f'The tf tree is invalid because it contains a loop through {frame!r}.')

    def _newest_path(self, frame: str) -> list[str]:
        return [name for name, _ in self._path(frame, 0)]

    def _latest_common_stamp(self, target: str, source: str) -> int:
        up_target, up_source = self._newest_path(target), self._newest_path(source)
        common = next((frame for frame in up_source if frame in up_target), None)
        if common is None:
            raise _not_connected(target, source)
        edges = up_source[: up_source.index(common)] + up_target[: up_target.index(common)]
        moving = [self._caches[frame].newest().stamp for frame in edges if not self._caches[frame].is_static]
        return min(moving, default=0)

    def _relative(self, target: str, source: str, stamp: int) -> Rigid:
        """Transform of data in `source` to `target`: up from the source, down to the target."""
        up_target, up_source = self._newest_path(target), self._newest_path(source)
        if up_target[-1] != up_source[-1]:
            raise _not_connected(target, source)
        try:
            source_path = self._path_to_common(source, up_target, stamp)
            common = source_path[1]
            target_path = self._path_to_common(target, [common], stamp)
        except ExtrapolationException as error:
            detail = f'when looking up transform from frame [{source}] to frame [{target}]'
            raise ExtrapolationException(f'{error}, {detail}') from None
        return compose(inverse(target_path[0]), source_path[0])

    def _path_to_common(self, frame: str, goals: list[str], stamp: int) -> tuple[Rigid, str]:
        """(transform from `frame` to the first frame of `goals` above it, that frame)."""
        rigid = IDENTITY
        for _ in range(MAX_DEPTH):
            if frame in goals:
                return rigid, frame
            cache = self._caches.get(frame)
            if cache is None:
                break
            sample = cache.at(stamp)
            rigid, frame = compose(sample.transform, rigid), sample.parent
        raise ConnectivityException(f'no connection from {frame!r} to {goals} at time {stamp * 1e-9:.9f}')

    # What is there

    def all_frames_as_yaml(self) -> str:
        """Return all frames with parent and newest stamp, as YAML."""
        with self.changed:
            lines = []
            for child, cache in sorted(self._caches.items()):
                newest = cache.newest()
                lines += [f'{child}:', f"  parent: '{newest.parent}'", f'  static: {str(cache.is_static).lower()}']
                lines.append(f'  most_recent_transform: {newest.stamp * 1e-9:.9f}')
            return '\n'.join(lines)


def _problem(parent: str, child: str, rigid: Rigid) -> str | None:
    """Why a transform cannot be used, None where it can."""
    if not parent or not child:
        return 'frame_id or child_frame_id is empty'
    if parent == child:
        return 'frame_id and child_frame_id are the same'
    if not all(math.isfinite(value) for value in (*rigid.translation, *rigid.rotation)):
        return f'a value is not finite: {rigid}'
    if abs(sum(value * value for value in rigid.rotation) - 1) > QUATERNION_TOLERANCE:
        return f'the quaternion {rigid.rotation} is not normalized'
    return None


def _not_connected(target: str, source: str) -> ConnectivityException:
    return ConnectivityException(
        f"Could not find a connection between '{target}' and '{source}' because they are not part of the same tree. "
        'Tf has two or more unconnected trees.'
    )


def _stamped_message(target: str, source: str, stamp: int, rigid: Rigid) -> Any:
    from geometry_msgs.msg import TransformStamped

    message = TransformStamped(child_frame_id=source, transform=to_message(rigid))
    message.header.frame_id = target
    message.header.stamp = Time(nanoseconds=stamp).to_msg()
    return message


def _succeeds(look_up: Callable[[], Any]) -> tuple[bool, str]:
    try:
        look_up()
    except TransformException as error:
        return False, str(error)
    return True, ''
