"""Checks that image stamps move forward, and tells a reordered image from a clock that was set back (a bag loop)."""

from __future__ import annotations

from enum import Enum
from typing import Any

NANOSECONDS = 1_000_000_000


class StampVerdict(Enum):
    """What to do with an image because of its stamp."""

    ACCEPT = 'accept'
    REJECT = 'reject'  # not after the previous image: skip it
    NEW_TIMELINE = 'new time line'  # time was set back for good: accept it, in a new session


class StampGuard:
    """Remembers the newest accepted stamp and judges the next one.

    A single stamp from the past is skipped, whatever its cause. When time went back by ``jump_seconds`` or more and
    the next image carries on from there, the source began anew.
    """

    def __init__(self, jump_seconds: float = 1.0) -> None:
        self._jump_ns = int(jump_seconds * NANOSECONDS)
        self._last_ns: int | None = None
        self._candidate_ns: int | None = None  # where a new time line may have begun

    @property
    def last_ns(self) -> int | None:
        """The newest accepted stamp."""
        return self._last_ns

    def check(self, stamp_ns: int, may_begin_anew: bool = True) -> StampVerdict:
        """Judge the stamp of the next image; without ``may_begin_anew`` everything from the past is skipped."""
        if self._last_ns is None or stamp_ns > self._last_ns:
            return self._accept(stamp_ns, StampVerdict.ACCEPT)
        if may_begin_anew and self._candidate_ns is not None and stamp_ns > self._candidate_ns:
            return self._accept(stamp_ns, StampVerdict.NEW_TIMELINE)
        if self._last_ns - stamp_ns >= self._jump_ns:
            self._candidate_ns = stamp_ns
        return StampVerdict.REJECT

    def forget(self) -> None:
        """Accept the next stamp, whatever it is."""
        self._last_ns = self._candidate_ns = None

    def memory(self) -> tuple[int | None, int | None]:
        """What ``restore`` needs to go on from here."""
        return self._last_ns, self._candidate_ns

    def restore(self, last_ns: int | None, candidate_ns: int | None) -> None:
        """Go on from there."""
        self._last_ns, self._candidate_ns = last_ns, candidate_ns

    def _accept(self, stamp_ns: int, verdict: StampVerdict) -> StampVerdict:
        self._last_ns, self._candidate_ns = stamp_ns, None
        return verdict


def stamp_nanoseconds(stamp: Any) -> int:
    """Nanoseconds of a builtin_interfaces/Time."""
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)
