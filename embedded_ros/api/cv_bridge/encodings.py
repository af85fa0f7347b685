"""Image encodings: their pixel types, and the conversions between them."""

from __future__ import annotations

import re
from typing import NamedTuple

import cv2
import numpy as np

PASSTHROUGH = 'passthrough'
# Number types of OpenCV: '8UC3' is 3 channels of '8U'.
DEPTHS: dict[str, np.dtype] = {
    '8U': np.dtype(np.uint8),
    '8S': np.dtype(np.int8),
    '16U': np.dtype(np.uint16),
    '16S': np.dtype(np.int16),
    '32S': np.dtype(np.int32),
    '32F': np.dtype(np.float32),
    '64F': np.dtype(np.float64),
}
# Encodings with a meaning of the channels: (channels, layout).
LAYOUTS = {'mono': (1, 'GRAY'), 'rgb': (3, 'RGB'), 'bgr': (3, 'BGR'), 'rgba': (4, 'RGBA'), 'bgra': (4, 'BGRA')}
COLOUR = re.compile(r'(mono|rgba?|bgra?)(8|16)')
PLAIN = re.compile(r'(8U|8S|16U|16S|32S|32F|64F)(?:C([1-4]))?')
SCALE_8_TO_16 = 257  # 255 -> 65535


class CvBridgeError(TypeError):
    """A message or image that cannot be converted."""


class Encoding(NamedTuple):
    """Pixel type of an encoding; `layout` is None where the channels have no meaning."""

    name: str
    dtype: np.dtype
    channels: int
    layout: str | None

    @property
    def opencv_name(self) -> str:
        """Name of the pixel type, e.g. '8UC3'."""
        return opencv_name(self.dtype, self.channels)


def opencv_name(dtype: np.dtype, channels: int) -> str:
    """'8UC3' for uint8 and 3 channels; CvBridgeError for a type OpenCV does not have."""
    for name, known in DEPTHS.items():
        if known == dtype:
            return f'{name}C{channels}'
    raise CvBridgeError(f'images of dtype {dtype} are not supported; known: {", ".join(map(str, DEPTHS.values()))}')


def parse_encoding(name: str) -> Encoding:
    """Encoding of this name; CvBridgeError where it is not known."""
    colour = COLOUR.fullmatch(name)
    if colour:
        channels, layout = LAYOUTS[colour.group(1)]
        return Encoding(name, np.dtype(f'uint{colour.group(2)}'), channels, layout)
    plain = PLAIN.fullmatch(name)
    if plain:
        return Encoding(name, DEPTHS[plain.group(1)], int(plain.group(2) or 1), None)
    raise CvBridgeError(
        f'Unrecognized image encoding [{name}]; known: mono, rgb, bgr, rgba, bgra with 8 or 16, and 8UC1 ... 64FC4'
    )


def convert(image: np.ndarray, source: Encoding, target: Encoding) -> np.ndarray:
    """Convert between encodings; CvBridgeError where that makes no sense.

    image: (H, W) or (H, W, C) of the source encoding.
    """
    if source.name == target.name:
        return image
    if source.layout is None and target.layout is not None:
        raise CvBridgeError(
            f'[{source.name}] is not a color format. but [{target.name}] is. The conversion does not make sense'
        )
    if target.layout is None and source.channels != target.channels:
        raise CvBridgeError(f'[{source.name}] and [{target.name}] do not have the same number of channel')
    if target.layout is None or source.layout == target.layout:
        swapped = image
    else:
        swapped = cv2.cvtColor(image, getattr(cv2, f'COLOR_{source.layout}2{target.layout}'))
    if source.dtype == target.dtype:
        return swapped
    if source.layout is not None and target.layout is not None:  # brightness keeps its meaning
        if source.dtype.itemsize < target.dtype.itemsize:
            return swapped.astype(target.dtype) * target.dtype.type(SCALE_8_TO_16)
        return ((swapped.astype(np.uint32) + SCALE_8_TO_16 // 2) // SCALE_8_TO_16).astype(target.dtype)
    return swapped.astype(target.dtype)
