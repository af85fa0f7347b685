"""Time spans."""

from __future__ import annotations

from functools import total_ordering
from typing import Any

S_TO_NS = 1_000_000_000


MAX_NANOSECONDS = 2**63 - 1


def total_nanoseconds(seconds: float, nanoseconds: float) -> int:
    """Sum in nanoseconds; OverflowError where it does not fit into 64 bits."""
    total = int(seconds * S_TO_NS) + int(nanoseconds)
    if not -MAX_NANOSECONDS - 1 <= total <= MAX_NANOSECONDS:
        raise OverflowError(f'{total} nanoseconds do not fit into 64 bits')
    return total


@total_ordering
class Duration:
    """A signed time span."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, *, seconds: float = 0, nanoseconds: float = 0):
        self._nanoseconds = total_nanoseconds(seconds, nanoseconds)

    @property
    def nanoseconds(self) -> int:
        """The span in nanoseconds."""
        return self._nanoseconds

    def __eq__(self, other: object) -> bool:
        return self._nanoseconds == other._nanoseconds if isinstance(other, Duration) else NotImplemented

    def __lt__(self, other: Duration) -> bool:
        return self._nanoseconds < other._nanoseconds if isinstance(other, Duration) else NotImplemented

    def __repr__(self) -> str:
        return f'Duration(nanoseconds={self._nanoseconds})'

    def to_msg(self) -> Any:
        """Return a builtin_interfaces/Duration."""
        from builtin_interfaces.msg import Duration as DurationMessage

        return DurationMessage(sec=self._nanoseconds // S_TO_NS, nanosec=self._nanoseconds % S_TO_NS)

    @classmethod
    def from_msg(cls, msg: Any) -> Duration:
        """Create from a builtin_interfaces/Duration."""
        from builtin_interfaces.msg import Duration as DurationMessage

        if not isinstance(msg, DurationMessage):
            raise TypeError('Must pass a builtin_interfaces.msg.Duration object')
        return cls(seconds=msg.sec, nanoseconds=msg.nanosec)


Infinite = Duration(nanoseconds=MAX_NANOSECONDS)
