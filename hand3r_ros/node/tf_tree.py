"""Connects the world frame to an existing TF tree: no frame gets a second parent, and no loop is closed.

Drivers of RealSense, ZED or OAK cameras, and robots, place the optical frame themselves. A second transform to it would
tear their tree apart; the inverse, which makes the world a child of the camera, leaves every frame its one parent.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from hand3r_ros.node.names import shortened

MEMORY_SECONDS = 10.0
"""How long a parent on /tf counts after it was last seen; one on /tf_static counts for good."""
MOST_FRAMES = 5000
MOST_PARENTS = 8  # of one frame

Parents = Mapping[str, Collection[str]]
"""The parents that each frame has according to TF, the transforms of this node included."""


@dataclass(frozen=True)
class Joint:
    """The transform that joins world and tree."""

    parent: str
    child: str  # empty: there is none that would do no harm
    problem: str | None = None  # why it is not the one that was asked for, and what to set

    @property
    def exists(self) -> bool:
        """False when nothing may be published."""
        return bool(self.child)


def join_world(world: str, body: str, inverted: bool, parents: Parents) -> Joint:
    """The transform between the world and a frame that this node places, the camera's or ``base_frame``.

    It is world -> body, or body -> world if ``inverted`` or if the body has a parent already.
    """
    body_parents = set(parents.get(body, ())) - {world}
    world_parents = set(parents.get(world, ())) - {body}
    if not inverted and not body_parents and body not in _above(world, parents, without=(body, world)):
        return Joint(world, body)
    if not world_parents and world not in _above(body, parents, without=(world, body)):
        if inverted:
            return Joint(body, world)
        return Joint(body, world, _why_inverted(world, body, parents))
    if world in _above(body, parents, without=(world, body)):
        why = f'TF places {_named(body)} in {_named(world)} already: set pose_source:=tf to take that pose'
    else:
        why = f'TF has a parent for both {_named(body)} ({_listed(body_parents)}) and {_named(world)} ('
        why += f'{_listed(world_parents)}): give world_frame another name'
    return Joint('', '', f'no transform is published, it would tear the tree apart. {why}, or publish_tf:=false')


class SeenParents:
    """What /tf and /tf_static say about parents; filled by the executor's thread, read by the worker's."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._until: dict[str, dict[str, float]] = {}  # by child and parent, the time up to which it counts

    def add(self, parent: str, child: str, static: bool) -> None:
        """Remember one transform."""
        with self._lock:
            if child not in self._until and len(self._until) >= MOST_FRAMES:
                return
            known = self._until.setdefault(child, {})
            if parent in known or len(known) < MOST_PARENTS:
                until = math.inf if static else self._clock() + MEMORY_SECONDS
                known[parent] = max(until, known.get(parent, until))

    def parents(self) -> Parents:
        """As of now."""
        with self._lock:
            now = self._clock()
            current = {child: {p for p, until in known.items() if until >= now} for child, known in self._until.items()}
            return {child: found for child, found in current.items() if found}


def _above(frame: str, parents: Parents, without: tuple[str, str]) -> set[str]:
    """All frames above one; ``without`` (parent, child) is a transform of this node, which does not count."""
    parent, child = without
    found: set[str] = set()
    waiting = [frame]
    while waiting:
        current = waiting.pop()
        for above in parents.get(current, ()):
            if (current, above) != (child, parent) and above not in found:
                found.add(above)
                waiting.append(above)
    return found


def _why_inverted(world: str, body: str, parents: Parents) -> str:
    above = _above(body, parents, without=(world, body))
    roots = sorted(frame for frame in above if not set(parents.get(frame, ())) - {world})
    base = f'base_frame:={shortened(roots[0])} to place that frame in {_named(world)}, ' if roots else ''
    return (
        f'TF places {_named(body)} in {_listed(set(parents.get(body, ())) - {world})} already, so the inverse '
        f'{_named(body)} -> {_named(world)} is published. Set invert_tf:=true to ask for that, {base}'
        'or publish_tf:=false'
    )


def _listed(frames: Collection[str]) -> str:
    return ', '.join(_named(frame) for frame in sorted(frames)) or 'none'


def _named(frame: str) -> str:
    return f"'{shortened(frame)}'"
