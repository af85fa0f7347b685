"""Times in the names of image files."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from hand3r_ros.offline.errors import InputError

NANOSECONDS = 1_000_000_000
FASTEST_RATE = 1000
"""Hz, that names may say."""

_WHOLE_NAME = re.compile(r'[1-9][0-9]+')
_UNITS = {19: 1, 18: 1, 16: 1_000, 13: 1_000_000}
"""Nanoseconds of one, by the number of digits."""
_SECOND_NAME = re.compile(r'([1-9][0-9]{8,9})\.([0-9]{1,9})')


def stamps_of_names(stems: Sequence[str]) -> list[int | None]:
    """Nanoseconds of every name; None for all where fewer than half of them are times.

    Raises:
        InputError: they would be more than 1000 images per second, so that they cannot be times.

    """
    stamps = [stamp_of_name(stem) for stem in stems]
    known = sorted(stamp for stamp in stamps if stamp is not None)
    if len(known) < 2 or 2 * len(known) < len(stems):
        return [None] * len(stems)
    step = int(np.median(np.diff(known)))
    if step * FASTEST_RATE < NANOSECONDS:
        rate = f'{NANOSECONDS / step:.0f} images per second' if step else 'images at the same time'
        raise InputError(f'names such as {stems[0]} say {rate} when they are read as times: give the rate with --fps')
    return stamps


def stamp_of_name(stem: str) -> int | None:
    """Nanoseconds since 1970 in a file name, by its number of digits.

    18 or 19 are nanoseconds (1403636579763555584, EuRoC), 16 microseconds (Oxford RobotCar), 13 milliseconds, 9 or 10
    with a fraction seconds (1305031102.175304, TUM). Everything else, and zeros in front, are numbers of images: None.
    """
    if (match := _WHOLE_NAME.fullmatch(stem)) and len(stem) in _UNITS:
        return int(match[0]) * _UNITS[len(stem)]
    if match := _SECOND_NAME.fullmatch(stem):
        return int(match[1]) * NANOSECONDS + int(match[2].ljust(9, '0'))
    return None
