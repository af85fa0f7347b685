"""Image files: listing, order and reading. No ROS."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hand3r_ros.imaging.decoder import ImageDecoder
from hand3r_ros.imaging.limits import ImageDecodingError

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.jpe', '.bmp', '.webp', '.tif', '.tiff', '.ppm', '.pgm', '.pnm')
FOREIGN_SUFFIXES = (
    *('.heic', '.heif', '.avif', '.jxl', '.gif', '.jp2', '.j2k'),
    *('.dng', '.cr2', '.cr3', '.nef', '.arw', '.raf', '.orf', '.rw2', '.raw'),
)
"""Of images that are not read."""
VIDEO_SUFFIXES = ('.mp4', '.mov', '.m4v', '.3gp', '.avi', '.mkv', '.webm', '.mts', '.ts', '.mpg', '.mpeg', '.wmv')
MAX_BYTES_PER_PIXEL = 32
"""Of image files: four colours in text, with spaces."""


class MediaError(ValueError):
    """A file or folder cannot be used; the message names it and says what to do."""


@dataclass(frozen=True)
class ImageFolder:
    """The images of a folder, and what else lies there that could be meant."""

    images: tuple[Path, ...]  # in natural order: ``image_2`` before ``image_10``
    notes: tuple[str, ...] = ()  # files that are left out, for users


def image_folder(folder: Path) -> ImageFolder:
    """The images of a folder; raises MediaError if there is none, which names what there is instead."""
    files = [file for file in folder.iterdir() if file.is_file()]
    visible = [file for file in files if not file.name.startswith('.')]
    images = [file for file in visible if file.suffix.lower() in IMAGE_SUFFIXES]
    foreign = Counter(file.suffix.lower() for file in visible if file.suffix.lower() in FOREIGN_SUFFIXES)
    if not images:
        raise MediaError(f'folder {folder} holds no image ({", ".join(IMAGE_SUFFIXES)}){_instead(visible, foreign)}')
    notes = [f'{number} {kind} {_left_out(number)}: {foreign_advice(kind)}' for kind, number in foreign.most_common()]
    hidden = [file.name for file in files if file not in visible and file.suffix.lower() in IMAGE_SUFFIXES]
    if hidden:
        notes.append(f'{len(hidden)} hidden {_left_out(len(hidden))} ({min(hidden)})')
    return ImageFolder(tuple(sorted(images, key=_natural_order)), tuple(notes))


def is_image(path: Path) -> bool:
    """Whether a file is to be read as an image; raises MediaError for images of kinds that are not read."""
    suffix = path.suffix.lower()
    if suffix in FOREIGN_SUFFIXES:
        raise MediaError(f'{path} is an image of kind {suffix}: {foreign_advice(suffix)}')
    return suffix in IMAGE_SUFFIXES


def shown_name(path: Path) -> str:
    """A path as text that can be printed and stored: what is no UTF-8 in it is replaced."""
    return os.fsencode(path).decode('utf-8', 'replace')


def foreign_advice(suffix: str) -> str:
    """What to do with images of a kind that is not read."""
    tool = 'heif-convert IN OUT.jpg' if suffix in ('.heic', '.heif') else f'mogrify -format png *{suffix}'
    return f'they are not read, convert them to JPEG or PNG ({tool})'


def _left_out(number: int) -> str:
    return 'file is left out' if number == 1 else 'files are left out'


def _instead(files: list[Path], foreign: Counter[str]) -> str:
    """What a folder without images holds that users may have meant."""
    if foreign:
        suffix, number = foreign.most_common(1)[0]
        return f' but {number} {suffix} files: {foreign_advice(suffix)}'
    videos = sorted(file.name for file in files if file.suffix.lower() in VIDEO_SUFFIXES)
    if videos:
        return f' but {len(videos)} videos: give one of them ({videos[0]})'
    return ''


def read_image(path: Path, decoder: ImageDecoder | None = None) -> NDArray[np.uint8]:
    """(H, W, 3) BGR, as OpenCV keeps images, upright; raises MediaError when the file is no image that can be used.

    ``decoder`` is that of all images of a stream; without one, the image is taken for itself.
    """
    decoder = decoder or ImageDecoder()
    try:
        if path.stat().st_size > MAX_BYTES_PER_PIXEL * decoder.options.max_image_pixels:
            raise MediaError(
                f'{path} is larger than any image of max_image_pixels ({decoder.options.max_image_pixels})'
            )
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
