"""Depth messages of every kind give the same metres; what is no depth is refused with its cause."""

from __future__ import annotations

import struct
from array import array
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from hand3r_ros.imaging.limits import ImageDecodingError
from hand3r_ros.node.depth_decoding import decode_depth

DEPTH = np.linspace(0.3, 4.0, 12 * 16).reshape(12, 16).astype(np.float32)
DEPTH[3, 4:9] = 0.0


def raw(values: np.ndarray, encoding: str, padding: int = 0, big_endian: bool = False, **changes):
    values = values.astype(values.dtype.newbyteorder('>' if big_endian else '<'))
    rows = np.pad(np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1), ((0, 0), (0, padding)))
    fields = {
        'height': values.shape[0],
        'width': values.shape[1],
        'encoding': encoding,
        'is_bigendian': int(big_endian),
        'step': rows.shape[1],
        'data': array('B', rows.tobytes()),
    }
    return SimpleNamespace(**{**fields, **changes})


def compressed(values: np.ndarray, image_format: str, header: bytes = b''):
    _, png = cv2.imencode('.png', values)
    return SimpleNamespace(format=image_format, data=array('B', header + png.tobytes()))


MILLIMETRES = np.round(1000.0 * DEPTH).astype(np.uint16)


@pytest.mark.parametrize('big_endian', [False, True])
@pytest.mark.parametrize('encoding', ['16UC1', 'mono16', '32FC1'])
def test_raw_depth_is_read_in_its_units(encoding, big_endian):
    values = DEPTH if encoding == '32FC1' else MILLIMETRES
    depth = decode_depth(raw(values, encoding, padding=6, big_endian=big_endian))
    assert depth.dtype == np.float32
    assert np.allclose(depth, DEPTH, atol=6e-4)


def test_compressed_depth_is_read_with_and_without_its_header():
    header = struct.pack('<iff', 0, 0.0, 0.0)
    for message in (
        compressed(MILLIMETRES, '16UC1; compressedDepth png', header),
        compressed(MILLIMETRES, '16UC1; compressedDepth', header),
        compressed(MILLIMETRES, '16UC1; png compressed '),
    ):
        assert np.allclose(decode_depth(message), DEPTH, atol=6e-4)


def test_compressed_metres_are_inverse_depth():
    quantum, offset = 2000.0, -100.0
    with np.errstate(divide='ignore'):
        inverse = np.where(DEPTH > 0.0, np.rint(quantum / DEPTH + offset), 0.0).astype(np.uint16)
    message = compressed(inverse, '32FC1; compressedDepth png', struct.pack('<iff', 0, quantum, offset))
    depth = decode_depth(message)
    assert np.array_equal(depth == 0.0, DEPTH == 0.0)
    assert np.allclose(depth, DEPTH, rtol=2e-3)


@pytest.mark.parametrize(
    ('message', 'reason'),
    [
        (raw(MILLIMETRES, 'rgb8'), "encoding 'rgb8'; publish 16UC1"),
        (raw(MILLIMETRES, '16UC1', height=24), 'truncated'),
        (raw(MILLIMETRES, '16UC1', step=8), 'shorter than a row'),
        (raw(MILLIMETRES, '16UC1', width=0), 'empty'),
        (compressed(np.zeros((4, 4, 3), np.uint8), '16UC1; compressedDepth png', b'\0' * 12), 'is no depth'),
        (SimpleNamespace(format='16UC1; compressedDepth rvl', data=array('B', b'\1' * 64)), 'is no PNG'),
        (SimpleNamespace(format='16UC1; compressedDepth png', data=array('B')), 'is no PNG'),
        (compressed(MILLIMETRES, '32FC1; compressedDepth png', struct.pack('<iff', 0, -1.0, 0.0)), 'damaged header'),
    ],
)
def test_what_is_no_depth_is_refused(message, reason):
    with pytest.raises(ImageDecodingError, match=reason):
        decode_depth(message)


def test_the_size_is_checked_before_memory_is_taken():
    with pytest.raises(ImageDecodingError, match='more than max_image_pixels'):
        decode_depth(compressed(MILLIMETRES, '16UC1; compressedDepth png', b'\0' * 12), max_pixels=100)
