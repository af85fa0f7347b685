"""Files that are written completely or not at all, and files that must lie below one folder.

A file is written under a fresh hidden name beside its place and renamed when it is complete and on the disk. Whatever
ends the writing before (an exception, a full disk) removes the unfinished file; one that a killed process left is
removed by the next write of the same file. A rename replaces a symbolic link instead of writing through it.

``ConfinedFile`` names a file whose path came from outside: below its folder no symbolic link is followed, neither by
writing nor by reading, because folders are opened one by one (openat(2), O_NOFOLLOW).
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias

_UNFINISHED = '.part'
_RANDOM_DIGITS = 16
_NAME_KEPT = 40
"""Characters of a file's name that the name of its unfinished file begins with; the rest might be too long."""


@dataclass(frozen=True)
class ConfinedFile:
    """A file below a folder that must not be left."""

    folder: Path
    """Absolute; links on the way to it are followed."""
    names: tuple[str, ...]
    """Folders below it and the file, none of which may be a link."""

    @property
    def path(self) -> Path:
        """Where it lies; opening this path would follow links."""
        return self.folder.joinpath(*self.names)

    def __str__(self) -> str:
        return str(self.path)


FilePlace: TypeAlias = Path | ConfinedFile


@contextmanager
def replacing(place: FilePlace) -> Iterator[BinaryIO]:
    """A file that takes the place of another one when the block ends well, and vanishes otherwise.

    Folders on the way are made where they are missing.

    Raises:
        OSError: it cannot be written, or a folder or a link is in its way; what was there is as before.

    """
    with _errors_name(place), _folder_of(place, make=True) as folder:
        name = _name(place)
        _remove_leftovers(folder, name)
        temporary, descriptor = _create_unfinished(folder, name)
        try:
            with os.fdopen(descriptor, 'wb') as file:
                yield file
                file.flush()
                os.fsync(descriptor)
                os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
            raise
        with suppress(OSError):  # not every file system can
            os.fsync(folder)


@contextmanager
def reading(place: FilePlace) -> Iterator[BinaryIO]:
    """A regular file, opened; never waits for the other end of a pipe.

    Raises:
        OSError: it does not exist, cannot be read or is something else than a file.

    """
    with _errors_name(place), _folder_of(place, make=False) as folder:
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        if isinstance(place, ConfinedFile):
            flags |= os.O_NOFOLLOW
        descriptor = os.open(_name(place), flags, dir_fd=folder)
        with os.fdopen(descriptor, 'rb') as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, 'not a regular file')
            yield file


def make_folders(path: Path) -> None:
    """Makes a folder and those above it where they are missing; however many, other than ``Path.mkdir``.

    Raises:
        OSError: one cannot be made, or the path is too long for the system.

    """
    try:
        path.stat()
    except FileNotFoundError:
        for folder in (*reversed(path.parents), path):
            folder.mkdir(exist_ok=True)


def require_space(folder: Path, size: int, what: str) -> None:
    """Raises OSError where ``size`` bytes do not fit on the disk of a folder; ``what`` needs them."""
    free = shutil.disk_usage(folder).free
    if free < size * 1.01:
        raise OSError(f'{folder} has {free / 1e9:.1f} GB free, {what} needs {size / 1e9:.1f} GB')


def _name(place: FilePlace) -> str:
    return place.names[-1] if isinstance(place, ConfinedFile) else place.name


@contextmanager
def _errors_name(place: FilePlace) -> Iterator[None]:
    """Errors of the system name the file that was asked for instead of an unfinished one, or none."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(place)) from error


@contextmanager
def _folder_of(place: FilePlace, make: bool) -> Iterator[int]:
    """A descriptor of the folder that the file lies in."""
    top, below = (place.folder, place.names[:-1]) if isinstance(place, ConfinedFile) else (place.parent, ())
    if make:
        make_folders(top)
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    folder = os.open(top, flags)
    try:
        for name in below:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(name, dir_fd=folder)
            inner = os.open(name, flags | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


def _create_unfinished(folder: int, name: str) -> tuple[str, int]:
    """Name and descriptor of a new file, locked as long as it is open, which says that somebody works on it."""
    while True:
        temporary = f'{_unfinished_prefix(name)}{secrets.token_hex(_RANDOM_DIGITS // 2)}{_UNFINISHED}'
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o666, dir_fd=folder)
        with suppress(OSError):  # file systems without locks, or another process about to remove it as a leftover
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_nlink:
            return temporary, descriptor
        os.close(descriptor)


def _remove_leftovers(folder: int, name: str) -> None:
    """Removes unfinished files of this name that no living process works on."""
    prefix = _unfinished_prefix(name)
    length = len(prefix) + _RANDOM_DIGITS + len(_UNFINISHED)
    for found in os.listdir(folder):
        if len(found) == length and found.startswith(prefix) and found.endswith(_UNFINISHED):
            with suppress(OSError):  # somebody works on it, or it is no file
                _remove_if_unlocked(folder, found)


def _remove_if_unlocked(folder: int, name: str) -> None:
    descriptor = os.open(name, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(name, dir_fd=folder)
    finally:
        os.close(descriptor)


def _unfinished_prefix(name: str) -> str:
    return f'.{name[:_NAME_KEPT]}.'
