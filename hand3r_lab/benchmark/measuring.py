"""Clocks, memory and the machine's own speed, against which times are read.

CPU seconds are those of all threads of this process: beside other work they change far less than wall seconds do.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

Module = TypeVar('Module', bound=nn.Module)

MATMUL_SHAPE = (768, 1024, 4096)
"""Tokens, width in, width out: the first product of a feed-forward part of the full-size encoder at 512 x 384."""


class Seconds(NamedTuple):
    """A measured duration."""

    cpu: float
    wall: float


class Stopwatch:
    """Adds up seconds per named stage."""

    def __init__(self, device: torch.device | str = 'cpu') -> None:
        self.device = torch.device(device)
        self.stages: dict[str, Seconds] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Counts the time inside the ``with`` block towards ``name``."""
        finish(self.device)
        cpu, wall = time.process_time(), time.perf_counter()
        yield
        finish(self.device)
        before = self.stages.get(name, Seconds(0.0, 0.0))
        self.stages[name] = Seconds(before.cpu + time.process_time() - cpu, before.wall + time.perf_counter() - wall)

    @property
    def total(self) -> Seconds:
        """All stages together."""
        return Seconds(sum(s.cpu for s in self.stages.values()), sum(s.wall for s in self.stages.values()))


def finish(device: torch.device) -> None:
    """Waits until a GPU has done what it was given."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def median_seconds(function: Callable[[], object], repetitions: int, device: torch.device | str = 'cpu') -> Seconds:
    """Medians over single calls."""
    calls = []
    for _ in range(repetitions):
        watch = Stopwatch(device)
        with watch.stage('call'):
            function()
        calls.append(watch.total)
    return Seconds(statistics.median(c.cpu for c in calls), statistics.median(c.wall for c in calls))


@torch.inference_mode()
def matmul_gflops(repetitions: int = 8) -> Seconds:
    """Float32 GFLOP per CPU second and per wall second of torch's own matrix product; the best of several."""
    tokens, width, output = MATMUL_SHAPE
    x, weight = torch.randn(tokens, width), torch.randn(output, width)
    calls = []
    for _ in range(repetitions):
        watch = Stopwatch()
        with watch.stage('product'):
            functional.linear(x, weight)
        calls.append(watch.total)
    work = 2e-9 * tokens * width * output
    return Seconds(work / min(c.cpu for c in calls), work / min(c.wall for c in calls))


@contextmanager
def counting_operations(build: Callable[[], Module]) -> Iterator[tuple[Module, FlopCounterMode]]:
    """Gives the module that ``build`` makes and a counter; tensors have shapes but no memory inside of the block.

    oneDNN's operators and torch's fused attention are replaced, because the counter does not know them.
    """
    with torch.device('meta'):  # where initialisation does nothing
        module = build()
    counter = FlopCounterMode(display=False)
    with (
        FakeTensorMode(allow_non_fake_inputs=True),
        torch.no_grad(),
        torch.backends.mkldnn.flags(enabled=False),
        sdpa_kernel(SDPBackend.MATH),
    ):
        yield module.to_empty(device='cpu').requires_grad_(False).eval(), counter


def resident_mebibytes() -> float:
    """Resident memory of this process now."""
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def peak_mebibytes() -> float:
    """Largest resident memory this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
