"""Transforms of a whole recording: poses between frames at any time, interpolated between stamps."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from hand3r_ros.geometry import invert_transform, make_transform

Array = NDArray[np.floating]


@dataclass
class _Edge:
    """How a child frame moves in its parent."""

    parent: str
    static: bool
    stamps: list[int] = field(default_factory=list)  # ascending
    transforms: list[Array] = field(default_factory=list)  # (4, 4) child to parent

    def add(self, stamp_ns: int, T_parent_child: Array) -> None:
        place = bisect.bisect_right(self.stamps, stamp_ns)
        self.stamps.insert(place, stamp_ns)
        self.transforms.insert(place, T_parent_child)

    def at(self, stamp_ns: int, child: str) -> Array:
        if self.static:
            return self.transforms[-1]
        after = bisect.bisect_left(self.stamps, stamp_ns)
        if after < len(self.stamps) and self.stamps[after] == stamp_ns:
            return self.transforms[after]
        if not 0 < after < len(self.stamps):
            first, last = self.stamps[0] * 1e-9, self.stamps[-1] * 1e-9
            raise LookupError(
                f"'{child}' in '{self.parent}' is known from {first:.3f} s to {last:.3f} s, "
                f'not at {stamp_ns * 1e-9:.3f} s'
            )
        before = after - 1
        part = (stamp_ns - self.stamps[before]) / (self.stamps[after] - self.stamps[before])
        return _between(self.transforms[before], self.transforms[after], part)


class TransformHistory:
    """Filled from /tf and /tf_static; a child has one parent, the one that was given last."""

    def __init__(self) -> None:
        self._edges: dict[str, _Edge] = {}

    def add(self, parent: str, child: str, stamp_ns: int, T_parent_child: Array, static: bool) -> None:
        """Remember one transform, (4, 4) from the child to the parent."""
        edge = self._edges.get(child)
        if edge is None or edge.parent != parent or edge.static != static:
            edge = self._edges[child] = _Edge(parent, static)
        edge.add(stamp_ns, np.asarray(T_parent_child, float))

    def lookup(self, target: str, source: str, stamp_ns: int) -> Array:
        """``T_target_source`` (4, 4) at a time.

        Raises:
            LookupError: a frame is not known, both are not connected, or the time is outside of what is known.

        """
        to_target, to_source = self._way_up(target), self._way_up(source)
        common = next((name for name in to_source if name in to_target), None)
        if common is None:
            raise LookupError(f"no transform connects '{target}' and '{source}'")
        T_common_target = self._climb(to_target[: to_target.index(common)], stamp_ns)
        T_common_source = self._climb(to_source[: to_source.index(common)], stamp_ns)
        return invert_transform(T_common_target) @ T_common_source

    def parents(self) -> dict[str, tuple[str, ...]]:
        """The parent of each frame."""
        return {child: (edge.parent,) for child, edge in self._edges.items()}

    def _way_up(self, frame: str) -> list[str]:
        """The frame, its parent and so on to the root."""
        way = [frame]
        while way[-1] in self._edges:
            parent = self._edges[way[-1]].parent
            if parent in way:
                raise LookupError(f"the transforms above '{frame}' form a loop: {' -> '.join([*way, parent])}")
            way.append(parent)
        return way

    def _climb(self, children: list[str], stamp_ns: int) -> Array:
        T = np.eye(4)
        for child in children:
            T = self._edges[child].at(stamp_ns, child) @ T
        return T


def _between(first: Array, second: Array, part: float) -> Array:
    """The pose at a fraction of the way: positions linearly, rotations along the shortest turn."""
    rotations = Slerp([0.0, 1.0], Rotation.from_matrix(np.stack([first[:3, :3], second[:3, :3]])))
    position = (1.0 - part) * first[:3, 3] + part * second[:3, 3]
    return make_transform(rotations(part).as_matrix(), position)
