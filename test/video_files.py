"""Small videos written with OpenCV, and what cameras, phones and bad disks do to them, as changes of their bytes."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np

SIZE = (160, 120)  # width, height
RATE = 20.0
FRAMES = 30

TURNS = {
    # name: display matrix a, b, c, d, which takes stored (x, y) to shown (a x + c y, b x + d y)
    'as stored': (1, 0, 0, 1),
    'clockwise': (0, 1, -1, 0),
    'upside down': (-1, 0, 0, -1),
    'anticlockwise': (0, -1, 1, 0),
    'mirrored': (-1, 0, 0, 1),
}


def picture(number: int) -> np.ndarray:
    """(120, 160, 3) BGR: blue at the left, green at the right, red below both, and brighter from image to image."""
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    level = 100 + 4 * number
    image[:60, :80, 0] = image[:60, 80:, 1] = image[60:, :, 2] = level
    return image


def write_video(path: Path, fourcc: str = 'mp4v', frames: int = FRAMES, busy: bool = False) -> Path:
    """A video of ``picture``; ``busy`` images change everywhere, so that damage hits several of them."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*fourcc), RATE, SIZE)
    assert writer.isOpened()
    noise = np.random.default_rng(0).integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
    noise = cv2.GaussianBlur(noise, (0, 0), 5)
    for number in range(frames):
        writer.write(np.roll(noise, 5 * number, axis=1) if busy else picture(number))
    writer.release()
    return path


def damage(path: Path, begin: float, end: float) -> Path:
    """Zeros over a part of the file."""
    content = bytearray(path.read_bytes())
    first, last = int(len(content) * begin), int(len(content) * end)
    content[first:last] = bytes(last - first)
    path.write_bytes(content)
    return path


def cut(path: Path, share: float) -> Path:
    """Only the first part of the file."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def turn(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """An MP4 that asks players to turn it, as phones write them."""
    content = bytearray(path.read_bytes())
    place = content.index(b'tkhd') + 4 + 40
    a, b, c, d = (value * 65536 for value in matrix)
    struct.pack_into('>9i', content, place, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path


def replace(path: Path, old: bytes, new: bytes) -> Path:
    """Other bytes of the same number, everywhere."""
    assert len(old) == len(new)
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    return path


def begin_later(path: Path, images: int) -> Path:
    """An MP4 from which a player cut the first images: an edit list leaves them out, the samples stay."""
    content = bytearray(path.read_bytes())
    ticks = struct.unpack_from('>I', content, content.index(b'mdhd') + 4 + 12)[0]
    place = content.index(b'elst') + 4
    assert struct.unpack_from('>I', content, place + 4)[0] == 1
    scale = struct.unpack_from('>I', content, content.index(b'mvhd') + 4 + 12)[0]
    duration = round((FRAMES - images) / RATE * scale)
    struct.pack_into('>Ii', content, place + 8, duration, round(images / RATE * ticks))
    path.write_bytes(content)
    return path
