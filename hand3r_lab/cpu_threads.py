"""How many threads PyTorch and OpenCV compute with, for as long as something is measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import _GeneratorContextManager, contextmanager

import cv2
import torch


def torch_threads(count: int) -> _GeneratorContextManager[None]:
    """Computes with ``count`` threads, then with as many as before; also a decorator.

    The number is one of the whole process: left changed, it would alter the speed, and in the last bits the results, of
    everything the caller computes afterwards.
    """
    return _lent(count, torch.get_num_threads, torch.set_num_threads)


def opencv_threads(count: int) -> _GeneratorContextManager[None]:
    """The same for OpenCV."""
    return _lent(count, cv2.getNumThreads, cv2.setNumThreads)


@contextmanager
def _lent(count: int, number: Callable[[], int], set_number: Callable[[int], None]) -> Iterator[None]:
    before = number()
    set_number(count)
    try:
        yield
    finally:
        set_number(before)
