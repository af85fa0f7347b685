"""From sensor_msgs Image and CompressedImage to RGB arrays; works on anything with the fields of the messages.

Decoding here needs no cv_bridge: that keeps it testable without ROS and independent of the numpy version cv_bridge
was built for. What is not about messages is in ``hand3r_ros.imaging``, which reads image files in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from hand3r_ros.imaging.decoder import ImageDecoder
from hand3r_ros.imaging.limits import ImageDecodingError, check_size
from hand3r_ros.node.names import shortened

__all__ = ['SUPPORTED_ENCODINGS', 'ImageDecodingError', 'RgbImage', 'decode_compressed_image', 'decode_image']

RgbImage = NDArray[np.uint8]


class ImageLike(Protocol):
    """The fields of sensor_msgs/Image that matter here."""

    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: object


class CompressedImageLike(Protocol):
    """The fields of sensor_msgs/CompressedImage that matter here."""

    format: str
    data: object


@dataclass(frozen=True)
class _Layout:
    """How one encoding stores its pixels, and the OpenCV conversion to RGB (None: already RGB)."""

    channels: int
    conversion: int | None
    bits: int = 8
    height_factor: float = 1.0  # rows stored per image row (planar YUV stores more)


# OpenCV names a Bayer pattern by the second row's second and third pixel, ROS by the first row's first two.
_LAYOUTS: dict[str, _Layout] = {
    'rgb8': _Layout(3, None),
    'bgr8': _Layout(3, cv2.COLOR_BGR2RGB),
    'rgba8': _Layout(4, cv2.COLOR_RGBA2RGB),
    'bgra8': _Layout(4, cv2.COLOR_BGRA2RGB),
    'mono8': _Layout(1, cv2.COLOR_GRAY2RGB),
    'rgb16': _Layout(3, None, 16),
    'bgr16': _Layout(3, cv2.COLOR_BGR2RGB, 16),
    'rgba16': _Layout(4, cv2.COLOR_RGBA2RGB, 16),
    'bgra16': _Layout(4, cv2.COLOR_BGRA2RGB, 16),
    'mono16': _Layout(1, cv2.COLOR_GRAY2RGB, 16),
    '8UC1': _Layout(1, cv2.COLOR_GRAY2RGB),
    '8UC3': _Layout(3, cv2.COLOR_BGR2RGB),
    '8UC4': _Layout(4, cv2.COLOR_BGRA2RGB),
    'bayer_rggb8': _Layout(1, cv2.COLOR_BayerBG2RGB),
    'bayer_bggr8': _Layout(1, cv2.COLOR_BayerRG2RGB),
    'bayer_gbrg8': _Layout(1, cv2.COLOR_BayerGR2RGB),
    'bayer_grbg8': _Layout(1, cv2.COLOR_BayerGB2RGB),
    'bayer_rggb16': _Layout(1, cv2.COLOR_BayerBG2RGB, 16),
    'bayer_bggr16': _Layout(1, cv2.COLOR_BayerRG2RGB, 16),
    'bayer_gbrg16': _Layout(1, cv2.COLOR_BayerGR2RGB, 16),
    'bayer_grbg16': _Layout(1, cv2.COLOR_BayerGB2RGB, 16),
    'uyvy': _Layout(2, cv2.COLOR_YUV2RGB_UYVY),
    'yuv422': _Layout(2, cv2.COLOR_YUV2RGB_UYVY),
    'yuyv': _Layout(2, cv2.COLOR_YUV2RGB_YUY2),
    'yuv422_yuy2': _Layout(2, cv2.COLOR_YUV2RGB_YUY2),
    'nv12': _Layout(1, cv2.COLOR_YUV2RGB_NV12, height_factor=1.5),
    'nv21': _Layout(1, cv2.COLOR_YUV2RGB_NV21, height_factor=1.5),
}
SUPPORTED_ENCODINGS: tuple[str, ...] = tuple(_LAYOUTS)


def decode_message(message: Any, decoder: ImageDecoder | None = None) -> RgbImage:
    """(H, W, 3) RGB of a sensor_msgs/Image or CompressedImage; raises :class:`ImageDecodingError`."""
    decode = decode_image if hasattr(message, 'encoding') else decode_compressed_image
    return decode(message, decoder)


def decode_image(message: ImageLike, decoder: ImageDecoder | None = None) -> RgbImage:
    """(H, W, 3) RGB of a sensor_msgs/Image; raises :class:`ImageDecodingError` when it cannot be used.

    ``decoder`` is that of the stream; without one, the image is taken for itself.
    """
    decoder = decoder or ImageDecoder()
    check_size(message.width, message.height, decoder.options.max_image_pixels)
    layout = _LAYOUTS.get(message.encoding)
    if layout is None:
        raise ImageDecodingError(
            'unknown encoding',
            f"unknown encoding '{shortened(message.encoding)}'; publish one of {', '.join(SUPPORTED_ENCODINGS)}",
        )
    pixels = _read_rows(message, layout, decoder)
    if layout.conversion is None:
        return np.array(pixels)  # a copy: the result must not follow the message's memory
    return _converted(pixels, layout.conversion, message.encoding)


def decode_compressed_image(message: CompressedImageLike, decoder: ImageDecoder | None = None) -> RgbImage:
    """(H, W, 3) RGB of a sensor_msgs/CompressedImage (JPEG, PNG, WebP, ...); raises :class:`ImageDecodingError`.

    A rotation noted in the file is ignored: calibration belongs to the pixels as they were recorded. ``decoder`` is
    that of the stream; without one, the image is taken for itself.
    """
    decoder = decoder or ImageDecoder()
    try:
        pixels = decoder.encoded(message_bytes(message.data), kind=shortened(message.format))
    except ImageDecodingError as error:
        raise ImageDecodingError(error.cause, f"format '{shortened(message.format)}': {error}") from error
    if pixels.ndim == 3:
        return _converted(pixels, cv2.COLOR_BGR2RGB, message.format)
    return _converted(pixels, _mosaic_conversion(message.format) or cv2.COLOR_GRAY2RGB, message.format)


def _mosaic_conversion(image_format: str) -> int | None:
    """The conversion to RGB of a grey image that is a Bayer mosaic; None when it is a grey picture.

    image_transport writes ``<encoding of the camera>; jpeg compressed <encoding that was compressed>`` and leaves the
    latter out where it compresses the mosaic itself.
    """
    camera, _, compression = image_format.lower().partition(';')
    compressed = compression.partition('compressed')[2].strip()
    layout = _LAYOUTS.get(camera.strip()) if camera.strip().startswith('bayer_') else None
    return None if layout is None or compressed not in ('', camera.strip()) else layout.conversion


def _converted(pixels: NDArray[np.uint8], conversion: int, encoding: str) -> RgbImage:
    try:
        return np.asarray(cv2.cvtColor(pixels, conversion), np.uint8)
    except cv2.error as error:
        rows, width = pixels.shape[:2]
        raise ImageDecodingError(
            'bad size',
            f"{rows} rows of {width} px is not a size that encoding '{shortened(encoding)}' can have ({error.err})",
        ) from error


def message_bytes(data: object) -> NDArray[np.uint8]:
    """View ``data`` (array.array, bytes, memoryview, ndarray or a list) as a flat uint8 array, uncopied if possible."""
    if isinstance(data, list | tuple):
        return np.asarray(data, np.uint8)
    return np.frombuffer(data, np.uint8)  # type: ignore[call-overload]


def _read_rows(message: ImageLike, layout: _Layout, decoder: ImageDecoder) -> NDArray[np.uint8]:
    """Pixels (rows, W) or (rows, W, C) in 8 bits, without the padding at the end of each row."""
    itemsize = layout.bits // 8
    row_bytes = message.width * layout.channels * itemsize
    rows = int(message.height * layout.height_factor)
    pixels = message_rows(message, row_bytes, rows)
    shape = (rows, message.width) if layout.channels == 1 else (rows, message.width, layout.channels)
    if layout.bits == 16:
        words = pixels.view('>u2' if message.is_bigendian else '<u2').astype(np.uint16)
        return decoder.to_8_bit(words.reshape(shape), message.encoding)
    return pixels.reshape(shape)


def message_rows(message: ImageLike, row_bytes: int, rows: int) -> NDArray[np.uint8]:
    """(rows, row_bytes) of the message's data without padding; raises :class:`ImageDecodingError` if it has less."""
    if message.step < row_bytes:
        raise ImageDecodingError(
            'bad step',
            f"step {message.step} is shorter than a row of {message.width} px '{message.encoding}' ({row_bytes} bytes)",
        )
    data = message_bytes(message.data)
    # The padding of the last row may be left out.
    needed = message.step * (rows - 1) + row_bytes
    if data.size < needed:
        raise ImageDecodingError(
            'truncated', f"data is truncated: {data.size} of {message.step * rows} bytes ('{message.encoding}')"
        )
    strided = np.lib.stride_tricks.as_strided(data, (rows, row_bytes), (message.step, 1), writeable=False)
    return np.ascontiguousarray(strided)
