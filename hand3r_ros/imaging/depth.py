"""Images of depth cameras: from 16 bit integers or floats, encoded or not, to metres. No ROS."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hand3r_ros.imaging.headers import HeaderError, claimed_sizes
from hand3r_ros.imaging.limits import DEFAULT_MAX_PIXELS, ImageDecodingError, check_size

MILLIMETRES = 1000.0
"""Units per metre of 16 bit depth, unless somebody says otherwise."""


def metres(values: NDArray[np.generic], units_per_metre: float = MILLIMETRES) -> NDArray[np.float32]:
    """(H, W) metres of 16 bit integers, or of floats, which are metres already; 0 or not finite: no reading.

    Raises:
        ImageDecodingError: the values are those of a picture, not of depth.

    """
    if values.ndim != 2 or values.dtype not in (np.uint16, np.float32, np.float64):
        raise ImageDecodingError(
            'no depth',
            f'an image of {values.dtype} values of shape {values.shape} is no depth: it has to have one channel of '
            '16 bit integers (millimetres) or floats (metres)',
        )
    if values.dtype == np.uint16:
        return values.astype(np.float32) * np.float32(1.0 / units_per_metre)
    return values.astype(np.float32)


def encoded_depth(
    data: NDArray[np.uint8], max_pixels: int = DEFAULT_MAX_PIXELS, units_per_metre: float = MILLIMETRES
) -> NDArray[np.float32]:
    """(H, W) metres of the bytes of a PNG or TIFF file; raises :class:`ImageDecodingError`."""
    return metres(encoded_values(data, max_pixels), units_per_metre)


def encoded_values(data: NDArray[np.uint8], max_pixels: int = DEFAULT_MAX_PIXELS) -> NDArray[np.generic]:
    """The values of an encoded image as they are stored, whole and within ``max_pixels``."""
    try:
        for width, height in claimed_sizes(np.ascontiguousarray(data).data):
            check_size(width, height, max_pixels)
    except HeaderError as error:
        raise ImageDecodingError('undecodable', f'{data.size} bytes do not decode as an image: {error}') from error
    try:
        values = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except cv2.error:
        values = None
    if values is None:
        raise ImageDecodingError(
            'undecodable', f'{data.size} bytes do not decode as an image: it is cut off or damaged'
        )
    check_size(values.shape[1], values.shape[0], max_pixels)
    return np.asarray(values)
