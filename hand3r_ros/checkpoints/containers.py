"""Archives of downloads: the members of a tar file (also compressed with gzip) or of a zip file.

Members are looked at one after the other, as they lie; nothing is unpacked but the one that somebody asks for. Names
never become paths, and what an archive claims about sizes is compared before memory is taken.
"""

from __future__ import annotations

import gzip
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from hand3r_ros.checkpoints.archive import check_directory_size, start_of_record
from hand3r_ros.checkpoints.errors import CheckpointError
from hand3r_ros.checkpoints.file_type import GZIP_START, ZIP_START, is_tar
from hand3r_ros.checkpoints.stored import StoredFile

MAX_MEMBERS = 100_000
_CHUNK = 4 * 2**20
_NOT_CONTAINERS = ('/data.pkl', '/constants.pkl', '.npy')  # zip files of torch and numpy
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    EOFError,
    gzip.BadGzipFile,
    zlib.error,
    struct.error,
    ValueError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
)


class Member:
    """A file in an archive, or a plain file: its first bytes, and the rest of it when it is wanted."""

    def __init__(self, container: Path, name: str, size: int, stream: BinaryIO, start: int | None) -> None:
        """``stream`` is read once, forwards; ``start``: where the bytes lie in the container, None if packed."""
        self.container, self.name, self.size = container, name, size
        self._stream, self._start, self._head = stream, start, b''

    def __str__(self) -> str:
        return f'{self.container}: {self.name}' if self.name else str(self.container)

    @property
    def is_packed(self) -> bool:
        """Whether it has to be copied out before its parts can be read in any order."""
        return self._start is None

    def head(self, count: int) -> bytes:
        """The first ``count`` bytes, or all there are. Raises CheckpointError where the archive is damaged."""
        with _damage_named(self.container):
            while len(self._head) < count and (data := self._stream.read(min(count - len(self._head), _CHUNK))):
                self._head += data
        return self._head[:count]

    def stored(self) -> StoredFile:
        """Where it lies, if it is not packed."""
        if self._start is None:
            raise ValueError(f'{self} is packed')
        if not self.name:
            return StoredFile(self.container)
        return StoredFile(self.container, self._start, self.size, str(self), Path(self.name).name)

    def copy(self, target: Path) -> StoredFile:
        """Writes it to ``target``; the result keeps its own name in messages.

        Raises:
            CheckpointError: the archive is damaged or ends too early.
            OSError: the disk is full.

        """
        with target.open('wb') as file:
            file.write(self._head)
            with _damage_named(self.container):
                shutil.copyfileobj(self._stream, file, _CHUNK)
            if file.tell() != self.size:
                raise CheckpointError(f'{self} has {file.tell()} bytes instead of {self.size}: download it again')
        return StoredFile(target, label=str(self), file_name=Path(self.name).name)


def is_container(path: Path) -> bool:
    """Whether a file is an archive of other files: not one that torch or numpy made. Raises OSError."""
    with path.open('rb') as file:
        head = file.read(4096)
        if head.startswith(ZIP_START):
            try:
                return not any(name.endswith(_NOT_CONTAINERS) for name in _zip_directory(path, file).namelist())
            except CheckpointError:
                return False
        if head.startswith(GZIP_START):
            head += file.read(_CHUNK)
            try:
                head = zlib.decompressobj(wbits=31).decompress(head, 512)
            except zlib.error:
                return False
    return is_tar(head)


@contextmanager
def plain_file(path: Path) -> Iterator[Member]:
    """A file that is in no archive. Raises OSError."""
    with path.open('rb') as file:
        yield Member(path, '', path.stat().st_size, file, 0)


def members(path: Path) -> Iterator[Member]:
    """The files in an archive; each can be read until the next one is taken.

    Raises:
        CheckpointError: it is damaged, ends too early, or claims what no download needs.
        OSError: it cannot be read.

    """
    with ExitStack() as stack:
        file: BinaryIO = stack.enter_context(path.open('rb'))
        head = file.read(len(ZIP_START))
        file.seek(0)
        with _damage_named(path):
            if head == ZIP_START:
                found = _zip_members(path, file)
            elif head.startswith(GZIP_START):
                found = _tar_members(path, stack.enter_context(gzip.GzipFile(fileobj=file)), packed=True)
            else:
                found = _tar_members(path, file, packed=False)
            for count, member in enumerate(found):
                if count == MAX_MEMBERS:
                    raise CheckpointError(f'{path} holds more than {MAX_MEMBERS} files: give the one that is meant')
                yield member


def _tar_members(path: Path, file: BinaryIO | gzip.GzipFile, packed: bool) -> Iterator[Member]:
    with tarfile.TarFile(fileobj=_Limited(path, file)) as archive:  # type: ignore[arg-type]
        while (entry := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined]  # kept for names that nobody asks for
            if entry.isreg() and not entry.issparse() and (stream := archive.extractfile(entry)) is not None:
                start = None if packed else entry.offset_data
                yield Member(path, entry.name, entry.size, stream, start)  # type: ignore[arg-type]


class _Limited:
    """A file of which no header of a tar archive can ask for gigabytes at once."""

    def __init__(self, path: Path, file: BinaryIO | gzip.GzipFile) -> None:
        self._path, self._file = path, file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= 2 * _CHUNK:
            raise CheckpointError(f'{self._path}: a header in it claims {size} bytes, which no archive needs: refused')
        return self._file.read(size)


def _zip_members(path: Path, file: BinaryIO) -> Iterator[Member]:
    directory = _zip_directory(path, file)
    for entry in directory.infolist():
        if entry.is_dir() or entry.flag_bits & 1:  # encrypted: torch and MANO are not
            continue
        start = None
        if entry.compress_type == zipfile.ZIP_STORED and entry.compress_size == entry.file_size:
            file.seek(entry.header_offset)
            start = entry.header_offset + start_of_record(file.read(30))
        with directory.open(entry) as stream:
            yield Member(path, entry.filename, entry.file_size, stream, start)  # type: ignore[arg-type]


def _zip_directory(path: Path, file: BinaryIO) -> zipfile.ZipFile:
    check_directory_size(file, path.stat().st_size, path)
    with _damage_named(path):
        directory = zipfile.ZipFile(file)
        if any(entry.header_offset < 0 for entry in directory.infolist()):
            raise zipfile.BadZipFile('its directory claims to lie elsewhere than it does')
        return directory


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except CheckpointError:
        raise
    except _DAMAGE as error:
        if isinstance(error, EOFError) or 'unexpected end' in str(error):
            reason = 'ends too early: the download was interrupted, download it again'
        else:
            reason = f'is damaged ({error}): download it again'
        raise CheckpointError(f'{path} {reason}') from error
