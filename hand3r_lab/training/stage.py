"""What the training loop has to know of a stage: what is trained, on what, and how good a batch was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from hand3r_lab.datasets.samples import SkipLog

Draw = Callable[[torch.Generator], list[Any]]


class Outcome(NamedTuple):
    """What an objective makes of one segment."""

    losses: dict[str, Tensor]  # scalars by name; ``total`` is minimised, the others are reported
    # Goes into the next segment of the batch. Return it ``detached``: DistributedDataParallel takes every parameter in
    # the history of what an objective returns for one whose gradient will come.
    memory: Any = None


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that learn at one rate."""

    parameters: list[nn.Parameter]
    learning_rate: float


@dataclass(frozen=True)
class Stage:
    """One stage of training.

    ``draw`` makes a batch from a random generator and nothing else, so that a resumed run sees the same data. A batch
    is a list of segments in time order: gradients flow within a segment, the recurrent state through all of them.
    ``objective`` is called as ``objective(segment, memory)`` with the memory of the segment before (None at first)
    and returns an ``Outcome``; it is a module, so that it can be run on several GPUs.
    """

    trained: nn.Module  # what a checkpoint holds
    objective: nn.Module
    groups: list[ParameterGroup]
    draw: Draw
    skipped: SkipLog | None = None  # what the data source could not use; listed when training ends


def segments(clip: list[Any], length: int) -> list[list[Any]]:
    """A clip cut into pieces of ``length`` frames; 0 leaves it whole."""
    if length <= 0:
        return [clip]
    return [clip[start : start + length] for start in range(0, len(clip), length)]
