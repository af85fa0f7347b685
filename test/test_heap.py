"""Memory that was freed goes back to the system, from time to time."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import numpy as np
import pytest

from hand3r_ros.heap import HeapTrimmer

MEGABYTE = 2**20


def resident() -> float:
    """Megabytes of this process that are in memory."""
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE') / MEGABYTE


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), 'malloc_trim'), reason='the C library is not glibc')
def test_freed_memory_goes_back_when_it_is_due() -> None:
    now = [0.0]
    trimmer = HeapTrimmer(period=30.0, clock=lambda: now[0])
    arrays = [np.ones(MEGABYTE // 16 // 8) for _ in range(3000)]
    kept = arrays[::20]  # between which there are holes now
    del arrays
    full = resident()
    now[0] = 29.0
    trimmer.trim_if_due()
    assert resident() > full - 20.0
    now[0] = 30.0
    trimmer.trim_if_due()
    assert resident() < full - 100.0
    assert all(array.all() for array in kept)


def test_where_the_c_library_cannot_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, 'CDLL', lambda name: object())
    HeapTrimmer(period=0.0).trim_if_due()
