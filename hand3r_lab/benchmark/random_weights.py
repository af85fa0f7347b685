"""Modules with random weights: speed and memory do not depend on what a network has learned."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

Module = TypeVar('Module', bound=nn.Module)

SPREAD = 0.5
"""Of the weights, relative to what keeps the size of activations: small enough that 24 layers stay finite."""


@torch.no_grad()
def with_random_weights(build: Callable[[], Module], seed: int = 0) -> Module:
    """The module that ``build`` makes, in evaluation mode.

    Made without memory first and then filled in one pass: the usual initialisation takes minutes at full size.
    """
    with torch.device('meta'):
        module = build()
    module.to_empty(device='cpu')
    generator = torch.Generator().manual_seed(seed)
    norms = {id(p) for part in module.modules() if isinstance(part, nn.LayerNorm) for p in [part.weight]}
    for parameter in module.parameters():
        if parameter.ndim == 1:
            parameter.fill_(1.0 if id(parameter) in norms else 0.0)
        else:
            bound = SPREAD * (3.0 / parameter[0].numel()) ** 0.5
            parameter.uniform_(-bound, bound, generator=generator)
    for buffer in module.buffers():
        buffer.uniform_(-1.0, 1.0, generator=generator)
    return module.eval()
