"""Decodes the images of one stream: JPEG, PNG and others from a message or a file, and 16 bit values of any source."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hand3r_ros.imaging.headers import HeaderError, claimed_sizes
from hand3r_ros.imaging.limits import DecodingOptions, ImageDecodingError, check_size
from hand3r_ros.imaging.used_bits import UsedBits


class ImageDecoder:
    """Decodes one stream; ``options`` may change between images."""

    def __init__(self, options: DecodingOptions | None = None) -> None:
        self.options = DecodingOptions() if options is None else options
        self.used_bits = UsedBits()

    @property
    def note(self) -> str:
        """What a user should know about how the images are read; empty when there is nothing."""
        return '' if self.options.image_bits else self.used_bits.note

    def encoded(self, data: NDArray[np.uint8], kind: str = '', upright: bool = False) -> NDArray[np.uint8]:
        """(H, W) grey or (H, W, 3) BGR of the bytes of an image, whole and within ``max_image_pixels``.

        Args:
            data: (N,) bytes.
            kind: what the source calls its images, to tell two cameras apart.
            upright: follow the rotation that the file notes; without, pixels stay as they were recorded.

        Raises:
            ImageDecodingError: they are no image that can be used.

        """
        try:
            for width, height in claimed_sizes(np.ascontiguousarray(data).data):
                check_size(width, height, self.options.max_image_pixels)
        except HeaderError as error:
            raise ImageDecodingError('undecodable', f'{data.size} bytes do not decode as an image: {error}') from error
        flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH | (0 if upright else cv2.IMREAD_IGNORE_ORIENTATION)
        try:
            pixels = cv2.imdecode(data, flags)
        except cv2.error:
            pixels = None
        if pixels is None:
            raise ImageDecodingError(
                'undecodable', f'{data.size} bytes do not decode as an image: it is cut off or damaged'
            )
        check_size(pixels.shape[1], pixels.shape[0], self.options.max_image_pixels)
        if pixels.dtype == np.uint16:
            return self.to_8_bit(np.asarray(pixels, np.uint16), kind)
        if pixels.dtype != np.uint8:
            raise ImageDecodingError('unknown encoding', f'an image of {pixels.dtype} values: use 8 or 16 bit integers')
        return np.asarray(pixels, np.uint8)

    def to_8_bit(self, pixels: NDArray[np.uint16], kind: str = '') -> NDArray[np.uint8]:
        """16 bit values of any shape in 8 bits; see :class:`UsedBits`."""
        return self.used_bits.to_8_bit(pixels, kind, self.options.image_bits)
