"""Type of a file by its first bytes, for messages about files that are no checkpoints."""

from __future__ import annotations

import struct

from hand3r_ros.checkpoints.errors import CheckpointError
from hand3r_ros.checkpoints.stored import StoredFile

ZIP_START = b'PK\x03\x04'
GZIP_START = b'\x1f\x8b'
_LEGACY_TORCH = b'\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.'  # the magic number that older torch versions pickle first
_PICKLE_PROTOCOLS = (b'\x02', b'\x03', b'\x04', b'\x05')
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (GZIP_START, 'a gzip archive: unpack it (tar -xzf) and give the checkpoint inside'),
    (b'BZh', 'a bzip2 archive: unpack it first'),
    (b'\xfd7zXZ', 'an xz archive: unpack it first'),
    (b'7z\xbc\xaf\x27\x1c', 'a 7-Zip archive: unpack it first'),
    (b'Rar!', 'a RAR archive: unpack it first'),
    (b'\x28\xb5\x2f\xfd', 'a Zstandard archive: unpack it first'),
    (b'\x89HDF', 'an HDF5 file'),
    (b'\x93NUMPY', 'a single numpy array'),
    (b'%PDF', 'a PDF document'),
    (b'\x89PNG', 'a PNG image'),
    (b'\xff\xd8\xff', 'a JPEG image'),
    (b'version https://git-lfs', 'a git-lfs pointer, not the file itself: fetch it with `git lfs pull`'),
)


def require_zip(file: StoredFile) -> None:
    """Passes when the file begins like the zip files of torch.

    Raises:
        CheckpointError: it does not; the message says what the file is instead.

    """
    try:
        with file.open() as opened:
            head = opened.read(4096)
        size = file.size
    except IsADirectoryError as error:
        raise CheckpointError(f'{file} is a folder: give the checkpoint file inside it') from error
    except OSError as error:
        raise CheckpointError(f'{file} cannot be read: {error.strerror}') from error
    if not head.startswith(ZIP_START):
        raise CheckpointError(f'{file} ({size} bytes) is {file_type(head, size)}')


def file_type(head: bytes, size: int) -> str:
    """What a file is, from its first bytes (4096 or all) and its size, when it is no torch checkpoint."""
    if not head:
        return 'empty: the download failed'
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head[:1] == b'\x80' and _LEGACY_TORCH in head[:16]:
        return (
            'a torch checkpoint in the format of torch before 1.6, which the published files do not have: if you trust '
            'it, load it with torch and save it again'
        )
    if is_tar(head):
        return 'a tar archive: unpack it (tar -xf) and give the checkpoint inside'
    if _is_safetensors(head, size):
        return 'a safetensors file: only the original checkpoints are converted'
    if head[:1] == b'\x80' and head[1:2] in _PICKLE_PROTOCOLS:
        return 'a bare pickle, no torch checkpoint'
    return _text_kind(head)


def is_tar(head: bytes) -> bool:
    """Whether a file begins like a tar archive."""
    return head[257:262] == b'ustar'


def _is_safetensors(head: bytes, size: int) -> bool:
    if len(head) < 9:
        return False
    (header,) = struct.unpack('<Q', head[:8])
    return header < size and head[8:9] == b'{'


def _text_kind(head: bytes) -> str:
    start = head[:1024].lstrip(b'\xef\xbb\xbf \t\r\n').lower()
    if start.startswith((b'<!doctype html', b'<html', b'<?xml', b'<head')):
        return 'an HTML page: the download needs a login or a confirmation in the browser'
    if start.startswith((b'{', b'[')):
        return 'JSON text: perhaps the error message of the download server'
    if all(byte in b'\t\n\r' or 32 <= byte < 127 for byte in head):
        return f'a text file that begins with {head[:40].decode("ascii")!r}'
    return 'no torch checkpoint: its first bytes are of no known kind'
