"""An objective computed forwards and backwards: launched kernel by kernel, or replayed as a recorded CUDA graph.

A small network keeps a GPU waiting for Python, which launches some thousands of kernels per step. Where every step has
the same shapes they are recorded once and from then on launched as one (``cuda_graphs`` in the configuration).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from hand3r_lab.training.containers import detached, map_tensors, tensors_of, to_device
from hand3r_lab.training.stage import Outcome

MOST_RECORDINGS = 4  # of one run; steps of yet other shapes are launched
WARM_UP_PASSES = 3  # libraries choose their kernels and take their memory before anything is recorded

Computation = Callable[[], dict[str, Tensor]]
Recorder = Callable[[Computation, Sequence[nn.Parameter]], 'tuple[dict[str, Tensor], Callable[[], None]]']
"""Runs a computation that leaves gradients, and returns its result and what runs it again in the same memory."""


class Pass(Protocol):
    """Losses of a segment, with their gradients added to the parameters."""

    def __call__(self, segment: Any, memory: Any, share: float) -> Outcome:
        """``share`` times the loss ``total`` of ``segment`` is what gradients are of; ``memory`` as in ``Stage``."""


class LaunchedPass:
    """Computes every segment anew."""

    def __init__(self, objective: nn.Module, device: torch.device) -> None:
        self._objective = objective
        self._device = device

    def __call__(self, segment: Any, memory: Any, share: float) -> Outcome:
        """See ``Pass``."""
        losses, memory = Outcome(*self._objective(to_device(segment, self._device), memory))
        (share * losses['total']).backward()
        return Outcome(detached(losses), detached(memory))


def record_cuda_graph(
    compute: Computation, parameters: Sequence[nn.Parameter]
) -> tuple[dict[str, Tensor], Callable[[], None]]:
    """``Recorder`` for CUDA; the computation must not ask the GPU for any value, nor copy any from the host."""
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(WARM_UP_PASSES):
            _forget_gradients(parameters)
            compute()
    torch.cuda.current_stream().wait_stream(beside)
    _forget_gradients(parameters)  # then the recording makes its own, in memory that stays where it is
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        losses = compute()
    return losses, graph.replay


def _forget_gradients(parameters: Sequence[nn.Parameter]) -> None:
    for parameter in parameters:
        parameter.grad = None


@dataclass(frozen=True)
class _Recording:
    inputs: list[Tensor]
    losses: dict[str, Tensor]
    gradients: list[Tensor | None]
    run: Callable[[], None]


class RecordedPass:
    """Computes the first segment of every shape, records that, and replays it for the segments after it.

    Only for stages whose batches are one segment: what is replayed begins without memory and leaves none, and
    overwrites the gradients instead of adding to them.
    """

    def __init__(
        self,
        objective: nn.Module,
        parameters: Sequence[nn.Parameter],
        device: torch.device,
        record: Recorder = record_cuda_graph,
    ) -> None:
        self._launched = LaunchedPass(objective, device)
        self._objective = objective
        self._parameters = parameters
        self._device = device
        self._record = record
        self._recordings: dict[str, _Recording] = {}

    def __call__(self, segment: Any, memory: Any, share: float) -> Outcome:
        """See ``Pass``."""
        shapes = repr(map_tensors(segment, lambda tensor: f'{tensor.dtype} {list(tensor.shape)}'))  # type: ignore[arg-type,return-value]
        if shapes not in self._recordings:
            if len(self._recordings) == MOST_RECORDINGS:
                return self._launched(segment, memory, share)
            self._recordings[shapes] = self._recorded(segment, share)
        recording = self._recordings[shapes]
        for kept, fresh in zip(recording.inputs, tensors_of(segment), strict=True):
            kept.copy_(fresh, non_blocking=True)
        recording.run()
        for parameter, gradient in zip(self._parameters, recording.gradients, strict=True):
            parameter.grad = gradient
        return Outcome(recording.losses)

    def _recorded(self, segment: Any, share: float) -> _Recording:
        own = map_tensors(to_device(segment, self._device), torch.clone)

        def compute() -> dict[str, Tensor]:
            losses = Outcome(*self._objective(own, None)).losses
            (share * losses['total']).backward()
            return detached(losses)

        losses, run = self._record(compute, self._parameters)
        return _Recording(tensors_of(own), losses, [parameter.grad for parameter in self._parameters], run)
