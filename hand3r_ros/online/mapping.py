"""The map of the static scene: coloured voxels with bounded memory.

Voxels live in plain arrays of fixed capacity ("slots"). A sorted array of packed voxel coordinates finds the slot of
a voxel by bisection, so a frame of a hundred thousand points is merged by a few array operations.

Once the map is full, its arrays stay where they are: voxels are left out in place, and sorted arrays take turns with
spare ones. Arrays of megabytes that are made anew with every frame, each a little larger than the last, leave holes in
the heap that nothing else fits into.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hand3r_ros.geometry import transform_points
from hand3r_ros.online.config import MapConfig

_BITS = 21
_LIMIT = 1 << (_BITS - 1)
_LARGEST_COUNT = 1000
"""Observations after which the running mean keeps adapting at a fixed rate."""

_KEPT_AT_EVICTION = 0.9
_AT_ONCE = 1 << 14
"""Rows that are moved in one step."""
_SLOT_ARRAYS = ('_points', '_colors', '_counts', '_last_seen', '_key_of_slot')
_SORTED_ARRAYS = ('_keys', '_slots', '_spare_keys', '_spare_slots')

_LAST_FRAME = 2**31 - 2**24
"""Frames are remembered in 32 bits, which two years at 30 Hz fill."""


@dataclass(frozen=True)
class MapCloud:
    """A copy of the map, in arbitrary order."""

    points: NDArray[np.float32]  # (N, 3) m, world
    colors: NDArray[np.uint8]  # (N, 3) RGB
    counts: NDArray[np.int32]  # (N,) frames in which the voxel was seen


@dataclass(frozen=True)
class MapMemory:
    """Everything a map holds, exactly; N voxels in the order of their slots."""

    voxel_size: float
    frame: int
    keys: NDArray[np.int64]  # (N,) packed voxel coordinates
    points: NDArray[np.float64]  # (N, 3) m, world
    colors: NDArray[np.float32]  # (N, 3) 0..255
    counts: NDArray[np.int32]  # (N,)
    last_seen: NDArray[np.int32]  # (N,) frame

    def check(self) -> None:
        """Raises ValueError when the arrays do not belong together, or hold what no map holds."""
        shapes = [a.shape for a in (self.keys, self.points, self.colors, self.counts, self.last_seen)]
        count = len(self.keys)
        if shapes != [(count,), (count, 3), (count, 3), (count,), (count,)]:
            raise ValueError(f'the map has arrays of shapes {shapes}')
        if not 0.0 < self.voxel_size < np.inf or not 0 <= self.frame < _LAST_FRAME:
            raise ValueError(f'the map has voxels of {self.voxel_size:g} m and {self.frame} frames')
        if not count:
            return
        if self.keys.min() < 0 or len(np.unique(self.keys)) != count or not np.isfinite(self.points).all():
            raise ValueError('the map has a voxel twice or nowhere, or a point that is not finite')
        if not -1.0 < self.colors.min() <= self.colors.max() < 256.0:  # False for NaN; means are rounded
            raise ValueError('the map has colours beyond 0 to 255')
        counts, seen = self.counts, self.last_seen
        if not 1 <= counts.min() <= counts.max() <= _LARGEST_COUNT or not 0 <= seen.min() <= seen.max() <= self.frame:
            raise ValueError('the map has voxels that were never seen, or too often, or in a frame to come')


class VoxelMap:
    """Running mean of position and colour per voxel. Safe to read from one thread while another adds."""

    def __init__(self, voxel_size: float, max_points: int) -> None:
        """Starts empty; ``voxel_size`` in metres, never more than ``max_points`` voxels."""
        self.voxel_size = voxel_size
        self.max_points = max_points
        self._lock = threading.Lock()
        self._empty()

    def _empty(self) -> None:
        self._size = 0
        self._frame = 0
        capacity = min(self.max_points, 1024)
        # Of all arrays the first ``_size`` rows are used.
        self._keys = np.zeros(capacity, np.int64)  # sorted packed voxel coordinates
        self._slots = np.zeros(capacity, np.int32)  # slot of each key
        self._spare_keys, self._spare_slots = self._keys.copy(), self._slots.copy()
        self._points = np.zeros((capacity, 3), np.float64)
        self._colors = np.zeros((capacity, 3), np.float32)
        self._counts = np.zeros(capacity, np.int32)
        self._last_seen = np.zeros(capacity, np.int32)
        self._key_of_slot = np.zeros(capacity, np.int64)

    def __len__(self) -> int:
        return self._size

    def clear(self) -> None:
        """Forget everything (a new session has another world frame)."""
        with self._lock:
            self._empty()

    def snapshot(self) -> MapCloud:
        """A copy of all voxels."""
        with self._lock:
            used = slice(0, self._size)
            colors = np.clip(np.rint(self._colors[used]), 0, 255).astype(np.uint8)
            return MapCloud(self._points[used].astype(np.float32), colors, self._counts[used].copy())

    def memory(self) -> MapMemory:
        """What ``restore`` needs: a copy of all voxels as they are kept."""
        with self._lock:
            used = slice(0, self._size)
            return MapMemory(
                voxel_size=self.voxel_size,
                frame=self._frame,
                keys=self._key_of_slot[used].copy(),
                points=self._points[used].copy(),
                colors=self._colors[used].copy(),
                counts=self._counts[used].copy(),
                last_seen=self._last_seen[used].copy(),
            )

    def restore(self, memory: MapMemory) -> None:
        """Goes on from there; a map with voxels of another size has to start empty.

        Raises:
            ValueError: the arrays do not belong together; the map is as before.

        """
        memory.check()
        with self._lock:
            self._empty()
            if memory.voxel_size != self.voxel_size:
                return
            self._reserve(len(memory.keys))
            self._size, self._frame = len(memory.keys), memory.frame
            used = slice(0, self._size)
            self._key_of_slot[used], self._points[used], self._colors[used] = memory.keys, memory.points, memory.colors
            self._counts[used], self._last_seen[used] = memory.counts, memory.last_seen
            self._sort()
            if self._size > self.max_points:
                self._evict()

    def memory_bytes(self) -> int:
        """Size of all arrays."""
        return sum(getattr(self, name).nbytes for name in (*_SLOT_ARRAYS, *_SORTED_ARRAYS))

    def add(self, points_world: NDArray[np.floating], colors: NDArray[np.uint8]) -> None:
        """Merge the points of one frame; each voxel they fall into counts one observation.

        Args:
            points_world: (N, 3) metres; points that are not finite or beyond the addressable 2^20 voxels from the
                origin are left out.
            colors: (N, 3) RGB.

        """
        cells = np.floor(points_world / self.voxel_size)
        inside = (np.abs(cells) < _LIMIT).all(axis=1)  # False for NaN
        if not inside.any():
            return
        keys, points, colors_mean = _voxel_means(cells[inside], points_world[inside], colors[inside])
        with self._lock:
            self._frame += 1
            self._merge(keys, points, colors_mean)
            if self._size > self.max_points:
                self._evict()

    def _merge(self, keys: NDArray[np.int64], points: NDArray, colors: NDArray) -> None:
        place = np.searchsorted(self._keys[: self._size], keys)
        known = np.zeros(len(keys), bool)
        within = place < self._size
        known[within] = self._keys[place[within]] == keys[within]
        self._update(self._slots[place[known]], points[known], colors[known])
        self._append(keys[~known], place[~known], points[~known], colors[~known])

    def _update(self, slots: NDArray[np.int32], points: NDArray, colors: NDArray) -> None:
        self._counts[slots] = np.minimum(self._counts[slots] + 1, _LARGEST_COUNT)
        rate = 1.0 / self._counts[slots, None]
        self._points[slots] += rate * (points - self._points[slots])
        self._colors[slots] += (rate * (colors - self._colors[slots])).astype(np.float32)
        self._last_seen[slots] = self._frame

    def _append(self, keys: NDArray[np.int64], place: NDArray, points: NDArray, colors: NDArray) -> None:
        first, last = self._size, self._size + len(keys)
        self._reserve(last)
        self._points[first:last], self._colors[first:last] = points, colors
        self._counts[first:last], self._last_seen[first:last] = 1, self._frame
        self._key_of_slot[first:last] = keys
        self._insert(keys, place, np.arange(first, last, dtype=np.int32))
        self._size = last

    def _insert(self, keys: NDArray[np.int64], place: NDArray, slots: NDArray[np.int32]) -> None:
        """Puts keys before those at ``place``, as ``np.insert``, into the spare arrays, which become the used ones."""
        size, total = self._size, self._size + len(keys)
        new = place + np.arange(len(keys))
        old = np.ones(total, bool)
        old[new] = False
        for target, source, added in (
            (self._spare_keys, self._keys, keys),
            (self._spare_slots, self._slots, slots),
        ):
            target[:total][old] = source[:size]
            target[new] = added
        self._keys, self._spare_keys = self._spare_keys, self._keys
        self._slots, self._spare_slots = self._spare_slots, self._slots

    def _reserve(self, needed: int) -> None:
        if needed <= len(self._points):
            return
        # Growth by half keeps copying rare; the last steps go to what one frame may need above the limit.
        capacity = max(needed, min(len(self._points) * 3 // 2, self.max_points))
        for name in (*_SLOT_ARRAYS, *_SORTED_ARRAYS):
            old = getattr(self, name)
            new = np.zeros((capacity, *old.shape[1:]), old.dtype)
            new[: self._size] = old[: self._size]
            setattr(self, name, new)

    def _evict(self) -> None:
        """Keep the most often seen voxels; among equals the most recently seen."""
        keep_count = max(1, int(self.max_points * _KEPT_AT_EVICTION))
        used = slice(0, self._size)
        order = np.lexsort((self._last_seen[used], self._counts[used]))
        keep = np.sort(order[-keep_count:])
        for name in _SLOT_ARRAYS:
            array = getattr(self, name)
            for start in range(0, keep_count, _AT_ONCE):  # rows only ever move towards the front
                rows = slice(start, min(start + _AT_ONCE, keep_count))
                array[rows] = array[keep[rows]]
        self._size = keep_count
        self._sort()

    def _sort(self) -> None:
        """Recomputes the slots of all voxels."""
        used = slice(0, self._size)
        sorting = np.argsort(self._key_of_slot[used])
        self._keys[used], self._slots[used] = self._key_of_slot[sorting], sorting


def _voxel_means(
    cells: NDArray[np.floating], points: NDArray[np.floating], colors: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Distinct packed voxels (M,) in ascending order with the mean position and colour of their points."""
    shifted = cells.astype(np.int64) + _LIMIT
    packed = (shifted[:, 0] << (2 * _BITS)) | (shifted[:, 1] << _BITS) | shifted[:, 2]
    keys, index = np.unique(packed, return_inverse=True)
    index = index.ravel()
    number = np.bincount(index, minlength=len(keys))[:, None]

    def mean(values: NDArray) -> NDArray[np.float64]:
        columns = [np.bincount(index, values[:, k], minlength=len(keys)) for k in range(3)]
        return np.stack(columns, axis=1) / number

    return keys, mean(points), mean(colors)


def mappable_pixels(
    points_camera: NDArray[np.floating], confidence: NDArray[np.floating], config: MapConfig
) -> NDArray[np.bool_]:
    """(h, w) True where a point is sure enough, near enough, and not between two surfaces."""
    depth = points_camera[..., 2]
    finite = np.isfinite(points_camera).all(axis=-1) & np.isfinite(confidence)
    near = finite & (depth > 0.0) & (depth <= config.max_range)
    return near & (confidence >= config.min_confidence) & ~depth_edges(depth, config.max_edge)


def depth_edges(depth: NDArray[np.floating], relative_step: float) -> NDArray[np.bool_]:
    """(h, w) True where the depth differs from that of one of the four neighbours by more than this fraction."""
    edges = np.zeros(depth.shape, bool)
    with np.errstate(invalid='ignore', divide='ignore', over='ignore'):
        for axis in (0, 1):
            low = np.minimum(np.abs(depth), np.abs(np.roll(depth, -1, axis)))
            step = np.abs(depth - np.roll(depth, -1, axis)) > relative_step * low
            last = [slice(None)] * 2
            last[axis] = slice(-1, None)
            step[tuple(last)] = False
            edges |= step | np.roll(step, 1, axis)
    return edges


def world_points(
    points_camera: NDArray[np.floating], T_world_camera: NDArray[np.floating], keep: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(N, 3) world positions of the kept pixels of a pointmap (h, w, 3)."""
    return transform_points(T_world_camera, points_camera[keep])
