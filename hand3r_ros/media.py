"""Image files: which there are, in what order, and how they are read. No ROS."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hand3r_ros.imaging.decoder import ImageDecoder
from hand3r_ros.imaging.limits import ImageDecodingError

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.webp', '.tif', '.tiff')
MAX_BYTES_PER_PIXEL = 32
"""Of image files: four colours in text, with spaces."""


class MediaError(ValueError):
    """A file or folder cannot be used; the message names it and says what to do."""


def image_files(folder: Path) -> list[Path]:
    """The images of a folder in natural order (``image_2`` before ``image_10``); raises MediaError if there is none."""
    found = [file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES]
    if not found:
        raise MediaError(f'folder {folder} holds no image ({", ".join(IMAGE_SUFFIXES)})')
    return sorted(found, key=_natural_order)


def read_image(path: Path, decoder: ImageDecoder | None = None) -> NDArray[np.uint8]:
    """(H, W, 3) BGR, as OpenCV keeps images, upright; raises MediaError when the file is no image that can be used.

    ``decoder`` is that of all images of a stream; without one, the image is taken for itself.
    """
    decoder = decoder or ImageDecoder()
    try:
        if path.stat().st_size > MAX_BYTES_PER_PIXEL * decoder.options.max_pixels:
            raise MediaError(f'{path} is larger than any image of max_image_pixels ({decoder.options.max_pixels})')
        content = np.fromfile(path, np.uint8)
    except OSError as error:
        raise MediaError(f'{path} cannot be read: {error.strerror}') from error
    try:
        pixels = decoder.encoded(content, upright=True)
    except ImageDecodingError as error:
        raise MediaError(f'{path}: {error}') from error
    return pixels if pixels.ndim == 3 else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR), np.uint8)


def _natural_order(path: Path) -> list[tuple[int, str]]:
    return [(int(part), '') if part.isdigit() else (-1, part) for part in re.split(r'(\d+)', path.name.lower())]
