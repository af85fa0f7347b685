"""The converter."""

from __future__ import annotations

import array
import sys
from typing import Any

import cv2
import numpy as np

from cv_bridge.encodings import PASSTHROUGH, CvBridgeError, convert, opencv_name, parse_encoding

__all__ = ['CvBridge', 'CvBridgeError']

MAX_CHANNELS = 4


def _to_array(data: Any) -> array.array:
    buffer = array.array('B')
    buffer.frombytes(np.ascontiguousarray(data).reshape(-1).view(np.uint8).data)
    return buffer


def _channels(image: np.ndarray) -> int:
    if not isinstance(image, np.ndarray):
        raise CvBridgeError(f'Your input type is not a numpy array: {type(image)}')
    if image.ndim == 2:
        return 1
    if image.ndim == 3 and 1 <= image.shape[2] <= MAX_CHANNELS:
        return image.shape[2]
    raise CvBridgeError(f'an image has the shape (H, W) or (H, W, 1 to 4), got {image.shape}')


class CvBridge:
    """Converts images; keeps no state."""

    def imgmsg_to_cv2(self, img_msg: Any, desired_encoding: str = PASSTHROUGH) -> np.ndarray:
        """Return the pixels (H, W) or (H, W, C) of a sensor_msgs/Image.

        With 'passthrough' they are a view of the message's data. CvBridgeError for an unknown encoding, a message
        with too little data, or a conversion that makes no sense.
        """
        source = parse_encoding(img_msg.encoding)
        height, width, step = img_msg.height, img_msg.width, img_msg.step
        row_bytes = width * source.channels * source.dtype.itemsize
        if step < row_bytes:
            raise CvBridgeError(f'step {step} is less than the {row_bytes} bytes of {width} pixels of {source.name}')
        if len(img_msg.data) < height * step:
            raise CvBridgeError(f'the image has {len(img_msg.data)} bytes, {height} rows of step {step} were announced')
        big_endian = bool(img_msg.is_bigendian)
        dtype = source.dtype.newbyteorder('>' if big_endian else '<')
        shape, strides = (height, width), (step, source.channels * dtype.itemsize)
        if source.channels > 1:
            shape, strides = (*shape, source.channels), (*strides, dtype.itemsize)  # type: ignore[assignment]
        image: np.ndarray = np.ndarray(shape, dtype, buffer=img_msg.data, strides=strides)
        if big_endian == (sys.byteorder == 'little') and dtype.itemsize > 1:
            image = image.astype(source.dtype)
        if desired_encoding == PASSTHROUGH:
            return image
        return convert(image, source, parse_encoding(desired_encoding))

    def compressed_imgmsg_to_cv2(self, cmprs_img_msg: Any, desired_encoding: str = PASSTHROUGH) -> np.ndarray:
        """Return the pixels of a sensor_msgs/CompressedImage; 'passthrough' gives BGR, or grey where it is grey."""
        data = np.frombuffer(cmprs_img_msg.data, np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH) if data.size else None
        if image is None:
            raise CvBridgeError(f'cannot decode {data.size} bytes of a compressed image ({cmprs_img_msg.format!r})')
        if desired_encoding == PASSTHROUGH:
            return image
        bits = image.dtype.itemsize * 8
        source = parse_encoding(f'bgr{bits}' if image.ndim == 3 else f'mono{bits}')
        return convert(image, source, parse_encoding(desired_encoding))

    def cv2_to_imgmsg(self, cvim: np.ndarray, encoding: str = PASSTHROUGH, header: Any = None) -> Any:
        """Return a sensor_msgs/Image of pixels (H, W) or (H, W, C); CvBridgeError where they do not fit `encoding`."""
        from sensor_msgs.msg import Image

        actual = opencv_name(cvim.dtype if isinstance(cvim, np.ndarray) else np.dtype(np.uint8), _channels(cvim))
        if encoding != PASSTHROUGH and parse_encoding(encoding).opencv_name != actual:
            raise CvBridgeError(f'encoding specified as {encoding}, but image has incompatible type {actual}')
        message = Image(height=cvim.shape[0], width=cvim.shape[1])
        message.encoding = actual if encoding == PASSTHROUGH else encoding
        message.is_bigendian = int(sys.byteorder == 'big')
        message.data = _to_array(cvim)
        message.step = len(message.data) // message.height if message.height else 0
        if header is not None:
            message.header = header
        return message

    def cv2_to_compressed_imgmsg(self, cvim: np.ndarray, dst_format: str = 'jpg') -> Any:
        """Return a sensor_msgs/CompressedImage of grey or BGR pixels."""
        from sensor_msgs.msg import CompressedImage

        _channels(cvim)
        try:
            done, data = cv2.imencode(f'.{dst_format}', cvim)
        except cv2.error as error:
            raise CvBridgeError(f'cannot encode an image as {dst_format!r}: {error}') from error
        if not done:
            raise CvBridgeError(f'cannot encode an image as {dst_format!r}')
        return CompressedImage(format=dst_format, data=_to_array(data))

    def encoding_to_dtype_with_channels(self, encoding: str) -> tuple[str, int]:
        """('uint8', 3) for 'bgr8'."""
        parsed = parse_encoding(encoding)
        return parsed.dtype.name, parsed.channels

    def dtype_with_channels_to_cvtype2(self, dtype: Any, n_channels: int) -> str:
        """'8UC3' for uint8 and 3."""
        return opencv_name(np.dtype(dtype), n_channels)
