"""Tensors of a checkpoint: what the pickle says about each, and its numbers when they are asked for.

Only the calls by which torch rebuilds tensors have a meaning here. They are recognised by name in the records of
``hand3r_ros.safe_pickle`` and turned into descriptions; none of them is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hand3r_ros.checkpoints.archive import TorchArchive
from hand3r_ros.checkpoints.errors import CheckpointError
from hand3r_ros.safe_pickle import Call, Global, Persistent

ELEMENT_TYPES: Final[Mapping[str, np.dtype[Any]]] = {
    'float64': np.dtype('<f8'),
    'float32': np.dtype('<f4'),
    'float16': np.dtype('<f2'),
    'bfloat16': np.dtype('<u2'),  # its bits; numpy has no such type
    'int64': np.dtype('<i8'),
    'int32': np.dtype('<i4'),
    'int16': np.dtype('<i2'),
    'int8': np.dtype('i1'),
    'uint8': np.dtype('u1'),
    'bool': np.dtype('?'),
}
"""Element types of tensors, and how their bytes are read."""

_STORAGE_TYPES = {
    'DoubleStorage': 'float64',
    'FloatStorage': 'float32',
    'HalfStorage': 'float16',
    'BFloat16Storage': 'bfloat16',
    'LongStorage': 'int64',
    'IntStorage': 'int32',
    'ShortStorage': 'int16',
    'CharStorage': 'int8',
    'ByteStorage': 'uint8',
    'BoolStorage': 'bool',
}
_PLAIN_TENSOR = ('_rebuild_tensor', '_rebuild_tensor_v2')
_WRAPPED_TENSOR = ('_rebuild_parameter', '_rebuild_parameter_with_state')
_MAX_WRAPPERS = 4  # a parameter of a tensor subclass has two


@dataclass(frozen=True)
class StoredTensor:
    """A view of a storage; nothing of it has been read."""

    storage: str
    element_type: str
    """A key of ``ELEMENT_TYPES``."""
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    """In elements."""
    offset: int
    """In elements."""

    @property
    def is_contiguous(self) -> bool:
        """Whether the elements follow one another in row-major order."""
        expected = 1
        for length, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if length != 1 and stride != expected:
                return False
            expected *= max(length, 1)
        return True

    def read(self, archive: TorchArchive) -> NDArray[Any]:
        """The numbers, row-major; bfloat16 as its bits.

        Raises:
            CheckpointError: the storage is damaged or smaller than the tensor.

        """
        dtype = ELEMENT_TYPES[self.element_type]
        if 0 in self.shape:
            return np.zeros(self.shape, dtype)
        reach = (
            prod(self.shape)
            if self.is_contiguous
            else 1 + sum((length - 1) * stride for length, stride in zip(self.shape, self.strides, strict=True))
        )
        data = archive.read_storage(self.storage, self.offset * dtype.itemsize, reach * dtype.itemsize)
        elements = np.frombuffer(data, dtype)
        if self.is_contiguous:
            return elements.reshape(self.shape)
        strides = tuple(stride * dtype.itemsize for stride in self.strides)
        return np.ascontiguousarray(np.lib.stride_tricks.as_strided(elements, self.shape, strides, writeable=False))


def stored_tensor(value: Any) -> StoredTensor | None:
    """The tensor that a record describes; None if it describes something else.

    Raises:
        CheckpointError: the record names a tensor, but an impossible one.

    """
    for _ in range(_MAX_WRAPPERS):
        if not (isinstance(value, Call) and isinstance(value.function, Global)):
            return None
        module, name, arguments = value.function.module, value.function.name, value.arguments
        if (module, name) == ('torch._tensor', '_rebuild_from_type_v2') and len(arguments) == 4:
            if not isinstance(arguments[2], tuple):
                return None
            value = Call(arguments[0], arguments[2])
        elif module == 'torch._utils' and name in _WRAPPED_TENSOR and arguments:
            value = arguments[0]
        elif module == 'torch._utils' and name in _PLAIN_TENSOR and len(arguments) >= 4:
            return _described(arguments[:4], None)
        elif module == 'torch._utils' and name == '_rebuild_tensor_v3' and len(arguments) >= 7:
            return _described(arguments[:4], arguments[6])
        else:
            return None
    return None


def _described(arguments: tuple[Any, ...], element_type: Any) -> StoredTensor:
    storage, offset, shape, strides = arguments
    identity = storage.identity if isinstance(storage, Persistent) else None
    if not (isinstance(identity, tuple) and len(identity) == 5 and identity[0] == 'storage'):
        raise CheckpointError('a tensor without a storage of the known kind')
    _, storage_type, key, _, _ = identity
    named = element_type if element_type is not None else storage_type
    if not (isinstance(named, Global) and named.module in ('torch', 'torch.storage') and isinstance(key, str)):
        raise CheckpointError('a tensor of an unknown element type')
    known = named.name if element_type is not None else _STORAGE_TYPES.get(named.name)
    if known is None or known not in ELEMENT_TYPES:
        raise CheckpointError(f'a tensor of the unsupported element type {str(named)[:80]}')
    lengths = (*_sizes(shape), *_sizes(strides), *_sizes((offset,)))
    if len(shape) != len(strides) or len(shape) > 8 or any(length >= 2**48 for length in lengths):
        raise CheckpointError('a tensor of an impossible shape')
    return StoredTensor(key, known, tuple(shape), tuple(strides), offset)


def _sizes(value: Any) -> tuple[int, ...]:
    if not isinstance(value, tuple) or any(type(length) is not int or length < 0 for length in value):
        raise CheckpointError('a tensor of an impossible shape')
    return value
