"""Weights in half the memory for inference in reduced precision.

Under autocast, float32 weights are converted again for every frame; at full size that is 1.3 billion numbers. Storing
them in the reduced type gives the same results, saves the conversion and half the memory.
"""

from __future__ import annotations

import torch
from torch import nn

REDUCED_PARTS = (
    'scene.image_encoder',
    'scene.ray_maps',
    'scene.decoder',
    'scene.memory',
    'scene.heads',
    'hand.backbone',
    'hand.mano_head.layers',
)
"""Modules of ``Hand3R`` that autocast runs in reduced precision. The initial state, the read-outs of hand and
translation and the detection head are computed in float32 and stay so."""

PRODUCTS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def store_products_in(network: nn.Module, dtype: torch.dtype) -> None:
    """Turns the weights of all matrix products and convolutions of ``REDUCED_PARTS`` into ``dtype``, in place.

    Use the network under autocast to the same type afterwards, and not for training.
    """
    for path in REDUCED_PARTS:
        part = _part(network, path)
        for module in () if part is None else part.modules():
            if isinstance(module, PRODUCTS):
                module.to(dtype)


def _part(network: nn.Module, path: str) -> nn.Module | None:
    """The module at a dotted path, None where this network does not have it."""
    module: nn.Module | None = network
    for name in path.split('.'):
        module = getattr(module, name, None)
    return module
