"""Image files: which there are, in what order, and how they are read. No ROS."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.webp', '.tif', '.tiff')


class MediaError(ValueError):
    """A file or folder cannot be used; the message names it and says what to do."""


def image_files(folder: Path) -> list[Path]:
    """The images of a folder in natural order (``image_2`` before ``image_10``); raises MediaError if there is none."""
    found = [file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES]
    if not found:
        raise MediaError(f'folder {folder} holds no image ({", ".join(IMAGE_SUFFIXES)})')
    return sorted(found, key=_natural_order)


def read_image(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) BGR, as OpenCV keeps images; raises MediaError when the file is no image."""
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        raise MediaError(f'{path} is not an image that OpenCV can read')
    return np.asarray(pixels, np.uint8)


def _natural_order(path: Path) -> list[tuple[int, str]]:
    return [(int(part), '') if part.isdigit() else (-1, part) for part in re.split(r'(\d+)', path.name.lower())]
