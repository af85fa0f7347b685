"""Stamps of images: the only place that decides which image may come next, and which stamp it gets.

Shared by the node and ``hand3r run``. What a step in time means for the reconstruction (a new session or not) is
decided in ``online/session``, from the stamps that are let through here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

NANOSECONDS = 1_000_000_000
LATEST_NANOSECONDS = NANOSECONDS - 1
JUMP_BACK_NS = NANOSECONDS
"""A smaller step back is a reordered image, never a clock that was set back."""
JUMP_AHEAD_NS = 3 * NANOSECONDS
"""A smaller step ahead is images that were lost or refused."""
STEADY_FACTOR = 3
"""A step this many times as long as the one before is one of a slow stream, not a jump."""

NO_STAMPS = 'images carry no stamp (0): the time at which they came is taken; set the stamp where they are published'


class StampError(ValueError):
    """An image is skipped because of its stamp; ``cause`` is a short name of the reason for counters."""

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause


@dataclass(frozen=True)
class Admission:
    """An image may come next."""

    stamp_ns: int  # that it is served by
    by_arrival: bool = False  # its own stamp is 0, this one is the time at which it came
    went_back: bool = False  # time began anew


@dataclass(frozen=True)
class StampMemory:
    """What a guard knows; JSON values."""

    last_ns: int | None = None  # newest stamp that was let through
    arrived_ns: int = 0  # when that image came
    step_ns: int = 0  # between the last two stamps
    by_arrival: bool = False  # images of this time line carry no stamp
    held_ns: int | None = None  # stamp of the last image, which was held back
    held_by_arrival: bool = False


class StampGuard:
    """Remembers the newest stamp and judges the next one.

    Stamps have to increase. One that jumps, back or ahead, is held back (the image is skipped) until the next image
    goes on from there: a lone wrong stamp costs one image and nothing else. Ahead it is no jump when about as much
    time passed between the arrivals, or when the stream is that slow.

    A stamp of 0 stands for 'none'. A stream of such images is served by the time at which they arrive.
    """

    def __init__(self) -> None:
        self._known = StampMemory()

    @property
    def last_ns(self) -> int | None:
        """The newest stamp that was let through."""
        return self._known.last_ns

    def admit(self, stamp_ns: int, arrival_ns: int, may_begin_anew: bool = True, gap_seconds: float = 0.0) -> Admission:
        """Judge the next image.

        Args:
            stamp_ns: of its header.
            arrival_ns: when it was received or recorded, by the clock that stamps follow.
            may_begin_anew: whether time may go back at all, for a recording that starts again.
            gap_seconds: a gap that ends the session, which a lone wrong stamp must not do; 0: none does.

        Raises:
            StampError: it is to be skipped; says why.

        """
        known, by_arrival = self._known, stamp_ns == 0
        time_ns = arrival_ns if by_arrival else stamp_ns
        if known.last_ns is None:
            return self._let_through(time_ns, arrival_ns, by_arrival)
        same_line = by_arrival == known.by_arrival
        if same_line and time_ns > known.last_ns and not self._jumps_ahead(time_ns, arrival_ns, gap_seconds):
            paused = arrival_ns - known.arrived_ns >= JUMP_AHEAD_NS
            step_ns = known.step_ns if paused else time_ns - known.last_ns
            return self._let_through(time_ns, arrival_ns, by_arrival, step_ns=step_ns)
        may_jump = may_begin_anew or time_ns > known.last_ns
        if may_jump and known.held_ns is not None and self._confirms(time_ns, by_arrival, known.last_ns, known.held_ns):
            step_ns, went_back = time_ns - known.held_ns, time_ns <= known.last_ns
            return self._let_through(time_ns, arrival_ns, by_arrival, step_ns, went_back)
        is_jump = may_jump and (not same_line or time_ns > known.last_ns or known.last_ns - time_ns >= JUMP_BACK_NS)
        held = (time_ns, by_arrival) if is_jump else (None, False)
        self._known = replace(known, held_ns=held[0], held_by_arrival=held[1])
        raise StampError(*_refusal(time_ns, by_arrival, known, is_jump))

    def forget(self) -> None:
        """Let the next image through, whatever its stamp is."""
        self._known = StampMemory()

    def memory(self) -> StampMemory:
        """What ``restore`` needs."""
        return self._known

    def restore(self, memory: StampMemory) -> None:
        """Restores what ``memory`` gave."""
        self._known = memory

    def _jumps_ahead(self, time_ns: int, arrival_ns: int, gap_seconds: float) -> bool:
        known = self._known
        assert known.last_ns is not None
        ahead_ns = time_ns - known.last_ns
        limit_ns = min(JUMP_AHEAD_NS, int(gap_seconds * NANOSECONDS) or JUMP_AHEAD_NS)
        if ahead_ns < max(limit_ns, STEADY_FACTOR * known.step_ns):
            return False
        return 2 * (arrival_ns - known.arrived_ns) < ahead_ns

    def _confirms(self, time_ns: int, by_arrival: bool, last_ns: int, held_ns: int) -> bool:
        """Whether an image goes on from the one held back: after it, and nearer to it than to those before."""
        if by_arrival != self._known.held_by_arrival or time_ns <= held_ns:
            return False
        return by_arrival != self._known.by_arrival or time_ns - held_ns < abs(time_ns - last_ns)

    def _let_through(
        self, time_ns: int, arrival_ns: int, by_arrival: bool, step_ns: int = 0, went_back: bool = False
    ) -> Admission:
        self._known = StampMemory(time_ns, arrival_ns, step_ns, by_arrival)
        return Admission(time_ns, by_arrival, went_back)


def stamp_nanoseconds(stamp: Any) -> int:
    """Nanoseconds of a builtin_interfaces/Time."""
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)


def checked_nanoseconds(stamp: Any) -> int:
    """Nanoseconds of a builtin_interfaces/Time from outside; raises :class:`StampError` for what is no time."""
    if not 0 <= stamp.nanosec <= LATEST_NANOSECONDS:
        raise StampError('bad stamp', f'stamp has {stamp.nanosec} nanoseconds, more than a second has')
    if stamp.sec < 0:
        raise StampError('bad stamp', f'stamp has {stamp.sec} seconds; times in ROS are not negative')
    return stamp_nanoseconds(stamp)


def _refusal(time_ns: int, by_arrival: bool, known: StampMemory, is_jump: bool) -> tuple[str, str]:
    """Cause and message."""
    assert known.last_ns is not None
    time, last = time_ns / NANOSECONDS, known.last_ns / NANOSECONDS
    waits = 'skipped unless the next image continues from there'
    if by_arrival != known.by_arrival:
        what = 'the stamp is 0 (none)' if by_arrival else f'stamp {time:.3f} s comes after images without stamps'
        return 'stamp jump', f'{what}: {waits}' if is_jump else what
    name = 'time of arrival' if by_arrival else 'stamp'
    if time_ns > known.last_ns:
        return 'stamp jump', f'{name} {time:.3f} s is {time - last:.3f} s ahead of the last one, {last:.3f} s: {waits}'
    text = f'{name} {time:.3f} s is not after the last one, {last:.3f} s'
    return 'stamp not increasing', f'{text}: {waits}' if is_jump else text
