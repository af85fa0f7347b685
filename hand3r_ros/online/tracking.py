"""Tracks hands over frames: stable ids and sides.

In two steps. Before hands are reconstructed only boxes are known: they tell which tracked hand a detection is, whatever
its label says, and so the side it is reconstructed with (``settle_sides``). Afterwards hands of one side are matched so
that the sum of distances is least (``update``). A distance counts in units of what is possible: in the world what a
hand can move in the time that passed, in the image a few box sizes. The smaller of both decides, because a moving
camera shifts boxes while the world position stays, and a wrong depth shifts the world position while the box stays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.online.config import TrackingConfig
from hand3r_ros.online.results import LARGEST_TRACK_ID, HandDetection
from hand3r_ros.online.side_evidence import SideBelief

FloatArray = NDArray[np.floating]
Item = TypeVar('Item')

_LARGEST_NEXT_ID = LARGEST_TRACK_ID // 2
"""In memories; leaves room for the hands of the sessions to come."""
_IMPOSSIBLE = 1.0
# How unlikely it is that a box is a tracked hand's (negative logarithm of the likelihood, up to a constant).
_UNLIKELIEST = 8.0
"""From here on it is another hand."""
_OTHER_LABEL = 0.7
"""That the detector takes a hand for the other one; labels decide only where places do not."""
_MISSED = 1.0
"""That a hand was not seen in the frame before: it more likely stays hidden than comes back elsewhere."""
_NEAR = 1.0
"""Box diagonals within which a hand that was away and comes back with the other label may still be the same."""
_BOX_NOISE = 0.08
"""Box diagonals, of the place of a box."""
_ACCELERATION = 5.0
"""m/s^2, how much hands change their speed."""
_HAND_LENGTH = 0.2
"""Metres that the diagonal of a box stands for where nothing else is known."""


@dataclass(frozen=True)
class SettledSide:
    """The side a detection is reconstructed with."""

    side: HandSide
    label: HandSide | None = None  # what the detector took it for; None: nobody looked
    weight: float = 1.0  # of the label
    track_id: int = -1  # of the hand whose side it has, -1 for a hand not tracked before
    changed: bool = False  # that hand was taken for the other side so far


@dataclass(frozen=True)
class HandObservation:
    """One hand of one frame, before it has an identity."""

    side: HandSide
    box: FloatArray  # (4,) px of the source image
    wrist_world: FloatArray  # (3,) m
    detector_id: int = -1  # identity given by the detector, -1 when it has none
    settled: SettledSide | None = None  # from ``settle_sides``; None: ``side`` is beyond doubt


@dataclass(frozen=True)
class Track:
    """A hand as it was last seen."""

    track_id: int
    side: SideBelief
    box: FloatArray  # (4,) px of the source image
    wrist_world: FloatArray  # (3,) m
    detector_id: int
    stamp_ns: int
    velocity: FloatArray = field(default_factory=lambda: np.zeros(2))  # (2,) px/s of the box


@dataclass(frozen=True)
class TrackerMemory:
    """What a tracker knows between two frames."""

    tracks: tuple[Track, ...]
    next_id: int
    stamp_ns: int  # of the last frame

    def check(self) -> None:
        """Raises ValueError for what no tracker knows."""
        if not 1 <= self.next_id <= _LARGEST_NEXT_ID:
            raise ValueError(f'the next id of a hand is {self.next_id}, expected 1 to {_LARGEST_NEXT_ID}')
        ids = [track.track_id for track in self.tracks]
        if len(set(ids)) != len(ids) or not all(1 <= track_id < self.next_id for track_id in ids):
            raise ValueError(f'tracked hands have the ids {ids}, expected different ones from 1 to {self.next_id - 1}')
        for track in self.tracks:
            if track.detector_id < -1:
                raise ValueError(f'a tracked hand has the detector id {track.detector_id}, expected -1 or more')
            if not all(np.isfinite(values).all() for values in (track.box, track.wrist_world, track.velocity)):
                raise ValueError('a tracked hand has a box, velocity or wrist position that is not finite')


class HandTracker:
    """Gives every hand an id that it keeps; ids start at 1 and are never used again, also not after a reset."""

    def __init__(self, config: TrackingConfig, max_hands: int) -> None:
        self.config = config
        self.max_hands = max_hands
        self._tracks: tuple[Track, ...] = ()
        self._next_id = 1
        self._stamp_ns = 0

    @property
    def track_ids(self) -> set[int]:
        """Ids of all hands that are not forgotten yet."""
        return {track.track_id for track in self._tracks}

    def reset(self) -> None:
        """Removes all hands."""
        self._tracks = ()

    def memory(self) -> TrackerMemory:
        """What ``restore`` needs."""
        return TrackerMemory(self._tracks, self._next_id, self._stamp_ns)

    def restore(self, memory: TrackerMemory) -> None:
        """Goes on from there; ids given out so far are not used again. Raises ValueError for an impossible memory."""
        memory.check()
        self._tracks, self._next_id = memory.tracks, max(self._next_id, memory.next_id)
        self._stamp_ns = memory.stamp_ns

    def settle_sides(self, detections: Sequence[HandDetection], stamp_ns: int) -> tuple[SettledSide, ...]:
        """The sides of the detections of one frame, in the order given; changes nothing.

        A detection where a tracked hand is expected is of that hand's side until enough labels speak against it.
        """
        assigned = _match(self._alive(stamp_ns), detections, partial(self._box_cost, stamp_ns))
        return tuple(self._settle(track, found) for track, found in zip(assigned, detections, strict=True))

    def update(self, observations: Sequence[HandObservation], stamp_ns: int) -> tuple[int, ...]:
        """Ids of the hands of one frame, in the order given. Hands not seen for the timeout are forgotten."""
        alive = self._alive(stamp_ns)
        assigned = _match(alive, observations, partial(self._cost, stamp_ns))
        seen = [self._seen(track, hand, stamp_ns) for track, hand in zip(assigned, observations, strict=True)]
        ids = [track.track_id for track in seen]
        unseen = [track for track in alive if track.track_id not in ids]
        unseen.sort(key=lambda track: -track.stamp_ns)
        self._tracks = tuple(seen + unseen[: max(0, self.max_hands - len(seen))])
        self._stamp_ns = stamp_ns
        return tuple(ids)

    def _alive(self, stamp_ns: int) -> list[Track]:
        timeout_ns = self.config.timeout * 1e9
        return [track for track in self._tracks if stamp_ns - track.stamp_ns <= timeout_ns]

    def _reach(self, seconds: float) -> float:
        """How far, m, a hand can seem to move in this time."""
        return self.config.position_tolerance + self.config.max_speed * seconds

    def _settle(self, track: Track | None, found: HandDetection) -> SettledSide:
        label = found.side if found.side_seen else None
        weight = min(max(float(found.score), 0.0), 1.0)
        if track is None:
            return SettledSide(found.side, label, weight)
        side = track.side.after(label, weight, self.config).side
        return SettledSide(side, label, weight, track.track_id, side != track.side.side)

    def _seen(self, track: Track | None, hand: HandObservation, stamp_ns: int) -> Track:
        """The track of a hand after this frame; it remembers the detector's id while others find its hand."""
        settled = hand.settled or SettledSide(hand.side)
        if track is None:
            self._next_id += 1
            belief = SideBelief.first(hand.side, settled.label, settled.weight)
            return Track(self._next_id - 1, belief, hand.box, hand.wrist_world, hand.detector_id, stamp_ns)
        belief = track.side.after(settled.label, settled.weight, self.config)
        if belief.side != hand.side:  # by its place in the world it is another hand than its box said
            belief = SideBelief(hand.side, 0.0)
        seconds = (stamp_ns - track.stamp_ns) * 1e-9
        return replace(
            track,
            side=belief,
            box=hand.box,
            wrist_world=hand.wrist_world,
            detector_id=track.detector_id if hand.detector_id < 0 else hand.detector_id,
            stamp_ns=stamp_ns,
            velocity=(_centre(hand.box) - _centre(track.box)) / seconds if seconds > 0.0 else np.zeros(2),
        )

    def _box_cost(self, stamp_ns: int, track: Track, found: HandDetection) -> float:
        """As ``_cost`` where only boxes and labels are known: how unlikely it is that both are the same hand."""
        same_side = track.side.side == found.side
        if found.track_id >= 0 and track.detector_id >= 0:
            if found.track_id != track.detector_id:
                return _IMPOSSIBLE
            if same_side:
                return 0.0
        seconds = max(0.0, (stamp_ns - track.stamp_ns) * 1e-9)
        diagonal = max(_diagonal(found.box), _diagonal(track.box), 1.0)
        moved = (_centre(found.box) - _centre(track.box)) / diagonal
        if np.linalg.norm(moved) > max(self.config.max_box_distance, self._reach(seconds) / _HAND_LENGTH):
            return _IMPOSSIBLE
        off = float(np.linalg.norm(moved - track.velocity * seconds / diagonal))
        spread = _BOX_NOISE + 0.5 * _ACCELERATION / _HAND_LENGTH * seconds**2
        unlikely = math.log1p((off / spread) ** 2)
        away = (self._stamp_ns - track.stamp_ns) * 1e-9 / max(self.config.timeout, 1e-3)
        if away > 0.0:
            unlikely += _MISSED
        if not same_side:
            # The longer a hand was away the less a label against it is taken for a mistake: another hand may have come.
            if away > 0.0 and off > _NEAR:
                return _IMPOSSIBLE
            unlikely += _OTHER_LABEL + away * _UNLIKELIEST
        return unlikely / _UNLIKELIEST

    def _cost(self, stamp_ns: int, track: Track, hand: HandObservation) -> float:
        """0 for the same place, 1 at the limit of what is possible, beyond for what is not."""
        own = hand.settled is not None and hand.settled.track_id == track.track_id
        if track.side.side != hand.side and not own:
            return _IMPOSSIBLE
        if hand.detector_id >= 0 and track.detector_id >= 0:
            return 0.0 if hand.detector_id == track.detector_id else _IMPOSSIBLE
        seconds = max(0.0, (stamp_ns - track.stamp_ns) * 1e-9)
        moved = float(np.linalg.norm(hand.wrist_world - track.wrist_world))
        diagonal = max(_diagonal(hand.box), _diagonal(track.box), 1.0)
        shifted = float(np.linalg.norm(_centre(hand.box) - _centre(track.box)))
        return min(moved / self._reach(seconds), shifted / (self.config.max_box_distance * diagonal))


def _match(tracks: list[Track], items: Sequence[Item], cost: Callable[[Track, Item], float]) -> list[Track | None]:
    """The track of each item, None where none costs less than 1; the sum of costs is the least possible."""
    assigned: list[Track | None] = [None] * len(items)
    if not tracks or not items:
        return assigned
    # Whatever is not possible costs the same, lest a pair that is farther apart pulls another one with it.
    costs = np.minimum([[cost(track, item) for item in items] for track in tracks], 1.0)
    for row, column in zip(*linear_sum_assignment(costs), strict=True):
        if costs[row, column] < 1.0:
            assigned[column] = tracks[row]
    return assigned


def _centre(box: FloatArray) -> FloatArray:
    return (box[:2] + box[2:]) / 2.0


def _diagonal(box: FloatArray) -> float:
    return float(np.linalg.norm(box[2:] - box[:2]))
