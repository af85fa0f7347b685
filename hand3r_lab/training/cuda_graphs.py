"""An objective computed forwards and backwards: run eagerly, or replayed as a captured CUDA graph.

A small network keeps a GPU waiting for Python, which launches some thousands of kernels per step. Where every step has
the same shapes they are captured once and from then on launched as one (``cuda_graphs`` in the configuration).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from hand3r_lab.training.stage import Outcome
from hand3r_lab.training.tensor_tree import detached, map_tensors, tensors_of, to_device

MAX_GRAPHS = 4  # of one run; steps of yet other shapes run eagerly
WARM_UP_STEPS = 3  # libraries choose their kernels and take their memory before anything is captured

Computation = Callable[[], dict[str, Tensor]]
Capture = Callable[[Computation, Sequence[nn.Parameter]], 'tuple[dict[str, Tensor], Callable[[], None]]']
"""Runs a computation that leaves gradients, and returns its result and what runs it again in the same memory."""


class ForwardBackward(Protocol):
    """Losses of a segment, with their gradients added to the parameters."""

    def __call__(self, segment: Any, memory: Any, share: float) -> Outcome:
        """``share`` times the loss ``total`` of ``segment`` is what gradients are of; ``memory`` as in ``Stage``."""


class EagerStep:
    """Computes every segment anew."""

    def __init__(self, objective: nn.Module, device: torch.device) -> None:
        self._objective = objective
        self._device = device

    def __call__(self, segment: Any, memory: Any, share: float) -> Outcome:
        """See ``ForwardBackward``."""
        losses, memory = Outcome(*self._objective(to_device(segment, self._device), memory))
        (share * losses['total']).backward()
        return Outcome(detached(losses), detached(memory))


def capture_cuda_graph(
    compute: Computation, parameters: Sequence[nn.Parameter]
) -> tuple[dict[str, Tensor], Callable[[], None]]:
    """``Capture`` for CUDA; the computation must not ask the GPU for any value, nor copy any from the host."""
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(WARM_UP_STEPS):
            _forget_gradients(parameters)
            compute()
    torch.cuda.current_stream().wait_stream(beside)
    _forget_gradients(parameters)  # then the graph makes its own, in memory that stays where it is
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        losses = compute()
    return losses, graph.replay


def _forget_gradients(parameters: Sequence[nn.Parameter]) -> None:
    for parameter in parameters:
        parameter.grad = None


@dataclass(frozen=True)
class _Graph:
    inputs: list[Tensor]
    losses: dict[str, Tensor]
    gradients: list[Tensor | None]
    run: Callable[[], None]


class GraphedStep:
    """Computes the first segment of every shape, captures that, and replays it for the segments after it.

    Only for stages whose batches are one segment: what is replayed begins without memory and leaves none, and
    overwrites the gradients instead of adding to them.
    """

    def __init__(
        self,
        objective: nn.Module,
        parameters: Sequence[nn.Parameter],
        device: torch.device,
        capture: Capture = capture_cuda_graph,
    ) -> None:
        self._eager = EagerStep(objective, device)
        self._objective = objective
        self._parameters = parameters
        self._device = device
        self._capture = capture
        self._graphs: dict[str, _Graph] = {}

    def __call__(self, segment: Any, memory: Any, share: float) -> Outcome:
        """See ``ForwardBackward``."""
        shapes = repr(map_tensors(segment, lambda tensor: f'{tensor.dtype} {list(tensor.shape)}'))  # type: ignore[arg-type,return-value]
        if shapes not in self._graphs:
            if len(self._graphs) == MAX_GRAPHS:
                return self._eager(segment, memory, share)
            self._graphs[shapes] = self._captured(segment, share)
        graph = self._graphs[shapes]
        for kept, fresh in zip(graph.inputs, tensors_of(segment), strict=True):
            kept.copy_(fresh, non_blocking=True)
        graph.run()
        for parameter, gradient in zip(self._parameters, graph.gradients, strict=True):
            parameter.grad = gradient
        return Outcome(graph.losses)

    def _captured(self, segment: Any, share: float) -> _Graph:
        own = map_tensors(to_device(segment, self._device), torch.clone)

        def compute() -> dict[str, Tensor]:
            losses = Outcome(*self._objective(own, None)).losses
            (share * losses['total']).backward()
            return detached(losses)

        losses, run = self._capture(compute, self._parameters)
        return _Graph(tensors_of(own), losses, [parameter.grad for parameter in self._parameters], run)
