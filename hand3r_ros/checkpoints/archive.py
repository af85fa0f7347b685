"""The zip file that ``torch.save`` writes: where its pickle and the bytes of its storages lie.

Nothing is extracted and nothing is inflated: torch stores every record uncompressed, so a record is a range of bytes
of the file. Names never become paths. Everything that the directory of the file claims is compared with the file.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from hand3r_ros.checkpoints.errors import CheckpointError
from hand3r_ros.checkpoints.stored import StoredFile

MAX_PICKLE_BYTES = 32 * 2**20  # that of the largest known checkpoint has less than one MB
MAX_DIRECTORY_BYTES = 64 * 2**20
_LOCAL_HEADER = struct.Struct('<4s5H3L2H')
_END_RECORD = struct.Struct('<4s4H2LH')
_END_RECORD_64_LOCATOR = struct.Struct('<4sLQL')
_END_RECORD_64 = struct.Struct('<4sQ2H2L4Q')
_CHUNK = 4 * 2**20


@dataclass(frozen=True)
class Record:
    """A range of bytes of the file."""

    start: int
    size: int
    crc32: int


class TorchArchive:
    """An open checkpoint file; a context manager."""

    def __init__(self, source: StoredFile) -> None:
        """Reads the directory and the pickle.

        Raises:
            CheckpointError: the file is no torch checkpoint, damaged, or claims what cannot be.

        """
        self.source = source
        self._file: BinaryIO = source.open()
        try:
            self._bytes = source.size
            self._records = self._read_directory()
            self.pickle = self._read_small('data.pkl', MAX_PICKLE_BYTES)
            if self._read_small('byteorder', 16, b'little') != b'little':
                raise CheckpointError(f'{source} was saved on a big-endian machine: load and save it on another one')
        except BaseException:
            self._file.close()
            raise
        self._intact: set[str] = set()

    def __enter__(self) -> TorchArchive:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._file.close()

    def read_storage(self, key: str, start: int, size: int) -> bytes:
        """Bytes of a storage; its checksum has been compared with the whole of it.

        Raises:
            CheckpointError: there is no such range, or the storage is damaged.

        """
        record = self._storage(key)
        if start < 0 or size < 0 or start + size > record.size:
            raise CheckpointError(f'{self.source}: a tensor reaches beyond its storage {key!r}')
        if size == record.size:
            data = self._read(record.start, size)
            if key not in self._intact and zlib.crc32(data) != record.crc32:
                raise self._damaged(key)
            self._intact.add(key)
            return data
        if key not in self._intact:
            if _checksum(self._chunks(record)) != record.crc32:
                raise self._damaged(key)
            self._intact.add(key)
        return self._read(record.start + start, size)

    def _storage(self, key: str) -> Record:
        record = self._records.get(f'data/{key}')
        if record is None:
            raise CheckpointError(f'{self.source} lacks the storage {key!r}: it is damaged, download it again')
        return record

    def _damaged(self, key: str) -> CheckpointError:
        return CheckpointError(f'{self.source} is damaged (checksum of the storage {key!r}): download it again')

    def _read_small(self, name: str, limit: int, default: bytes | None = None) -> bytes:
        record = self._records.get(name)
        if record is None:
            if default is None:
                raise CheckpointError(f'{self.source} is a zip file without {name}: no torch checkpoint')
            return default
        if record.size > limit:
            raise CheckpointError(f'{self.source}: its {name} claims {record.size} bytes, which no checkpoint needs')
        data = self._read(record.start, record.size)
        if zlib.crc32(data) != record.crc32:
            raise CheckpointError(f'{self.source} is damaged (checksum of {name}): download it again')
        return data

    def _read(self, start: int, size: int) -> bytes:
        self._file.seek(start)
        data = self._file.read(size)
        if len(data) != size:
            raise CheckpointError(f'{self.source} ends too early: download it again')
        return data

    def _chunks(self, record: Record) -> Iterator[bytes]:
        for start in range(record.start, record.start + record.size, _CHUNK):
            yield self._read(start, min(_CHUNK, record.start + record.size - start))

    def _read_directory(self) -> Mapping[str, Record]:
        """Records by their name below the one folder that all of them lie in."""
        check_directory_size(self._file, self._bytes, self.source)
        try:
            with zipfile.ZipFile(self._file) as directory:
                entries = [entry for entry in directory.infolist() if not entry.is_dir()]
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, struct.error) as error:
            raise CheckpointError(
                f'{self.source} is a truncated or damaged zip file ({error}): download it again'
            ) from error
        for entry in entries:
            self._check_entry(entry)
        roots = {entry.filename.partition('/')[0] for entry in entries}
        if len(roots) != 1:
            raise CheckpointError(f'{self.source} is a zip file but no torch checkpoint: it holds {_examples(entries)}')
        records: dict[str, Record] = {}
        for entry in entries:
            name = entry.filename.partition('/')[2]
            if name in records:
                raise CheckpointError(f'{self.source} has two entries {entry.filename!r}: refused')
            records[name] = self._locate(entry)
        if 'data.pkl' not in records:
            kind = 'a TorchScript program' if 'constants.pkl' in records else 'no torch checkpoint'
            raise CheckpointError(f'{self.source} is a zip file but {kind}: it holds {_examples(entries)}')
        return records

    def _check_entry(self, entry: zipfile.ZipInfo) -> None:
        parts = entry.filename.split('/')
        if '..' in parts or '' in parts or '\\' in entry.filename or ':' in parts[0]:
            raise CheckpointError(f'{self.source} has an entry {entry.filename!r} that points out of it: refused')

    def _locate(self, entry: zipfile.ZipInfo) -> Record:
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            raise CheckpointError(
                f'{self.source}: the entry {entry.filename!r} is compressed or encrypted, which torch never does: '
                'refused (if you packed the file yourself, unpack it first)'
            )
        if entry.header_offset < 0:  # where the directory claims to lie elsewhere than it does
            raise CheckpointError(f'{self.source}: the entry {entry.filename!r} is damaged: download the file again')
        header = self._read(entry.header_offset, _LOCAL_HEADER.size)
        signature, *_, name_size, extra_size = _LOCAL_HEADER.unpack(header)
        start = entry.header_offset + _LOCAL_HEADER.size + name_size + extra_size
        if signature != b'PK\x03\x04' or entry.file_size != entry.compress_size:
            raise CheckpointError(f'{self.source}: the entry {entry.filename!r} is damaged: download the file again')
        if start + entry.file_size > self._bytes:
            raise CheckpointError(
                f'{self.source}: the entry {entry.filename!r} claims {entry.file_size} bytes, more than the file has: '
                'it is truncated or forged'
            )
        return Record(start, entry.file_size, entry.CRC)


def check_directory_size(file: BinaryIO, size: int, path: Path | StoredFile) -> None:
    """Refuses the directory of a zip file that would take gigabytes of memory, before ``zipfile`` reads it.

    Raises:
        CheckpointError: it would, or the end of the file with it is missing.

    """
    file.seek(max(0, size - _END_RECORD.size - 2**16))
    tail = file.read()
    position = tail.rfind(b'PK\x05\x06')
    if position < 0 or len(tail) - position < _END_RECORD.size:
        raise CheckpointError(
            f'{path} begins like a zip file but its end is missing: the download was interrupted at {size} bytes'
        )
    claimed = _END_RECORD.unpack_from(tail, position)[5]
    locator = position - _END_RECORD_64_LOCATOR.size
    if locator >= 0 and tail[locator : locator + 4] == b'PK\x06\x07':
        offset = _END_RECORD_64_LOCATOR.unpack_from(tail, locator)[2]
        file.seek(min(offset, size))
        record = file.read(_END_RECORD_64.size)
        if len(record) == _END_RECORD_64.size:
            claimed = _END_RECORD_64.unpack(record)[8]
    if claimed > MAX_DIRECTORY_BYTES:
        raise CheckpointError(f'{path}: its zip directory claims {claimed} bytes, which no checkpoint needs: refused')


def start_of_record(header: bytes) -> int:
    """Where the bytes of a record begin, counted from its header in the zip file.

    Raises:
        CheckpointError: this is no such header.

    """
    if len(header) < _LOCAL_HEADER.size or not header.startswith(b'PK\x03\x04'):
        raise CheckpointError('a damaged zip file (no header where a record begins)')
    *_, name_size, extra_size = _LOCAL_HEADER.unpack_from(header)
    return _LOCAL_HEADER.size + int(name_size) + int(extra_size)


def leading_pickle(head: bytes) -> bytes | None:
    """The pickle with which a file of torch begins, and what follows it, from its first bytes; None for other files."""
    try:
        start = start_of_record(head)
    except CheckpointError:
        return None
    (name_size,) = struct.unpack_from('<H', head, 26)
    name = head[_LOCAL_HEADER.size : _LOCAL_HEADER.size + name_size]
    return head[start:] if name.endswith(b'/data.pkl') else None


def _checksum(chunks: Iterator[bytes]) -> int:
    value = 0
    for chunk in chunks:
        value = zlib.crc32(chunk, value)
    return value


def _examples(entries: list[zipfile.ZipInfo]) -> str:
    shown = ', '.join(repr(entry.filename[:80]) for entry in entries[:3])
    return f'{shown} and {len(entries) - 3} more' if len(entries) > 3 else shown or 'nothing'
