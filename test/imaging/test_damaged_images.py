"""Damaged images are decoded or refused; none ends the process or takes much memory.

Run as a program, this decodes damaged images: a crash of a decoder would end the tests.
"""

from __future__ import annotations

import os
import random
import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from hand3r_ros.imaging.decoder import DecodingOptions, ImageDecoder
from hand3r_ros.imaging.limits import ImageDecodingError

NUMBER = 1500
MEMORY = 400_000_000  # bytes more than before the first image; a megapixel takes a few


def whole_images() -> list[bytes]:
    """Of every format, in 8 and 16 bits, with one and three colours."""
    v, u = np.indices((70, 96))
    colour = np.stack([40 + 2 * u, 200 - 2 * v, 60 + u + v], axis=-1).astype(np.uint8)
    grey, deep = colour[..., 0], colour.astype(np.uint16) * 257
    kinds = [(extension, colour) for extension in ('.jpg', '.png', '.webp', '.bmp', '.tiff', '.ppm', '.ras', '.jp2')]
    kinds += [('.jpg', grey), ('.png', grey), ('.png', deep), ('.tiff', deep), ('.pgm', deep[..., 0])]
    return [cv2.imencode(extension, pixels)[1].tobytes() for extension, pixels in kinds]


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Bytes changed, numbers made huge, parts left out, repeated or cut off."""
    result = bytearray(data)
    for _ in range(chance.randint(1, 7)):
        place = chance.randrange(min(len(result), chance.choice([64, 300, len(result)])))
        what = chance.randrange(5)
        if what == 0:
            result[place] = chance.choice([0, 1, 127, 255, chance.randrange(256)])
        elif what == 1:
            huge = chance.choice([0xFFFFFFFF, 0x7FFFFFFF, 0x10000000, 1, 0])
            result[place : place + 4] = struct.pack(chance.choice('<>') + 'I', huge)
        elif what == 2:
            del result[place : place + chance.randint(1, 20)]
        elif what == 3:
            result[place:place] = result[place : place + 100]
        elif len(result) > place + 64 and chance.random() < 0.3:
            del result[place + 64 :]
    return bytes(result)


def damaged_png(chance: random.Random) -> bytes:
    """Chunks with right checksums in a wrong order and number, animations among them."""
    header = struct.pack('>IIBBBBB', 96, chance.choice([1, 70]), 8, chance.choice([0, 2, 3]), 0, 0, chance.randrange(2))
    pixels = zlib.compress(bytes((96 * 3 + 1) * 70))
    others = [
        (b'acTL', struct.pack('>II', chance.choice([1, 0xFFFF, 0xFFFFFFFF]), chance.choice([0, 0xFFFFFFFF]))),
        (b'fcTL', struct.pack('>IIIIIHHBB', 0, 96, 70, 0, 0, 1, 1, 0, 0)),
        (b'fdAT', pixels),
        (b'IDAT', pixels),
        (b'IDAT', b''),
        (b'PLTE', bytes(3)),
        (b'tRNS', bytes(6)),
        (b'zTXt', b'k\0\0' + zlib.compress(bytes(1_000_000))),
        (b'IEND', b''),
    ]
    chosen = [(b'IHDR', header), *chance.sample(others, chance.randint(1, len(others))), (b'IEND', b'')]
    parts = (
        struct.pack('>I', len(content)) + kind + content + struct.pack('>I', zlib.crc32(kind + content))
        for kind, content in chosen
    )
    return b'\x89PNG\r\n\x1a\n' + b''.join(parts)


@pytest.mark.parametrize('seed', [1, 2])
def test_no_damaged_image_ends_the_process_or_takes_much_memory(seed: int) -> None:
    found = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get('PYTHONPATH', '')])
    environment = {**os.environ, 'PYTHONPATH': found}
    ended = subprocess.run(
        [sys.executable, __file__, str(seed)], capture_output=True, text=True, env=environment, check=False
    )
    assert ended.returncode == 0, ended.stderr[-2000:]


def main(seed: int) -> None:
    """Decode damaged images; ends with an error when something else than a refusal comes of it."""
    chance, images = random.Random(seed), whole_images()
    decoder = ImageDecoder(DecodingOptions(max_image_pixels=1_000_000))
    decoder.encoded(np.frombuffer(images[0], np.uint8))
    before = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(NUMBER):
        data = damaged_png(chance) if number % 4 == 0 else damaged(chance.choice(images), chance)
        try:
            decoder.encoded(np.frombuffer(data, np.uint8))
        except ImageDecodingError:
            continue
    taken = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert taken < MEMORY, f'{taken / 1e6:.0f} MB'


if __name__ == '__main__':
    main(int(sys.argv[1]))
