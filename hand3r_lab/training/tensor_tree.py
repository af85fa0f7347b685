"""Batches are nested dataclasses, tuples and lists of tensors; these functions reach every tensor in them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

Nested = TypeVar('Nested')


def map_tensors(value: Nested, function: Callable[[Tensor], Tensor]) -> Nested:
    """The same nesting with ``function`` applied to every tensor; everything else is kept as it is."""
    changed: Any = value
    if isinstance(value, Tensor):
        changed = function(value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        changed = dataclasses.replace(value, **{name: map_tensors(part, function) for name, part in fields.items()})
    elif isinstance(value, tuple) and hasattr(value, '_fields'):  # a named tuple
        changed = type(value)(*(map_tensors(part, function) for part in value))
    elif isinstance(value, (list, tuple)):
        changed = type(value)(map_tensors(part, function) for part in value)
    elif isinstance(value, dict):
        changed = {name: map_tensors(part, function) for name, part in value.items()}
    return changed


def tensors_of(value: Any) -> list[Tensor]:
    """Every tensor, in the order of the nesting."""
    found: list[Tensor] = []

    def noted(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    map_tensors(value, noted)
    return found


def to_device(value: Nested, device: torch.device) -> Nested:
    """Every tensor on ``device``."""
    return map_tensors(value, lambda tensor: tensor.to(device, non_blocking=True))


def detached(value: Nested) -> Nested:
    """Every tensor without its history: where back-propagation through time ends."""
    return map_tensors(value, Tensor.detach)


def in_float32(value: Nested) -> Nested:
    """Every floating-point tensor in single precision, as losses need it."""
    return map_tensors(value, lambda tensor: tensor.float() if tensor.is_floating_point() else tensor)


def as_plain(value: Any) -> Any:
    """Dictionaries, lists and tensors only, so that ``torch.load(weights_only=True)`` can read it back."""
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [as_plain(part) for part in value]
    if isinstance(value, dict):
        return {name: as_plain(part) for name, part in value.items()}
    return value
