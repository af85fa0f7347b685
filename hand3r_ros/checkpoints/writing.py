"""Writes a safetensors file tensor by tensor, so that no more than one of them is in memory.

The format: eight bytes with the length of a JSON header, the header (name to element type, shape and byte range), the
numbers one after the other. The file appears under its name only when it is complete and on the disk.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from numpy.typing import NDArray

Report = Callable[[str], None]
"""Told what is being done, line by line."""

_TYPE_NAMES = {'float32': ('F32', 4), 'float16': ('F16', 2), 'bfloat16': ('BF16', 2)}
_ALIGNMENT = 8


@dataclass(frozen=True)
class Entry:
    """A tensor that is going to be written."""

    name: str
    element_type: str
    """'float32', 'float16' or 'bfloat16'."""
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * _TYPE_NAMES[self.element_type][1]


def write_safetensors(
    path: Path, entries: Iterable[Entry], arrays: Iterable[NDArray], metadata: Mapping[str, str]
) -> tuple[int, str]:
    """Writes ``arrays`` in the order of ``entries``; returns the size in bytes and the SHA-256.

    Raises:
        ValueError: an array does not have the bytes its entry announces.

    """
    entries = list(entries)
    header: dict[str, object] = {'__metadata__': dict(metadata)}
    end = 0
    for entry in entries:
        start, end = end, end + entry.size
        name, _ = _TYPE_NAMES[entry.element_type]
        header[entry.name] = {'dtype': name, 'shape': list(entry.shape), 'data_offsets': [start, end]}
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % _ALIGNMENT)
    digest = hashlib.sha256()
    with replacing(path) as file:
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


def require_space(folder: Path, size: int, what: str) -> None:
    """Raises OSError where ``size`` bytes do not fit on the disk of a folder; ``what`` needs them."""
    free = shutil.disk_usage(folder).free
    if free < size * 1.01:
        raise OSError(f'{folder} has {free / 1e9:.1f} GB free, {what} needs {size / 1e9:.1f} GB')


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of ``path`` when the block ends well, and vanishes otherwise."""
    temporary = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    try:
        with temporary.open('wb') as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
