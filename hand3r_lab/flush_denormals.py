"""Numbers too small for their exponent count as zero while something is trained on a CPU.

Gradients that pass a saturated activation shrink to 1e-40, and a processor computes with such denormal numbers in
microcode: a convolution can take ten times as long for them and more (docs/training.md has a command that shows it).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

__all__ = ['flush_denormals']

_DENORMAL = 1e-40  # in float32


@contextmanager
def flush_denormals() -> Iterator[None]:
    """Flushes denormal numbers of the calling thread to zero, where the processor can; also a decorator."""
    before = _are_flushed()
    for number in (np.float32, np.float64):
        np.finfo(number)  # numpy looks at the smallest numbers once, and warns where they are zero
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def _are_flushed() -> bool:
    return float(torch.tensor(_DENORMAL) * 0.5) == 0.0
