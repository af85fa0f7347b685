"""Encoded images are refused by the size that their first bytes claim, before any decoder takes memory for it."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hand3r_ros.imaging.decoder import DecodingOptions, ImageDecoder
from hand3r_ros.imaging.headers import HeaderError, claimed_sizes
from hand3r_ros.imaging.limits import ImageDecodingError
from hand3r_ros.media import MediaError, read_image

WIDTH, HEIGHT = 96, 70
FORMATS = {
    'jpeg': ('.jpg', []),
    'progressive jpeg': ('.jpg', [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
    'png': ('.png', []),
    'lossy webp': ('.webp', [cv2.IMWRITE_WEBP_QUALITY, 80]),
    'lossless webp': ('.webp', [cv2.IMWRITE_WEBP_QUALITY, 101]),
    'bmp': ('.bmp', []),
    'tiff': ('.tiff', []),
    'ppm': ('.ppm', []),
    'ppm in text': ('.ppm', [cv2.IMWRITE_PXM_BINARY, 0]),
    'sun raster': ('.ras', []),
}


def picture() -> np.ndarray:
    """(70, 96, 3) BGR."""
    v, u = np.indices((HEIGHT, WIDTH))
    return np.stack([40 + 2 * u, 200 - 2 * v, 60 + u + v], axis=-1).astype(np.uint8)


def encoded(name: str) -> bytes:
    extension, options = FORMATS[name]
    return cv2.imencode(extension, picture(), options)[1].tobytes()


def decode(data: bytes, max_pixels: int = 64_000_000) -> np.ndarray:
    return ImageDecoder(DecodingOptions(max_pixels)).encoded(np.frombuffer(data, np.uint8))


def tiff(width: int, height: int, order: str = '<', big: bool = False, tile: int = 0) -> bytes:
    """The header and directory of a TIFF."""
    entries = [(256, width), (257, height), *([(322, tile), (323, tile)] if tile else [])]
    mark = b'II' if order == '<' else b'MM'
    if big:
        body = b''.join(struct.pack(f'{order}HHQII', tag, 4, 1, value, 0) for tag, value in entries)
        return mark + struct.pack(f'{order}HHHQQ', 43, 8, 0, 16, len(entries)) + body + bytes(8)
    body = b''.join(struct.pack(f'{order}HHII', tag, 4, 1, value) for tag, value in entries)
    return mark + struct.pack(f'{order}HIH', 42, 8, len(entries)) + body + bytes(4)


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of the given chunks, with its end."""
    parts = (
        struct.pack('>I', len(content)) + kind + content + struct.pack('>I', zlib.crc32(kind + content))
        for kind, content in (*chunks, (b'IEND', b''))
    )
    return b'\x89PNG\r\n\x1a\n' + b''.join(parts)


def largest(data: bytes) -> tuple[int, int]:
    """The largest size that an image claims."""
    widths, heights = zip(*claimed_sizes(memoryview(data)), strict=True)
    return max(widths), max(heights)


def claims(width: int, height: int) -> dict[str, bytes]:
    """First bytes of images that claim a size, written after the formats' specifications."""
    thumbnail = b'\xff\xc0\x00\x0b\x08' + struct.pack('>HH', 8, 8)
    sof = struct.pack('>HBHH', 17, 8, height, width)
    kind = b'\x08\x02\0\0\0'
    return {
        'baseline jpeg': b'\xff\xd8\xff\xc0' + sof,
        'progressive jpeg': b'\xff\xd8\xff\xc2' + sof,
        'jpeg with a thumbnail before its frame': (
            b'\xff\xd8\xff\xe1' + struct.pack('>H', len(thumbnail) + 2) + thumbnail + b'\xff\xff\xc0' + sof
        ),
        'png': png((b'IHDR', struct.pack('>II', width, height) + kind), (b'IDAT', b'')),
        'extended webp': b'RIFF....WEBPVP8X\x0a\0\0\0\0\0\0\0'
        + (width - 1).to_bytes(3, 'little')
        + (height - 1).to_bytes(3, 'little'),
        'bmp': b'BM' + bytes(12) + struct.pack('<Iii', 40, width, height),
        'bmp from top to bottom': b'BM' + bytes(12) + struct.pack('<Iii', 40, width, -height),
        'old bmp': b'BM' + bytes(12) + struct.pack('<IHH', 12, width, height),
        'tiff': tiff(width, height),
        'big-endian tiff': tiff(width, height, '>'),
        'BigTIFF': tiff(width, height, big=True),
        'tiff of huge tiles': tiff(8, 8, tile=max(width, height)),
        'pnm with comments': b'P6 # %d %d\n%d\n# a comment\n %d 255\n' % (1, 1, width, height),
        'pgm': b'P5 %d %d 255 ' % (width, height),
        'pam': b'P7\nHEIGHT %d\nWIDTH %d\nDEPTH 3\nENDHDR\n' % (height, width),
        'sun raster': struct.pack('>IIII', 0x59A66A95, width, height, 24),
    }


@pytest.mark.parametrize('name', FORMATS)
def test_every_format_says_its_size_before_it_is_decoded(name: str) -> None:
    data = encoded(name)
    assert largest(data) == (WIDTH, HEIGHT)
    assert np.abs(decode(data).astype(int) - picture()).max() <= 30
    assert decode(data, WIDTH * HEIGHT).shape == picture().shape
    with pytest.raises(ImageDecodingError, match='96x70 pixels, more than max_image_pixels') as refused:
        decode(data, WIDTH * HEIGHT - 1)
    assert refused.value.cause == 'bad size'


@pytest.mark.parametrize('name', claims(8, 8))
def test_a_few_bytes_that_claim_a_gigapixel_are_refused_by_their_size(name: str) -> None:
    with pytest.raises(ImageDecodingError, match=r'32000.*max_image_pixels') as refused:
        decode(claims(32000, 32000)[name] + bytes(40))
    assert refused.value.cause == 'bad size'


@pytest.mark.parametrize('name', claims(8, 8))
def test_headers_are_read_as_their_formats_say(name: str) -> None:
    data = claims(8000, 6000)[name] + bytes(40)
    assert largest(data) == ((8000, 8000) if 'tiles' in name else (8000, 6000))
    with pytest.raises(ImageDecodingError, match='do not decode') as refused:  # it has no pixels, but is not too large
        decode(data)
    assert refused.value.cause == 'undecodable'


@pytest.mark.parametrize('name', FORMATS)
@pytest.mark.parametrize('part', [0.3, 0.5, 0.97])
def test_a_part_of_an_image_is_refused_in_a_file_as_in_a_message(name: str, part: float, tmp_path: Path) -> None:
    data = encoded(name)
    data = data[: int(part * len(data))]
    with pytest.raises(ImageDecodingError):
        decode(data)
    path = tmp_path / f'half{FORMATS[name][0]}'
    path.write_bytes(data)
    with pytest.raises(MediaError, match=r'half.*do not decode'):
        read_image(path)


@pytest.mark.parametrize('data', [b'', b'x', b'\xff\xd8\xff', b'RIFF', b'not an image', b'\0\0\0 ftypavif', b'GIF89a'])
def test_other_bytes_are_no_image(data: bytes) -> None:
    with pytest.raises(ImageDecodingError, match='do not decode as an image') as refused:
        decode(data)
    assert refused.value.cause == 'undecodable'


@given(
    name=st.sampled_from(sorted(claims(8, 8))),
    changes=st.lists(st.tuples(st.integers(0, 80), st.integers(0, 255)), max_size=12),
    length=st.integers(0, 120),
)
def test_no_damaged_header_does_anything_but_say_a_size_or_be_refused(name, changes, length) -> None:
    data = bytearray(claims(8, 8)[name] + bytes(40))[:length]
    for place, value in changes:
        if place < len(data):
            data[place] = value
    try:
        assert all(len(size) == 2 for size in claimed_sizes(memoryview(data)))
    except HeaderError as refused:
        assert str(refused)


@pytest.mark.parametrize(
    'chunks',
    [
        [(b'IHDR', struct.pack('>II', 8, 8) + b'\x08\x02\0\0\0')],  # no pixels
        [(b'IHDR', struct.pack('>II', 8, 8) + b'\x08\x02\0\0\0'), (b'ID\xffT', bytes(50)), (b'IDAT', b'')],
        [(b'IHDR', struct.pack('>II', 8, 8) + b'\x08\x02\0\0\0'), (b'acTL', bytes(8)), (b'IDAT', b'')],
        [(b'tEXt', b''), (b'IHDR', struct.pack('>II', 8, 8) + b'\x08\x02\0\0\0'), (b'IDAT', b'')],
    ],
)
def test_a_png_of_damaged_chunks_is_refused_before_a_decoder_believes_them(chunks) -> None:
    with pytest.raises(HeaderError):
        list(claimed_sizes(memoryview(png(*chunks))))


def test_a_png_chunk_that_claims_gigabytes_is_refused_before_a_decoder_takes_them() -> None:
    data = bytearray(encoded('png'))
    data[33:37] = struct.pack('>I', 0x7FFFFFFF)
    with pytest.raises(HeaderError, match='cut off'):
        list(claimed_sizes(memoryview(data)))


def test_jpeg_2000_is_not_decoded() -> None:
    """Damaged ones end the process in OpenCV."""
    data = cv2.imencode('.jp2', picture())[1]
    with pytest.raises(ImageDecodingError, match='JPEG 2000 is not decoded'):
        ImageDecoder().encoded(data.reshape(-1))


def test_a_file_larger_than_any_image_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / 'huge.png'
    path.write_bytes(encoded('png'))
    with path.open('r+b') as file:
        file.truncate(100_000_000_000)  # sparse
    with pytest.raises(MediaError, match=r'huge\.png is larger than any image'):
        read_image(path)
