"""safetensors files, written tensor by tensor and read in two steps: first the header, then the tensors.

The format: eight bytes with the length of a JSON header, the header (name to element type, shape and byte range), the
numbers one after the other. The safetensors package writes and reads everything at once: weights would be in memory
twice, and a file of many gigabytes from outside would be in memory before anybody can refuse it.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import torch
from numpy.typing import NDArray
from torch import Tensor

from hand3r_ros.files import FilePlace, replacing

LARGEST_HEADER = 4 * 2**20
"""Bytes that are read of one; the full-size network has thousands of tensors and 0.3 MB, a session less."""

_DTYPES = {
    'F64': torch.float64,
    'F32': torch.float32,
    'F16': torch.float16,
    'BF16': torch.bfloat16,
    'I64': torch.int64,
    'I32': torch.int32,
    'I16': torch.int16,
    'I8': torch.int8,
    'U8': torch.uint8,
    'BOOL': torch.bool,
}
_CODES = {dtype: code for code, dtype in _DTYPES.items()}
_ALIGNMENT = 8


@dataclass(frozen=True)
class Entry:
    """A tensor that is going to be written."""

    name: str
    element_type: str
    """'float32', 'bfloat16', 'int64' and so on, as PyTorch calls them."""
    shape: tuple[int, ...]

    @property
    def dtype(self) -> torch.dtype:
        """PyTorch's."""
        return next(dtype for dtype in _CODES if str(dtype) == f'torch.{self.element_type}')

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * self.dtype.itemsize


def write_safetensors(
    place: FilePlace, entries: Iterable[Entry], arrays: Iterable[NDArray], metadata: Mapping[str, str]
) -> tuple[int, str]:
    """Writes ``arrays`` in the order of ``entries``; returns the size in bytes and the SHA-256.

    No more than one of them is in memory; the file appears under its name only when it is complete and on the disk.

    Raises:
        ValueError: an array does not have the bytes its entry announces.
        OSError: the file cannot be written.

    """
    entries = list(entries)
    header: dict[str, object] = {'__metadata__': dict(metadata)}
    end = 0
    for entry in entries:
        start, end = end, end + entry.size
        header[entry.name] = {'dtype': _CODES[entry.dtype], 'shape': list(entry.shape), 'data_offsets': [start, end]}
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % _ALIGNMENT)
    digest = hashlib.sha256()
    with replacing(place) as file:
        for part in (struct.pack('<Q', len(text)), text):
            file.write(part)
            digest.update(part)
        for entry, array in zip(entries, arrays, strict=True):
            if array.nbytes != entry.size:
                raise ValueError(f'{entry.name} has {array.nbytes} bytes instead of {entry.size}')
            data = array.tobytes()
            file.write(data)
            digest.update(data)
    return 8 + len(text) + end, digest.hexdigest()


def write_tensors(place: FilePlace, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Writes tensors of any device; raises OSError as ``write_safetensors``."""
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[0]))  # so that all are aligned
    entries = [Entry(name, str(tensor.dtype).removeprefix('torch.'), tuple(tensor.shape)) for name, tensor in ordered]
    write_safetensors(place, entries, (tensor_bytes(tensor) for _, tensor in ordered), metadata)


def tensor_bytes(tensor: Tensor) -> NDArray:
    """The bytes (N,) of a tensor's numbers, row-major; of its own memory where it lies so already."""
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()


@dataclass(frozen=True)
class TensorEntry:
    """What the header says about one tensor."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    offset: int
    """Bytes from the beginning of the file."""

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class Header:
    """What a safetensors file says before its numbers."""

    metadata: Mapping[str, str]
    tensors: Mapping[str, TensorEntry]


def read_header(file: BinaryIO) -> Header:
    """The header of a file, whose entries cover all of the file once.

    Raises:
        ValueError: it is no safetensors file, truncated, or its header is larger than ``LARGEST_HEADER``.
        OSError: it cannot be read.

    """
    file_size = os.fstat(file.fileno()).st_size
    prefix = file.read(8)
    length = struct.unpack('<Q', prefix)[0] if len(prefix) == 8 else 0
    if not 2 <= length <= min(LARGEST_HEADER, file_size - 8):
        raise ValueError(f'a file of {file_size} bytes cannot have a header of {length} bytes')
    try:
        content = json.loads(file.read(length))
        if not isinstance(content, dict):
            raise ValueError('it is no JSON object')
        metadata = content.pop('__metadata__', {})
        if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
            raise ValueError('its metadata are no texts')
        tensors = {name: _entry(name, values, 8 + length) for name, values in content.items()}
    except (ValueError, RecursionError) as error:
        raise ValueError(f'its header cannot be understood ({error})') from error
    end = 8 + length
    for entry in sorted(tensors.values(), key=lambda entry: (entry.offset, entry.size)):
        if entry.offset != end:
            raise ValueError('its tensors overlap or leave gaps')
        end += entry.size
    if end != file_size:
        raise ValueError(f'it has {file_size} bytes, its header speaks of {end}')
    return Header(metadata, tensors)


def read_tensor(file: BinaryIO, entry: TensorEntry) -> Tensor:
    """One tensor, in memory of its own; raises ValueError if the file has become shorter."""
    tensor = torch.empty(entry.shape, dtype=entry.dtype)
    if entry.size:
        file.seek(entry.offset)
        if file.readinto(tensor_bytes(tensor).data) != entry.size:  # type: ignore[attr-defined]
            raise ValueError('it ends too early')
    return tensor


def _entry(name: str, values: Any, start: int) -> TensorEntry:
    """Raises ValueError for what is not the description of a tensor."""
    match values:
        case {'dtype': str(dtype), 'shape': list(shape), 'data_offsets': [int(first), int(last)]} if dtype in _DTYPES:
            sizes = all(type(size) is int and 0 <= size < 2**48 for size in shape) and len(shape) <= 8
            entry = TensorEntry(_DTYPES[dtype], tuple(shape), start + first)
            if sizes and first >= 0 and entry.size == last - first:
                return entry
    raise ValueError(f'{name[:100]!r} is not described as a tensor')
