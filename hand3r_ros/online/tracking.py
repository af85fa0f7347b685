"""Which hand of this frame is which hand of the frames before: stable ids by side and distance.

Hands of one side are matched so that the sum of distances is least. A distance counts in units of what is possible:
in the world what a hand can move in the time that passed, in the image a few box sizes. The smaller of both decides,
because a moving camera shifts boxes while the world position stays, and a wrong depth shifts the world position while
the box stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.online.config import TrackingConfig

FloatArray = NDArray[np.floating]

_IMPOSSIBLE = 1e6


@dataclass(frozen=True)
class HandObservation:
    """One hand of one frame, before it has an identity."""

    side: HandSide
    box: FloatArray  # (4,) px of the source image
    wrist_world: FloatArray  # (3,) m
    detector_id: int = -1  # identity given by the detector, -1 when it has none


@dataclass(frozen=True)
class Track:
    """A hand as it was last seen."""

    track_id: int
    last: HandObservation
    stamp_ns: int


@dataclass(frozen=True)
class TrackerMemory:
    """What a tracker knows between two frames."""

    tracks: tuple[Track, ...]
    next_id: int


class HandTracker:
    """Gives every hand an id that it keeps; ids start at 1 and are never used again, also not after a reset."""

    def __init__(self, config: TrackingConfig, max_hands: int) -> None:
        self.config = config
        self.max_hands = max_hands
        self._tracks: tuple[Track, ...] = ()
        self._next_id = 1

    @property
    def track_ids(self) -> set[int]:
        """Ids of all hands that are not forgotten yet."""
        return {track.track_id for track in self._tracks}

    def reset(self) -> None:
        """Forget all hands."""
        self._tracks = ()

    def memory(self) -> TrackerMemory:
        """What ``restore`` needs to go on from here."""
        return TrackerMemory(self._tracks, self._next_id)

    def restore(self, memory: TrackerMemory) -> None:
        """Goes on from there; ids given out so far are not used again."""
        self._tracks, self._next_id = memory.tracks, max(self._next_id, memory.next_id)

    def update(self, observations: Sequence[HandObservation], stamp_ns: int) -> tuple[int, ...]:
        """Ids of the hands of one frame, in the order given. Hands not seen for the timeout are forgotten."""
        timeout_ns = self.config.timeout * 1e9
        alive = [track for track in self._tracks if stamp_ns - track.stamp_ns <= timeout_ns]
        assigned = self._match(alive, observations, stamp_ns)
        seen = [self._seen(track, hand, stamp_ns) for track, hand in zip(assigned, observations, strict=True)]
        ids = [track.track_id for track in seen]
        unseen = [track for track in alive if track.track_id not in ids]
        unseen.sort(key=lambda track: -track.stamp_ns)
        self._tracks = tuple(seen + unseen[: max(0, self.max_hands - len(seen))])
        return tuple(ids)

    def _seen(self, track: Track | None, hand: HandObservation, stamp_ns: int) -> Track:
        """The track of a hand after this frame; it remembers the detector's id while others find its hand."""
        if track is None:
            self._next_id += 1
            return Track(self._next_id - 1, hand, stamp_ns)
        if hand.detector_id < 0:
            hand = replace(hand, detector_id=track.last.detector_id)
        return Track(track.track_id, hand, stamp_ns)

    def _match(self, tracks: list[Track], observations: Sequence[HandObservation], stamp_ns: int) -> list[Track | None]:
        assigned: list[Track | None] = [None] * len(observations)
        if not tracks or not observations:
            return assigned
        costs = np.array([[self._cost(track, hand, stamp_ns) for hand in observations] for track in tracks])
        for row, column in zip(*linear_sum_assignment(costs), strict=True):
            if costs[row, column] < 1.0:
                assigned[column] = tracks[row]
        return assigned

    def _cost(self, track: Track, hand: HandObservation, stamp_ns: int) -> float:
        """0 for the same place, 1 at the limit of what is possible, beyond for what is not."""
        if track.last.side != hand.side:
            return _IMPOSSIBLE
        if hand.detector_id >= 0 and track.last.detector_id >= 0:
            return 0.0 if hand.detector_id == track.last.detector_id else _IMPOSSIBLE
        seconds = max(0.0, (stamp_ns - track.stamp_ns) * 1e-9)
        reach = self.config.position_tolerance + self.config.max_speed * seconds
        moved = float(np.linalg.norm(hand.wrist_world - track.last.wrist_world))
        centre, last_centre = _centre(hand.box), _centre(track.last.box)
        diagonal = max(_diagonal(hand.box), _diagonal(track.last.box), 1.0)
        shifted = float(np.linalg.norm(centre - last_centre))
        return min(moved / reach, shifted / (self.config.max_box_distance * diagonal))


def _centre(box: FloatArray) -> FloatArray:
    return (box[:2] + box[2:]) / 2.0


def _diagonal(box: FloatArray) -> float:
    return float(np.linalg.norm(box[2:] - box[:2]))
