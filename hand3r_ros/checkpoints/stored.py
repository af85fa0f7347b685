"""A file from outside, or a part of an archive that is one; it is read in place."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO


@dataclass(frozen=True)
class StoredFile:
    """Where the bytes of a file are."""

    path: Path
    """File on the disk that holds them."""
    start: int = 0
    length: int | None = None
    """Bytes from ``start`` on; None: to the end."""
    label: str = ''
    """What messages call it; empty: the path."""
    file_name: str = ''
    """Its own name; empty: that of the path."""

    def __str__(self) -> str:
        return self.label or str(self.path)

    @property
    def name(self) -> str:
        """Without folders."""
        return self.file_name or self.path.name

    @property
    def size(self) -> int:
        """Bytes. Raises OSError."""
        return self.path.stat().st_size - self.start if self.length is None else self.length

    def open(self) -> BinaryIO:
        """A file object that begins and ends where the file does. Raises OSError."""
        file = self.path.open('rb')
        if self.start == 0 and self.length is None:
            return file
        return io.BufferedReader(_Window(file, self.start, self.size))


class _Window(io.RawIOBase):
    """A range of another file."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        super().__init__()
        self._file, self._start, self._size, self._position = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if origin + offset < 0:
            raise ValueError(f'seek before the beginning ({origin + offset})')
        self._position = origin + offset
        return self._position

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast('B')  # type: ignore[arg-type]
        count = max(0, min(len(view), self._size - self._position))
        self._file.seek(self._start + self._position)
        data = self._file.read(count)
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()
