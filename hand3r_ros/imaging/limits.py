"""Limits of input images: the error for unusable ones, the maximum number of pixels, and the options of decoding."""

from __future__ import annotations

from dataclasses import dataclass

from hand3r_ros.settings import setting

DEFAULT_MAX_PIXELS = 64_000_000
"""Larger than the images of any camera this is made for; one of that size takes 0.2 GB."""


@dataclass(frozen=True)
class DecodingOptions:
    """What a user may say about the images."""

    max_image_pixels: int = setting(
        DEFAULT_MAX_PIXELS,
        'Refuse images whose header declares more pixels, before memory is allocated',
        minimum=1,
        maximum=1 << 30,
    )
    image_bits: int = setting(
        0,
        'Significant bits of 16-bit images, from the lowest (10, 12, 14, ...; at least 8); 0: detect them',
        minimum=0,
        maximum=16,
    )


class ImageDecodingError(ValueError):
    """The image cannot be used; ``cause`` is a short name of the reason for counters, the message has the details."""

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Raises :class:`ImageDecodingError` for an image that is empty, or too large to be decoded."""
    if width <= 0 or height <= 0:
        raise ImageDecodingError('zero size', f'the image is empty: {width}x{height}')
    if width * height > max_pixels:
        raise ImageDecodingError(
            'bad size', f'the image says that it has {width}x{height} pixels, more than max_image_pixels ({max_pixels})'
        )
