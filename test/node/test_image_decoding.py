"""Every supported encoding decodes to the same RGB picture; what cannot be decoded is refused with its cause."""

from __future__ import annotations

from array import array
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hand3r_ros.imaging.decoder import DecodingOptions, ImageDecoder
from hand3r_ros.node.image_decoding import (
    SUPPORTED_ENCODINGS,
    ImageDecodingError,
    decode_compressed_image,
    decode_image,
)

WIDTH, HEIGHT = 16, 12


def picture() -> np.ndarray:
    """(12, 16, 3) RGB, smooth enough for subsampled colour."""
    v, u = np.indices((HEIGHT, WIDTH))
    return np.stack([40 + 8 * u, 200 - 6 * v, 60 + 3 * u + 4 * v], axis=-1).astype(np.uint8)


def image(encoding: str, rows: np.ndarray, padding: int = 0, big_endian: bool = False, **changes: object):
    """An Image-like message of pixel rows, with ``padding`` bytes after each row."""
    if rows.dtype == np.uint16:
        rows = rows.astype('>u2' if big_endian else '<u2')
    row_bytes = np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), -1)
    padded = np.pad(row_bytes, ((0, 0), (0, padding)), constant_values=255)
    data = array('B', padded.tobytes())
    fields = {
        'height': HEIGHT,
        'width': WIDTH,
        'encoding': encoding,
        'is_bigendian': int(big_endian),
        'step': padded.shape[1],
        'data': data,
    }
    return SimpleNamespace(**{**fields, **changes})


def mosaic(pattern: str) -> np.ndarray:
    """(H, W) Bayer image of the picture, ``pattern`` naming the first row's and second row's colours."""
    channel = np.array(['rgb'.index(letter) for letter in pattern]).reshape(2, 2)
    v, u = np.indices((HEIGHT, WIDTH))
    return np.take_along_axis(picture(), channel[v % 2, u % 2][..., None], axis=2)[..., 0]


def planar_yuv(chroma_order: str) -> np.ndarray:
    """(1.5 H, W) NV12 ('uv') or NV21 ('vu') rows."""
    i420 = cv2.cvtColor(picture(), cv2.COLOR_RGB2YUV_I420)
    luma, chroma = i420[:HEIGHT], i420[HEIGHT:].reshape(2, -1)
    pair = chroma if chroma_order == 'uv' else chroma[::-1]
    return np.vstack([luma, pair.T.reshape(-1, WIDTH)])


def packed_yuv(encoding: str) -> np.ndarray:
    """(H, W, 2) UYVY or YUYV rows."""
    yuv = cv2.cvtColor(picture(), cv2.COLOR_RGB2YUV).astype(int)
    # BT.601 limited range, which the packed formats use.
    rgb = picture().astype(float)
    luma = 16 + rgb @ [0.257, 0.504, 0.098]
    u = 128 + rgb @ [-0.148, -0.291, 0.439]
    v = 128 + rgb @ [0.439, -0.368, -0.071]
    chroma = np.where(np.arange(WIDTH) % 2 == 0, (u + np.roll(u, -1, 1)) / 2, (v + np.roll(v, 1, 1)) / 2)
    pair = (luma, chroma) if encoding == 'yuyv' else (chroma, luma)
    assert yuv.shape == rgb.shape
    return np.rint(np.stack(pair, axis=-1)).astype(np.uint8)


def rows_of(encoding: str) -> np.ndarray:
    """The picture as rows of an encoding."""
    rgb = picture()
    if encoding.startswith('bayer'):
        rows = mosaic(encoding.removeprefix('bayer_').rstrip('0123456789'))
        return rows.astype(np.uint16) << 8 if encoding.endswith('16') else rows
    if encoding.startswith('nv'):
        return planar_yuv('uv' if encoding == 'nv12' else 'vu')
    if encoding in ('uyvy', 'yuv422', 'yuyv', 'yuv422_yuy2'):
        return packed_yuv('yuyv' if encoding in ('yuyv', 'yuv422_yuy2') else 'uyvy')
    bits = 16 if encoding.endswith('16') else 8
    order = {'8UC1': 'mono', '8UC3': 'bgr', '8UC4': 'bgra'}.get(encoding, encoding.removesuffix(str(bits)))
    alpha = np.full((HEIGHT, WIDTH), 7, np.uint8)
    channels = {'r': rgb[..., 0], 'g': rgb[..., 1], 'b': rgb[..., 2], 'a': alpha}
    rows = rgb[..., 1] if order == 'mono' else np.stack([channels[letter] for letter in order], axis=-1)
    return rows.astype(np.uint16) << 8 if bits == 16 else rows


def expected(encoding: str) -> np.ndarray:
    """What the picture looks like after it went through an encoding."""
    if encoding in ('mono8', 'mono16', '8UC1'):
        return np.repeat(picture()[..., 1:2], 3, axis=2)
    return picture()


@pytest.mark.parametrize('padding', [0, 6])
@pytest.mark.parametrize('encoding', SUPPORTED_ENCODINGS)
def test_every_encoding_gives_the_picture(encoding: str, padding: int) -> None:
    rgb = decode_image(image(encoding, rows_of(encoding), padding))
    assert rgb.shape == (HEIGHT, WIDTH, 3) and rgb.dtype == np.uint8 and rgb.flags.c_contiguous
    subsampled = encoding.startswith(('bayer', 'nv', 'uyvy', 'yu'))
    inner = np.s_[1:-1, 1:-1]  # demosaicing has to guess at the border
    difference = np.abs(rgb.astype(int) - expected(encoding))[inner]
    assert difference.max() <= (10 if subsampled else 0)


@pytest.mark.parametrize('encoding', [name for name in SUPPORTED_ENCODINGS if name.endswith('16')])
def test_big_endian_words_are_swapped(encoding: str) -> None:
    little = decode_image(image(encoding, rows_of(encoding)))
    big = decode_image(image(encoding, rows_of(encoding), padding=2, big_endian=True))
    np.testing.assert_array_equal(big, little)


@pytest.mark.parametrize('wrap', [bytes, bytearray, memoryview, list, lambda d: np.frombuffer(d, np.uint8)])
def test_data_may_be_any_kind_of_bytes(wrap) -> None:
    message = image('rgb8', picture())
    message.data = wrap(message.data.tobytes())
    np.testing.assert_array_equal(decode_image(message), picture())


def test_decoding_does_not_keep_hold_of_the_message() -> None:
    message = image('rgb8', picture())
    rgb = decode_image(message)
    message.data[:] = array('B', bytes(len(message.data)))
    np.testing.assert_array_equal(rgb, picture())


@pytest.mark.parametrize(
    ('cause', 'changes'),
    [
        ('unknown encoding', {'encoding': 'rgb10'}),
        ('unknown encoding', {'encoding': ''}),
        ('zero size', {'width': 0}),
        ('zero size', {'height': 0}),
        ('bad step', {'step': 3 * WIDTH - 1}),
        ('truncated', {'data': array('B', bytes(3 * WIDTH * HEIGHT - 1))}),
        ('truncated', {'data': array('B')}),
        ('truncated', {'height': HEIGHT + 1}),
        ('bad size', {'width': 100_000, 'height': 100_000, 'step': 300_000}),
    ],
)
def test_unusable_images_are_refused_with_their_cause(cause: str, changes: dict[str, object]) -> None:
    with pytest.raises(ImageDecodingError) as refused:
        decode_image(image(**{'encoding': 'rgb8', 'rows': picture(), **changes}))
    assert refused.value.cause == cause


def test_odd_sizes_that_an_encoding_cannot_have_are_refused() -> None:
    message = image('nv12', planar_yuv('uv'), height=HEIGHT - 1)
    with pytest.raises(ImageDecodingError, match='nv12'):
        decode_image(message)


@given(
    width=st.integers(-5, 40),
    height=st.integers(-5, 40),
    step=st.integers(0, 200),
    encoding=st.sampled_from([*SUPPORTED_ENCODINGS, 'x']),
    data=st.binary(max_size=4000),
)
def test_no_message_does_anything_but_decode_or_be_refused(width, height, step, encoding, data) -> None:
    message = image(encoding, picture(), width=width, height=height, step=step, data=data)
    try:
        assert decode_image(message).shape == (height, width, 3)
    except ImageDecodingError as refused:
        assert refused.cause and str(refused)


@pytest.mark.parametrize(('extension', 'tolerance'), [('.png', 0), ('.jpg', 24), ('.webp', 40)])
def test_compressed_images_decode_to_rgb(extension: str, tolerance: int) -> None:
    encoded = cv2.imencode(extension, cv2.cvtColor(picture(), cv2.COLOR_RGB2BGR))[1]
    message = SimpleNamespace(format='rgb8; jpeg compressed bgr8', data=array('B', encoded.tobytes()))
    assert np.abs(decode_compressed_image(message).astype(int) - picture()).max() <= tolerance


@pytest.mark.parametrize('data', [b'', b'not an image', b'\xff\xd8\xff\xe0truncated'])
def test_compressed_rubbish_is_refused(data: bytes) -> None:
    with pytest.raises(ImageDecodingError) as refused:
        decode_compressed_image(SimpleNamespace(format='jpeg', data=array('B', data)))
    assert refused.value.cause == 'undecodable'


@pytest.mark.parametrize('extension', ['.png', '.jpg'])
@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
@pytest.mark.parametrize('compressed', ['', 'bayer'])
def test_a_mosaic_that_was_compressed_is_demosaiced(pattern: str, extension: str, compressed: str) -> None:
    """As image_transport compresses what a Bayer camera publishes."""
    camera = f'bayer_{pattern}8'
    name = f'{camera}; {"png" if extension == ".png" else "jpeg"} compressed {camera if compressed else ""}'
    data = cv2.imencode(extension, mosaic(pattern), [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    rgb = decode_compressed_image(SimpleNamespace(format=name, data=array('B', data)))
    assert np.abs(rgb.astype(int) - picture())[1:-1, 1:-1].max() <= (10 if extension == '.png' else 16)


@pytest.mark.parametrize('bits', [10, 12, 16])
def test_a_16_bit_mosaic_that_was_compressed_is_demosaiced_in_its_range(bits: int) -> None:
    values = mosaic('rggb').astype(np.uint16) << (bits - 8)
    values[0, 0] = 2**bits - 1
    data = cv2.imencode('.png', values)[1].tobytes()
    rgb = decode_compressed_image(SimpleNamespace(format='bayer_rggb16; png compressed ', data=data))
    assert np.abs(rgb.astype(int) - picture())[2:-1, 2:-1].max() <= 10


@pytest.mark.parametrize('name', ['bayer_rggb8; jpeg compressed mono8', 'mono8; jpeg compressed ', 'jpeg', ''])
def test_a_grey_picture_stays_grey(name: str) -> None:
    data = cv2.imencode('.png', picture()[..., 0])[1].tobytes()
    rgb = decode_compressed_image(SimpleNamespace(format=name, data=data))
    np.testing.assert_array_equal(rgb, np.repeat(picture()[..., :1], 3, axis=2))


def test_a_mosaic_that_the_driver_made_colour_of_is_left_alone() -> None:
    data = cv2.imencode('.png', picture()[..., ::-1])[1].tobytes()
    message = SimpleNamespace(format='bayer_rggb8; jpeg compressed bgr8', data=data)
    np.testing.assert_array_equal(decode_compressed_image(message), picture())


@pytest.mark.parametrize('bits', [10, 12])
@pytest.mark.parametrize('encoding', [name for name in SUPPORTED_ENCODINGS if name.endswith('16')])
def test_values_of_10_and_12_bit_sensors_are_as_bright_as_those_of_8_bit(encoding: str, bits: int) -> None:
    full = decode_image(image(encoding, rows_of(encoding)))
    low = rows_of(encoding) >> (16 - bits)
    low[0, 0] = 2**bits - 1
    np.testing.assert_array_equal(decode_image(image(encoding, low))[2:, 2:], full[2:, 2:])


@pytest.mark.parametrize('encoding', ['rgb8', 'mono16', 'nv12'])
def test_raw_images_above_the_limit_are_refused_before_their_data_is_looked_at(encoding: str) -> None:
    decoder = ImageDecoder(DecodingOptions(max_image_pixels=WIDTH * HEIGHT))
    assert decode_image(image(encoding, rows_of(encoding)), decoder).shape == (HEIGHT, WIDTH, 3)
    claiming = image(encoding, rows_of(encoding), height=HEIGHT + 2)
    with pytest.raises(ImageDecodingError, match='16x14 pixels, more than max_image_pixels') as refused:
        decode_image(claiming, decoder)
    assert refused.value.cause == 'bad size'


def test_names_of_a_megabyte_are_cut_in_messages() -> None:
    for decode, message in (
        (decode_image, image('x' * 1_000_000, picture())),
        (decode_compressed_image, SimpleNamespace(format='y' * 1_000_000, data=b'no image')),
    ):
        with pytest.raises(ImageDecodingError) as refused:
            decode(message)
        assert len(str(refused.value)) < 1000
