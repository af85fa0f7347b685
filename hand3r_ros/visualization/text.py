"""Text on images in DejaVu Sans of matplotlib, the same on every machine."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Rgb = tuple[int, int, int]


@lru_cache(maxsize=32)
def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    name = 'DejaVuSans-Bold.ttf' if bold else 'DejaVuSans.ttf'
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / 'fonts' / 'ttf' / name), size)


def text_size(text: str, size: int, bold: bool = False) -> tuple[int, int]:
    """Width and height in pixels."""
    left, top, right, bottom = _font(size, bold).getbbox(text)
    return int(right - left), int(bottom - top)


def draw_text(
    image: NDArray[np.uint8],
    text: str,
    position: tuple[int, int],
    size: int,
    color: Rgb,
    bold: bool = False,
    plate: Rgb | None = None,
) -> NDArray[np.uint8]:
    """A copy of ``image`` (H, W, 3) with ``text``, its upper left corner at ``position``, on a plate if wanted."""
    picture = Image.fromarray(image)
    canvas = ImageDraw.Draw(picture)
    font = _font(size, bold)
    if plate is not None:
        left, top, right, bottom = canvas.textbbox(position, text, font=font)
        canvas.rounded_rectangle((left - 6, top - 4, right + 6, bottom + 4), radius=4, fill=plate)
    canvas.text(position, text, font=font, fill=color)
    return np.array(picture, np.uint8)
