"""Metadata of a video file, read from its bytes: codec, rotation, number of images, complete or truncated.

OpenCV knows some of it, differently from version to version: since when and in which direction it turns videos of
phones, whether images that were cut away in editing count. MP4 (also MOV, M4V, 3GP), Matroska (also WebM) and AVI are
understood; of other files nothing is known, which is no error. Nothing here decodes images.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

LARGEST_INDEX = 1 << 28
"""Bytes of an index (moov, idx1) that are read at most."""
MOST_SAMPLES = 50_000_000

CODEC_NAMES = {
    'av01': 'AV1',
    'avc1': 'H.264',
    'avc3': 'H.264',
    'hvc1': 'H.265 (HEVC)',
    'hev1': 'H.265 (HEVC)',
    'dvh1': 'Dolby Vision (HEVC)',
    'dvhe': 'Dolby Vision (HEVC)',
    'vvc1': 'H.266 (VVC)',
    'vp08': 'VP8',
    'vp09': 'VP9',
    'mp4v': 'MPEG-4',
    'apco': 'ProRes',
    'apcs': 'ProRes',
    'apcn': 'ProRes',
    'apch': 'ProRes',
    'ap4h': 'ProRes',
    'ap4x': 'ProRes',
    'mjpg': 'Motion JPEG',
    'V_AV1': 'AV1',
    'V_MPEG4/ISO/AVC': 'H.264',
    'V_MPEGH/ISO/HEVC': 'H.265 (HEVC)',
    'V_VP8': 'VP8',
    'V_VP9': 'VP9',
}


@dataclass(frozen=True)
class VideoFacts:
    """What is known of a file; everything may be unknown."""

    kind: str = ''  # 'MP4', 'Matroska', 'AVI'
    codec: str = ''  # four characters, or Matroska's name
    frames: int | None = None  # that a player shows
    turn: Turn | None = None  # from stored to shown pixels; None: not known here
    damage: str = ''  # why the file cannot be whole

    @property
    def codec_name(self) -> str:
        """As people call the codec."""
        return CODEC_NAMES.get(self.codec, CODEC_NAMES.get(self.codec.lower(), self.codec))


@dataclass(frozen=True)
class Turn:
    """One of the eight ways to lay down an image: first transposed, then flipped."""

    transpose: bool = False
    flip_columns: bool = False  # left becomes right
    flip_rows: bool = False  # top becomes bottom

    def __bool__(self) -> bool:
        """Whether it changes anything."""
        return self.transpose or self.flip_columns or self.flip_rows

    def applied(self, image: NDArray) -> NDArray:
        """The (H, W, 3) image as it is to be shown, in memory of its own; (W, H, 3) when it is transposed."""
        turned = image.transpose(1, 0, 2) if self.transpose else image
        turned = turned[:: -1 if self.flip_rows else 1, :: -1 if self.flip_columns else 1]
        return np.ascontiguousarray(turned)


def video_facts(path: Path) -> VideoFacts:
    """Looks into a file; facts that cannot be found stay unknown. Raises OSError when it cannot be read."""
    with path.open('rb') as file:
        start = file.read(12)
        size = file.seek(0, 2)
        file.seek(0)
        try:
            if start[4:8] in (b'ftyp', b'moov', b'mdat', b'wide', b'free', b'skip'):
                return _mp4(file, size)
            if start[:4] == b'\x1a\x45\xdf\xa3':
                return _matroska(file, size)
            if start[:4] == b'RIFF' and start[8:12] == b'AVI ':
                return _avi(file, size)
        except (struct.error, IndexError, ValueError, OverflowError):  # whatever damaged bytes lead to
            pass
    return VideoFacts()


# MP4: boxes of four bytes size, four characters and their content.


def _mp4(file: BinaryIO, size: int) -> VideoFacts:
    content, damage, media = b'', '', False
    position = 0
    while position + 8 <= size:
        file.seek(position)
        header = file.read(16)
        length, kind = struct.unpack('>I4s', header[:8])
        if length == 1:
            length = struct.unpack('>Q', header[8:16])[0]
        length = length or size - position  # 0: to the end of the file
        if length < 8 or not all(32 <= character < 127 for character in kind):
            break  # cameras append data of their own
        if position + length > size and kind in (b'mdat', b'moof', b'moov'):
            damage = f'the file has {size} bytes, its part {kind.decode()} reaches to byte {position + length}'
        if kind == b'moov' and length <= LARGEST_INDEX:
            file.seek(position + 8)
            content = file.read(min(length, size - position) - 8)
        media = media or kind == b'mdat'
        position += length
    if not content:
        if media and not damage:
            damage = 'its index (moov) is missing: the recording was not ended properly'
        return VideoFacts('MP4', damage=damage)
    tracks = [track for kind, track in _boxes(content) if kind == b'trak']
    movie = next((box for kind, box in _boxes(content) if kind == b'mvhd'), b'')
    fragmented = any(kind == b'mvex' for kind, _ in _boxes(content))
    for track in tracks:
        media_box = _inside(track, b'mdia')
        if _inside(media_box, b'hdlr')[8:12] != b'vide':
            continue
        table = _inside(_inside(media_box, b'minf'), b'stbl')
        codec = _inside(table, b'stsd')[12:16].decode('latin-1')
        turn = _turn(_inside(track, b'tkhd'), movie)
        frames = None if fragmented else _shown_samples(track, media_box, table, movie)
        return VideoFacts('MP4', codec, frames, turn, damage)
    return VideoFacts('MP4', damage=damage)


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 0
    while position + 8 <= len(content):
        length, kind = struct.unpack_from('>I4s', content, position)
        if length < 8:
            return
        yield kind, content[position + 8 : position + length]
        position += length


def _inside(content: bytes, wanted: bytes) -> bytes:
    return next((box for kind, box in _boxes(content) if kind == wanted), b'')


def _turn(track_header: bytes, movie_header: bytes) -> Turn | None:
    """From the display matrices: a pixel goes from stored (x, y) to shown (a x + c y, b x + d y)."""
    if not track_header or not movie_header:
        return None
    matrices = []
    for header, short, long in ((track_header, 40, 52), (movie_header, 36, 48)):
        a, b, _, c, d = struct.unpack_from('>5i', header, long if header[0] == 1 else short)
        matrices.append(np.array([[a, c], [b, d]], float) / 65536.0)
    matrix = matrices[1] @ matrices[0]
    straight = np.sign(np.round(matrix))
    if np.abs(straight).sum() != 2.0 or abs(np.linalg.det(straight)) != 1.0:
        return Turn()  # sheared or turned by an odd angle: as it is stored
    if straight[0, 0]:
        return Turn(False, bool(straight[0, 0] < 0), bool(straight[1, 1] < 0))
    return Turn(True, bool(straight[0, 1] < 0), bool(straight[1, 0] < 0))


def _shown_samples(track: bytes, media: bytes, table: bytes, movie: bytes) -> int | None:
    """Number of samples that the edit list leaves; None when that is not clear."""
    sizes = _inside(table, b'stsz') or _inside(table, b'stz2')
    count = struct.unpack_from('>I', sizes, 8)[0]
    if not 0 < count <= MOST_SAMPLES:
        return None
    edits = [entry for entry in _edits(_inside(_inside(track, b'edts'), b'elst')) if entry[1] >= 0]
    if not edits:
        return int(count)
    if len(edits) > 1:
        return None
    times = _runs(_inside(table, b'stts'), 'i4', count)
    if times is None:
        return None
    shown = np.concatenate([[0], np.cumsum(times)[:-1]])
    offsets = _inside(table, b'ctts')
    if offsets:
        delays = _runs(offsets, 'i4', count)
        if delays is None:
            return None
        shown = shown + delays
    (duration, begin), ticks = edits[0], _timescale(_inside(media, b'mdhd'))
    end = begin + duration * ticks / _timescale(movie) if duration else np.inf
    return int(np.count_nonzero((shown >= begin) & (shown < end)))


def _edits(content: bytes) -> list[tuple[int, int]]:
    """Duration (in units of the movie) and first time (of the track; -1: nothing is shown) of every edit."""
    if not content:
        return []
    layout = '>qqI' if content[0] == 1 else '>IiI'
    count = min(struct.unpack_from('>I', content, 4)[0], (len(content) - 8) // struct.calcsize(layout))
    return [struct.unpack_from(layout, content, 8 + i * struct.calcsize(layout))[:2] for i in range(count)]


def _runs(content: bytes, kind: str, count: int) -> NDArray[np.int64] | None:
    """Run-length coded values, one per sample; None when they are not for ``count`` samples."""
    pairs = np.frombuffer(content[8 : len(content) // 8 * 8], f'>{kind}').reshape(-1, 2).astype(np.int64)
    if (pairs[:, 0] < 0).any() or pairs[:, 0].sum() != count:
        return None
    return np.repeat(pairs[:, 1], pairs[:, 0])


def _timescale(header: bytes) -> int:
    return int(struct.unpack_from('>I', header, 20 if header[0] == 1 else 12)[0])


# Matroska: elements of an identifier, a size of variable length, and their content.

_SEGMENT, _CLUSTER, _TRACKS, _TRACK = 0x18538067, 0x1F43B675, 0x1654AE6B, 0xAE
_TRACK_NUMBER, _TRACK_TYPE, _CODEC = 0xD7, 0x83, 0x86
_SIMPLE_BLOCK, _BLOCK_GROUP, _BLOCK = 0xA3, 0xA0, 0xA1
_IN_SEGMENT = (_TRACKS, 0x114D9B74, 0x1549A966, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367, 0xEC, 0xBF)
_IN_CLUSTER = (_SIMPLE_BLOCK, _BLOCK_GROUP, 0xE7, 0xA7, 0xAB, 0xAF, 0x5854)
_KNOWN = frozenset((0x1A45DFA3, _SEGMENT, _CLUSTER, *_IN_SEGMENT, *_IN_CLUSTER))
_HIDES_IMAGES = 'V_VP8'
"""Has blocks that are never shown."""


def _matroska(file: BinaryIO, size: int) -> VideoFacts:
    damage, codec, track, blocks = '', '', 0, 0
    end = size
    while (position := file.tell()) < end:
        try:
            identifier, length = _element(file)
        except (IndexError, ValueError):
            identifier, length = 0, 0
        begin = file.tell()
        if identifier not in _KNOWN or (length is None and identifier not in (_SEGMENT, _CLUSTER)):
            damage = damage or f'what lies at byte {position} is no part of a Matroska file'
            break
        if length is not None and begin + length > size:
            damage = damage or f'the file has {size} bytes of {begin + length}'
        if identifier == _SEGMENT and length is not None:
            end = min(begin + length, size)
        if identifier in (_SEGMENT, _CLUSTER):
            continue  # into it
        assert length is not None
        if identifier == _TRACKS:
            codec, track = _matroska_track(file, min(begin + length, size))
        elif identifier == _SIMPLE_BLOCK:
            blocks += _element_size(file) == track
        elif identifier == _BLOCK_GROUP:
            blocks += _track_of_group(file, begin + length) == track
        file.seek(begin + length)
    known = track and not damage and codec != _HIDES_IMAGES
    return VideoFacts('Matroska', codec, blocks if known else None, damage=damage)


def _element(file: BinaryIO) -> tuple[int, int | None]:
    """Identifier and size; None: not known."""
    first = file.read(1)[0]
    width = 9 - first.bit_length()
    if width > 4:
        raise ValueError('no element')
    return int.from_bytes(bytes([first]) + file.read(width - 1), 'big'), _element_size(file)


def _element_size(file: BinaryIO) -> int | None:
    """A number of variable length; None: not known."""
    first = file.read(1)[0]
    width = 9 - first.bit_length()
    if width > 8:
        raise ValueError('no size')
    value = int.from_bytes(bytes([first & (0xFF >> width)]) + file.read(width - 1), 'big')
    return None if value == (1 << 7 * width) - 1 else value


def _track_of_group(file: BinaryIO, end: int) -> int | None:
    while file.tell() < end:
        identifier, length = _element(file)
        if identifier == _BLOCK or length is None:
            return _element_size(file)
        file.seek(length, 1)
    return None


def _matroska_track(file: BinaryIO, end: int) -> tuple[str, int]:
    """Codec and number of the first video track among tracks that end at a byte; '' and 0 without one."""
    values: dict[int, bytes] = {}
    while file.tell() < end:
        identifier, length = _element(file)
        if identifier == _TRACK:
            values = {}
            continue  # into it
        if length is None:
            break
        begin = file.tell()
        if identifier in (_TRACK_NUMBER, _TRACK_TYPE, _CODEC) and length <= 256:
            values[identifier] = file.read(length)
            if len(values) == 3 and values[_TRACK_TYPE] == b'\x01':
                codec = values[_CODEC].rstrip(b'\0').decode('latin-1')
                return codec, int.from_bytes(values[_TRACK_NUMBER], 'big')
        file.seek(begin + length)
    return '', 0


# AVI: chunks of four characters, a little-endian size and their content, padded to an even size.

_NO_IMAGE = 8
"""Bytes up to which a chunk of the index holds no image: a repeated one, or none."""


def _avi(file: BinaryIO, size: int) -> VideoFacts:
    riff = struct.unpack('<4sI', file.read(8))[1]
    damage = f'the file has {size} bytes of {riff + 8}' if riff + 8 > size + 1 else ''
    codec, frames = '', None
    position = 12
    while position + 8 <= min(size, riff + 8):
        file.seek(position)
        kind, length = struct.unpack('<4sI', file.read(8))
        if kind == b'LIST' and file.read(4) == b'hdrl':
            header = file.read(min(length, 1 << 16))
            stream = header.find(b'strh')
            while stream >= 0 and header[stream + 8 : stream + 12] != b'vids':
                stream = header.find(b'strh', stream + 4)
            codec = header[stream + 12 : stream + 16].decode('latin-1') if stream >= 0 else ''
        if kind == b'idx1' and length <= LARGEST_INDEX:
            frames = _indexed_images(file.read(length))
        position += 8 + length + length % 2
    return VideoFacts('AVI', codec, None if riff + 8 < size - 1 else frames, damage=damage)


def _indexed_images(index: bytes) -> int:
    entries = np.frombuffer(index[: len(index) // 16 * 16], np.dtype([('kind', 'S4'), ('rest', '<u4', 3)]))
    kinds = np.char.endswith(entries['kind'], b'dc') | np.char.endswith(entries['kind'], b'db')
    return int(np.count_nonzero(kinds & (entries['rest'][:, 2] > _NO_IMAGE)))
