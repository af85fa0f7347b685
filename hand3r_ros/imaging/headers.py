"""Size of an encoded image, read from its first bytes, before a decoder allocates memory for it.

Only formats that are known here are decoded at all. A format may say its size more than once, and all of them
have to be within limits, since it is not for us to know which one a decoder believes. What was found to end the process
in OpenCV when it is damaged (JPEG 2000, animated PNG, chunks that claim gigabytes) is refused here, too.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator

Size = tuple[int, int]
FORMATS = 'JPEG, PNG, WebP, BMP, TIFF, PNM, Sun raster'
"""What is decoded, for messages to users."""
_MAX_SEGMENTS = 4096
"""Segments or entries that are looked through; real files have a few dozen."""
_MAX_CHUNKS = 100_000
"""Of a PNG: decoders make no large ones."""
_JPEG_MARKER = re.compile(rb'[^\xff]{0,64}\xff{1,64}[^\xff]', re.DOTALL)
_TEXT_HEADER = 1 << 16
"""Bytes in which the header of a PNM file, comments included, has to end."""


class HeaderError(ValueError):
    """The first bytes are not those of an image that is decoded, or are damaged."""


def claimed_sizes(data: memoryview) -> Iterator[Size]:
    """Every width and height (px) that an encoded image says it has; raises :class:`HeaderError`, maybe after some."""
    start = bytes(data[:16])
    reader = next((reader for signature, reader in _READERS if signature.match(start)), None)
    if reader is None:
        raise HeaderError(f'it is none of {FORMATS}')
    said_one = False
    try:
        for size in reader(data):
            said_one = True
            yield size
    except HeaderError:
        raise
    except (struct.error, LookupError, ValueError, OverflowError) as error:
        raise HeaderError('its header is damaged or cut off') from error
    if not said_one:
        raise HeaderError('its header says no size')


def _jpeg(data: memoryview) -> Iterator[Size]:
    """From the first frame header; what is stored before it, thumbnails for example, is stepped over."""
    position = 2
    for _ in range(_MAX_SEGMENTS):
        between = _JPEG_MARKER.match(data, position)  # decoders step over what lies between segments
        if between is None:
            return
        position, marker = between.end(), data[between.end() - 1]
        if marker == 0 or marker == 1 or 0xD0 <= marker <= 0xD8:  # stand alone
            continue
        if marker in (0xD9, 0xDA):  # end, or pixels without a frame header
            return
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from('>HH', data, position + 3)
            yield width, height
            return
        position += struct.unpack_from('>H', data, position)[0]


def _png(data: memoryview) -> Iterator[Size]:
    """Of an image, not of an animation, with whole chunks: decoders take memory by the length that a chunk claims."""
    position, has_pixels = 8, False
    for _ in range(_MAX_CHUNKS):
        length, kind = struct.unpack_from('>I4s', data, position)
        if (position == 8) != (kind == b'IHDR') or not kind.isalpha():
            raise HeaderError(f'it has a damaged chunk {kind!r}')
        if position + 12 + length > len(data):
            raise HeaderError('it is cut off')
        has_pixels |= kind == b'IDAT'
        if kind == b'IHDR':
            yield struct.unpack_from('>II', data, position + 8)
        if kind in (b'acTL', b'fcTL', b'fdAT'):
            raise HeaderError('it is an animation')
        if kind == b'IEND':
            if not has_pixels:
                raise HeaderError('it has no pixels')
            return
        position += 12 + length
    raise HeaderError(f'it has more than {_MAX_CHUNKS} chunks')


def _webp(data: memoryview) -> Iterator[Size]:
    chunk = bytes(data[12:16])
    if chunk == b'VP8X':
        yield _u24(data, 24) + 1, _u24(data, 27) + 1
    elif chunk == b'VP8L':
        (packed,) = struct.unpack_from('<I', data, 21)
        yield (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    elif chunk == b'VP8 ':
        width, height = struct.unpack_from('<HH', data, 26)
        yield width & 0x3FFF, height & 0x3FFF


def _bmp(data: memoryview) -> Iterator[Size]:
    (header_size,) = struct.unpack_from('<I', data, 14)
    width, height = struct.unpack_from('<HH' if header_size == 12 else '<ii', data, 18)
    yield abs(width), abs(height)  # a negative height stands for rows from top to bottom


def _tiff(data: memoryview) -> Iterator[Size]:
    """Of the first image and of its tiles, which a decoder takes as a whole."""
    order = '<' if data[0] == ord('I') else '>'
    big = struct.unpack_from(f'{order}H', data, 2)[0] == 43
    (directory,) = struct.unpack_from(f'{order}{"Q" if big else "I"}', data, 8 if big else 4)
    (count,) = struct.unpack_from(f'{order}{"Q" if big else "H"}', data, directory)
    first, entry_size = (directory + 8, 20) if big else (directory + 2, 12)
    values: dict[int, int] = {}
    for entry in range(first, first + min(count, _MAX_SEGMENTS) * entry_size, entry_size):
        tag, kind = struct.unpack_from(f'{order}HH', data, entry)
        if tag in _TIFF_SIZES and kind in _TIFF_INTEGERS:
            value = struct.unpack_from(f'{order}{_TIFF_INTEGERS[kind]}', data, entry + (12 if big else 8))[0]
            values[tag] = max(value, values.get(tag, 0))
    yield values[256], values[257]
    yield values.get(322, 1), values.get(323, 1)


def _pnm(data: memoryview) -> Iterator[Size]:
    text = re.sub(rb'#[^\r\n]*', b' ', bytes(data[2:_TEXT_HEADER]))
    numbers = re.match(rb'\s*(\d{1,10})\s+(\d{1,10})\s', text)
    if numbers is not None:
        yield int(numbers[1]), int(numbers[2])


def _pam(data: memoryview) -> Iterator[Size]:
    header = bytes(data[:_TEXT_HEADER]).partition(b'ENDHDR')[0]
    header = re.sub(rb'#[^\r\n]*', b' ', header)
    width, height = (max(map(int, re.findall(rb'\b%s\s+(\d{1,10})' % name, header))) for name in (b'WIDTH', b'HEIGHT'))
    yield width, height


def _jpeg2000(data: memoryview) -> Iterator[Size]:
    """None is decoded: damaged ones end the process in the decoders that OpenCV comes with."""
    raise HeaderError('JPEG 2000 is not decoded, send JPEG or PNG')


def _sun_raster(data: memoryview) -> Iterator[Size]:
    yield struct.unpack_from('>II', data, 4)


def _u24(data: memoryview, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 3], 'little')


_TIFF_SIZES = (256, 257, 322, 323)  # ImageWidth, ImageLength, TileWidth, TileLength
_TIFF_INTEGERS = {3: 'H', 4: 'I', 16: 'Q'}

_READERS: tuple[tuple[re.Pattern[bytes], Callable[[memoryview], Iterator[Size]]], ...] = tuple(
    (re.compile(signature, re.DOTALL), sizes)
    for signature, sizes in (
        (rb'\xff\xd8\xff', _jpeg),
        (rb'\x89PNG\r\n\x1a\n', _png),
        (rb'RIFF....WEBP', _webp),
        (rb'BM', _bmp),
        (rb'II[*+]\0|MM\0[*+]', _tiff),
        (rb'P[1-6]\s', _pnm),
        (rb'P7\s', _pam),
        (rb'\0\0\0\x0cjP  |\xff\x4f\xff\x51', _jpeg2000),
        (rb'\x59\xa6\x6a\x95', _sun_raster),
    )
)
