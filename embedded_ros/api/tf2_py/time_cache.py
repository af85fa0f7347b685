"""The transforms of one frame to its parents over time."""

from __future__ import annotations

import bisect
from typing import NamedTuple

from tf2_py.exceptions import ExtrapolationException
from tf2_py.rigid import Rigid, interpolate


class Stamped(NamedTuple):
    """Maps data of the frame to data of `parent` at a time in nanoseconds."""

    stamp: int
    parent: str
    transform: Rigid


class TimeCache:
    """Samples of a moving frame within `duration` nanoseconds of the newest."""

    is_static = False

    def __init__(self, duration: int):
        self._duration = duration
        self._samples: list[Stamped] = []

    def insert(self, sample: Stamped) -> bool:
        """Add a sample; False when it is too old or repeats a stamp."""
        position = bisect.bisect_left(self._samples, sample.stamp, key=lambda known: known.stamp)
        if position < len(self._samples) and self._samples[position].stamp == sample.stamp:
            return False
        if self._samples and sample.stamp < self._samples[-1].stamp - self._duration:
            return False
        self._samples.insert(position, sample)
        oldest = self._samples[-1].stamp - self._duration
        del self._samples[: bisect.bisect_left(self._samples, oldest, key=lambda known: known.stamp)]
        return True

    def newest(self) -> Stamped:
        """Return the newest sample."""
        return self._samples[-1]

    def at(self, stamp: int) -> Stamped:
        """Return the (interpolated) transform at a time; 0 is the newest. ExtrapolationException outside."""
        if stamp == 0:
            return self._samples[-1]
        first, last = self._samples[0].stamp, self._samples[-1].stamp
        if not first <= stamp <= last:
            what = 'future' if stamp > last else 'past'
            bound = f'the latest data is at time {last * 1e-9:.9f}'
            if stamp < first:
                bound = f'the earliest data is at time {first * 1e-9:.9f}'
            raise ExtrapolationException(
                f'Lookup would require extrapolation into the {what}.  Requested time {stamp * 1e-9:.9f} but {bound}'
            )
        after_index = bisect.bisect_left(self._samples, stamp, key=lambda known: known.stamp)
        after = self._samples[after_index]
        if after.stamp == stamp:
            return after
        before = self._samples[after_index - 1]
        if before.parent != after.parent:
            return before
        fraction = (stamp - before.stamp) / (after.stamp - before.stamp)
        return Stamped(stamp, before.parent, interpolate(before.transform, after.transform, fraction))


class StaticCache:
    """A frame that never moves: the last transform holds for all times."""

    is_static = True

    def __init__(self) -> None:
        self._sample: Stamped | None = None

    def insert(self, sample: Stamped) -> bool:
        """Replace the transform."""
        self._sample = sample
        return True

    def newest(self) -> Stamped:
        """Return the transform."""
        assert self._sample is not None
        return self._sample

    def at(self, stamp: int) -> Stamped:
        """Return the transform."""
        return self.newest()
