"""How many threads PyTorch and OpenCV compute with, for as long as something is measured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import torch


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Computes with ``count`` threads, then with as many as before; also a decorator.

    The number is one of the whole process: left changed, it would alter the speed, and in the last bits the results, of
    everything the caller computes afterwards.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def opencv_threads(count: int) -> Iterator[None]:
    """The same for OpenCV."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(count)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
