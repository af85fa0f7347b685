"""The published setups s0 to s3 of DexYCB: which subjects, cameras and sequences train, validate and test.

s0 sees everything before, s1 tests new subjects, s2 new cameras, s3 new grasped objects (Chao et al., CVPR 2021).
Every subject grasps each of the 20 objects in five sequences running, so the position among a subject's 100 sequences
tells the object.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hand3r_lab.datasets.dexycb_layout import SEQUENCES_PER_SUBJECT, SERIALS, SUBJECTS

SETUPS = ('s0', 's1', 's2', 's3')
PARTS = ('train', 'val', 'test')


@dataclass(frozen=True)
class SetupPart:
    """One part of a setup."""

    subjects: tuple[int, ...]  # 1..10
    serials: tuple[str, ...]
    positions: frozenset[int]  # 0..99, among the sorted sequences of a subject


_EVERYONE = tuple(range(1, SUBJECTS + 1))


def setup_part(setup: str, part: str) -> SetupPart:
    """Who belongs to ``part`` ('train', 'val' or 'test') of ``setup`` ('s0' to 's3').

    Raises:
        ValueError: there is no such setup or part.
    """
    if setup not in SETUPS or part not in PARTS:
        raise ValueError(
            f'DexYCB setup must be one of {", ".join(SETUPS)} and part one of {", ".join(PARTS)}, '
            f'got {setup!r} and {part!r}'
        )
    return _RULES[setup][part]


def _where(rule: Callable[[int], bool]) -> frozenset[int]:
    return frozenset(position for position in range(SEQUENCES_PER_SUBJECT) if rule(position))


_ALL = _where(lambda position: True)
_FIFTH = _where(lambda position: position % 5 == 4)
_HELD_OUT_OBJECTS = _where(lambda position: position // 5 in (3, 7, 11, 15, 19))
_VALIDATION_OBJECTS = _where(lambda position: position // 5 in (3, 19))

_RULES: dict[str, dict[str, SetupPart]] = {
    's0': {
        'train': SetupPart(_EVERYONE, SERIALS, _ALL - _FIFTH),
        'val': SetupPart((1, 2), SERIALS, _FIFTH),
        'test': SetupPart(_EVERYONE[2:], SERIALS, _FIFTH),
    },
    's1': {
        'train': SetupPart((1, 2, 3, 4, 5, 6, 10), SERIALS, _ALL),
        'val': SetupPart((7,), SERIALS, _ALL),
        'test': SetupPart((8, 9), SERIALS, _ALL),
    },
    's2': {
        'train': SetupPart(_EVERYONE, SERIALS[:6], _ALL),
        'val': SetupPart(_EVERYONE, SERIALS[6:7], _ALL),
        'test': SetupPart(_EVERYONE, SERIALS[7:], _ALL),
    },
    's3': {
        'train': SetupPart(_EVERYONE, SERIALS, _ALL - _HELD_OUT_OBJECTS),
        'val': SetupPart(_EVERYONE, SERIALS, _VALIDATION_OBJECTS),
        'test': SetupPart(_EVERYONE, SERIALS, _HELD_OUT_OBJECTS - _VALIDATION_OBJECTS),
    },
}
