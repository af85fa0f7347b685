"""Nested frozen containers to JSON plus named tensors, and back, guided by their type hints.

Numbers, texts and the structure go into the JSON tree, arrays and tensors into a flat dictionary whose names say where
they belong. Going back needs the type, so that a file can only ever become what the program expects; nothing in it is
executed. Integers have at most 64 bits, numbers are finite, texts are short, and every tensor has its one place.
"""

from __future__ import annotations

import dataclasses
import math
import reprlib
import types
from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeAlias, Union, get_args, get_origin, get_type_hints

import numpy as np
import torch
from torch import Tensor

Tree: TypeAlias = Any
"""What ``json.dumps`` takes."""

_PLAIN = (bool, int, float, str)
_LONGEST_TEXT = 1000


def encode(value: Any, tensors: dict[str, Tensor], name: str = '') -> Tree:
    """The JSON tree of ``value``; its arrays are added to ``tensors`` under names that begin with ``name``."""
    if value is None or type(value) in _PLAIN:
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray | Tensor):
        tensor = torch.from_numpy(np.array(value, order='C')) if isinstance(value, np.ndarray) else value
        tensors[name] = tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {'tensor': name}
    if dataclasses.is_dataclass(value):
        return {
            f.name: encode(getattr(value, f.name), tensors, _joined(name, f.name)) for f in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return [[key, encode(item, tensors, _joined(name, key))] for key, item in value.items()]
    if isinstance(value, tuple | list):
        return [encode(item, tensors, _joined(name, index)) for index, item in enumerate(value)]
    raise TypeError(f'{name} is a {type(value).__name__}, which cannot be written')


def decode(kind: Any, tree: Tree, tensors: Mapping[str, Tensor], name: str = '') -> Any:
    """The value of type ``kind`` that ``encode`` made ``tree`` and ``tensors`` of.

    Raises:
        ValueError: they are not of this type; the message names the part.

    """
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _decode_union(kind, tree, tensors, name)
    if kind is Tensor or kind is np.ndarray or origin is np.ndarray:
        return _decode_array(kind, tree, tensors, name)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _decode_dataclass(kind, tree, tensors, name)
    if origin is tuple:
        return _decode_tuple(get_args(kind), tree, tensors, name)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _decode_mapping(get_args(kind), tree, tensors, name)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(_decode_plain(type(next(iter(kind)).value), tree, name))
    return _decode_plain(kind, tree, name)


def _decode_plain(kind: Any, tree: Tree, name: str) -> Any:
    if type(tree) is int and not -(2**63) <= tree < 2**63:
        raise ValueError(f'{name} has more than 64 bits')
    value: Any = float(tree) if kind is float and type(tree) is int else tree
    if type(value) is not kind:
        raise ValueError(f'{name} is {reprlib.repr(tree)}, which is no {getattr(kind, "__name__", kind)}')
    if kind is float and not math.isfinite(value):
        raise ValueError(f'{name} is not finite')
    if kind is str and len(value) > _LONGEST_TEXT:
        raise ValueError(f'{name} is a text of {len(value)} characters')
    return value


def _decode_union(kind: Any, tree: Tree, tensors: Mapping[str, Tensor], name: str) -> Any:
    if tree is None and type(None) in get_args(kind):
        return None
    (member,) = (argument for argument in get_args(kind) if argument is not type(None))
    return decode(member, tree, tensors, name)


def _decode_array(kind: Any, tree: Tree, tensors: Mapping[str, Tensor], name: str) -> Any:
    if tree != {'tensor': name} or name not in tensors:
        raise ValueError(f'{name} has no tensor')
    return tensors[name] if kind is Tensor else tensors[name].numpy()


def _decode_dataclass(kind: type, tree: Tree, tensors: Mapping[str, Tensor], name: str) -> Any:
    hints = get_type_hints(kind)
    names = [f.name for f in dataclasses.fields(kind)]
    if not isinstance(tree, dict) or sorted(tree) != sorted(names):
        raise ValueError(f'{name or kind.__name__} does not have the fields {", ".join(names)}')
    return kind(**{field: decode(hints[field], tree[field], tensors, _joined(name, field)) for field in names})


def _decode_tuple(arguments: tuple[Any, ...], tree: Tree, tensors: Mapping[str, Tensor], name: str) -> Any:
    if not isinstance(tree, list):
        raise ValueError(f'{name} is no list')
    kinds = arguments[:1] * len(tree) if arguments[-1] is Ellipsis else arguments
    if len(kinds) != len(tree):
        raise ValueError(f'{name} has {len(tree)} items instead of {len(kinds)}')
    pairs = enumerate(zip(kinds, tree, strict=True))
    return tuple(decode(kind, item, tensors, _joined(name, index)) for index, (kind, item) in pairs)


def _decode_mapping(arguments: tuple[Any, ...], tree: Tree, tensors: Mapping[str, Tensor], name: str) -> Any:
    if not isinstance(tree, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in tree):
        raise ValueError(f'{name} is no list of pairs')
    key_kind, value_kind = arguments
    pairs = [(decode(key_kind, key, tensors, name), item) for key, item in tree]
    found = {key: decode(value_kind, item, tensors, _joined(name, key)) for key, item in pairs}
    if len(found) != len(pairs):
        raise ValueError(f'{name} names something twice')
    return found


def tensor_names(tree: Tree) -> set[str]:
    """Names of all tensors that a tree speaks of."""
    if isinstance(tree, dict):
        name = tree.get('tensor')
        return {name} if isinstance(name, str) else set().union(*map(tensor_names, tree.values()))
    return set().union(*map(tensor_names, tree)) if isinstance(tree, list) else set()


def _joined(name: str, part: object) -> str:
    return f'{name}.{part}' if name else str(part)
