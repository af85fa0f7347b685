"""State of a run beside the session of the reconstruction, which ``OnlineReconstructor.save_state`` saves."""

from __future__ import annotations

from dataclasses import dataclass, field

from hand3r_ros.node.stamps import StampMemory
from hand3r_ros.offline.tally import Tally


@dataclass
class RunMemory:
    """JSON values, so that ``dataclasses.asdict`` can be stored."""

    tally: Tally = field(default_factory=Tally)
    last_log_ns: int = 0
    last_stamp_ns: int = 0  # of the last processed image
    stamps: StampMemory = field(default_factory=StampMemory)
    used_bits: tuple[int, str, int] = (0, '', 0)  # see ``UsedBits.memory``
    path: list[list[float]] = field(default_factory=list)  # see ``ResultMessages.memory``
    markers_at: float = 0.0
    map_due_ns: int = 0
    session_id: int = 1

    @classmethod
    def from_json(cls, values: dict[str, object]) -> RunMemory:
        """Of what ``asdict`` gave; raises TypeError or KeyError for anything else."""
        parts = {'tally': Tally(**values['tally']), 'stamps': StampMemory(**values['stamps'])}  # type: ignore[arg-type]
        memory = cls(**{**values, **parts})  # type: ignore[arg-type]
        detected, kind, outgrown_by = memory.used_bits
        memory.used_bits = (detected, kind, outgrown_by)
        return memory
