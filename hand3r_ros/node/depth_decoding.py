"""From sensor_msgs Image and CompressedImage of a depth camera to metres; works on anything with their fields.

``compressedDepth`` of image_transport puts 12 bytes before the PNG: a format and two numbers A and B. The PNG holds
millimetres (16UC1) or, where the image was 32FC1, ``A / depth + B``, with 0 for no reading.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hand3r_ros.imaging.depth import encoded_values, metres
from hand3r_ros.imaging.limits import DEFAULT_MAX_PIXELS, ImageDecodingError, check_size
from hand3r_ros.node.image_decoding import message_bytes, message_rows
from hand3r_ros.node.names import shortened

DEPTH_ENCODINGS = {'16UC1': 'u2', 'mono16': 'u2', '32FC1': 'f4'}
_PNG = b'\x89PNG\r\n\x1a\n'
_HEADER = struct.Struct('<iff')


def decode_depth(message: Any, max_pixels: int = DEFAULT_MAX_PIXELS) -> NDArray[np.float32]:
    """(H, W) metres, 0 or not finite without reading; raises :class:`ImageDecodingError`."""
    return _raw(message, max_pixels) if hasattr(message, 'encoding') else _compressed(message, max_pixels)


def _raw(message: Any, max_pixels: int) -> NDArray[np.float32]:
    check_size(message.width, message.height, max_pixels)
    kind = DEPTH_ENCODINGS.get(message.encoding)
    if kind is None:
        raise ImageDecodingError(
            'unknown encoding',
            f"depth has the encoding '{shortened(message.encoding)}'; publish 16UC1 (millimetres) or 32FC1 (metres)",
        )
    rows = message_rows(message, message.width * np.dtype(kind).itemsize, message.height)
    values = rows.view(f'{">" if message.is_bigendian else "<"}{kind}').reshape(message.height, message.width)
    return metres(values.astype(kind))


def _compressed(message: Any, max_pixels: int) -> NDArray[np.float32]:
    data, name = message_bytes(message.data), shortened(message.format)
    if data[: len(_PNG)].tobytes() == _PNG:
        return metres(_values(data, name, max_pixels))
    if data[_HEADER.size :][: len(_PNG)].tobytes() != _PNG:
        raise ImageDecodingError(
            'unknown encoding',
            f"compressed depth of format '{name}' is no PNG: set the format of compressedDepth to png",
        )
    _, quantum, offset = _HEADER.unpack(data[: _HEADER.size].tobytes())
    values = _values(data[_HEADER.size :], name, max_pixels)
    if '32FC1' not in message.format:
        return metres(values)
    if values.dtype != np.uint16 or values.ndim != 2 or not quantum > 0.0:
        raise ImageDecodingError('undecodable', f"compressed depth of format '{name}' has a damaged header")
    stored = values.astype(np.float32)
    with np.errstate(divide='ignore', invalid='ignore'):
        depth = np.float32(quantum) / (stored - np.float32(offset))
    return np.where((stored > 0.0) & (depth > 0.0), depth, np.float32(0.0)).astype(np.float32)


def _values(data: NDArray[np.uint8], name: str, max_pixels: int) -> NDArray[np.generic]:
    try:
        return encoded_values(np.ascontiguousarray(data), max_pixels)
    except ImageDecodingError as error:
        raise ImageDecodingError(error.cause, f"depth of format '{name}': {error}") from error
