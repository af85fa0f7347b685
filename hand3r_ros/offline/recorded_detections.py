"""Hand boxes of a recording, associated with images by stamp or, without stamps, by time."""

from __future__ import annotations

import bisect
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from hand3r_ros.online.results import HandDetection


@dataclass(frozen=True)
class RecordedDetections:
    """Hand boxes by the stamp of their image; those without stamp (0) by the time of recording, ns."""

    by_stamp: Mapping[int, tuple[HandDetection, ...]] = field(default_factory=dict)
    unstamped: Mapping[int, tuple[HandDetection, ...]] = field(default_factory=dict)

    def of_stamp(self, stamp_ns: int) -> tuple[HandDetection, ...] | None:
        """The boxes of the image with this stamp, None when there are none."""
        return self.by_stamp.get(stamp_ns)

    def recorded_after(self, log_ns: int, seconds: float) -> tuple[HandDetection, ...] | None:
        """The first boxes without stamp that were recorded within some seconds after an image."""
        place = bisect.bisect_left(self._times, log_ns)
        if place == len(self._times) or self._times[place] - log_ns > seconds * 1e9:
            return None
        return self.unstamped[self._times[place]]

    def nearest_stamp(self, stamp_ns: int) -> int | None:
        """The stamp of the boxes nearest to a time, None when no boxes have a stamp."""
        place = bisect.bisect_left(self._stamps, stamp_ns)
        near = self._stamps[max(0, place - 1) : place + 1]
        return min(near, key=lambda known: abs(known - stamp_ns), default=None)

    @cached_property
    def _stamps(self) -> list[int]:
        return sorted(self.by_stamp)

    @cached_property
    def _times(self) -> list[int]:
        return sorted(self.unstamped)
