"""Limits of input images: the error for unusable ones and the maximum number of pixels."""

from __future__ import annotations

DEFAULT_MAX_PIXELS = 64_000_000
"""Larger than the images of any camera this is made for; one of that size takes 0.2 GB."""


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
