"""Procedural textures: wood, plaster, fabric, stone, patterns, prints, skin; drawn once per process and split.

Colours are sRGB bytes. Grey-scale kinds vary around a bright mean and take their hue from the material's colour. Every
texture repeats without a seam. A bank also holds the reduced levels (mip levels) that the shading samples far away.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from hand3r_lab.scenes.splits import POOLS

SIZE = 256
LEVELS = 7  # 256, 128, ..., 4 pixels

Image = NDArray[np.float64]  # (SIZE, SIZE) or (SIZE, SIZE, 3), 0..1


@dataclass(frozen=True, eq=False)
class TextureBank:
    """All textures of one split; a texture's name is its row in ``kinds``."""

    pixels: NDArray[np.uint8]  # all levels of all textures, one after the other
    level_offsets: NDArray[np.int64]  # (LEVELS,) where a level starts in ``pixels``; a level holds (T, S, S, 3)
    kinds: tuple[str, ...]  # (T,) kind of every texture

    def of_kind(self, *kinds: str) -> tuple[int, ...]:
        """Indices of the textures of the given kinds."""
        return tuple(number for number, kind in enumerate(self.kinds) if kind in kinds)


@lru_cache(maxsize=POOLS)
def texture_bank(seed: int) -> TextureBank:
    """The bank that ``seed`` draws; kept for the life of the process (about a second to draw)."""
    rng = np.random.default_rng([seed, 11])
    images, kinds = [], []
    for kind, (draw, count) in _KINDS.items():
        for _ in range(count):
            image = draw(rng)
            image = np.repeat(image[..., None], 3, axis=-1) if image.ndim == 2 else image
            images.append((np.clip(image, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8))
            kinds.append(kind)
    level = np.stack(images)
    levels = []
    for _ in range(LEVELS):
        levels.append(level)
        level = _halved(level)
    offsets = np.cumsum([0, *(one.size for one in levels[:-1])])
    return TextureBank(np.concatenate([one.reshape(-1) for one in levels]), offsets.astype(np.int64), tuple(kinds))


def _halved(level: NDArray[np.uint8]) -> NDArray[np.uint8]:
    total = level[:, ::2, ::2].astype(np.uint16) + level[:, 1::2, ::2] + level[:, ::2, 1::2] + level[:, 1::2, 1::2]
    return ((total + 2) // 4).astype(np.uint8)


def hsv(hue: float, saturation: float, value: float) -> NDArray[np.float64]:
    """(3,) RGB of a hue (0..1, wraps), saturation and value."""
    return np.array(colorsys.hsv_to_rgb(hue % 1.0, saturation, value))


def smooth_noise(rng: np.random.Generator, cells: int | tuple[int, int]) -> Image:
    """Seamless noise 0..1 whose features are 1 / cells of the texture (rows, columns)."""
    rows, columns = (cells, cells) if isinstance(cells, int) else cells
    grid = np.pad(rng.random((rows, columns)), 3, mode='wrap').astype(np.float32)
    step_r, step_c = SIZE / rows, SIZE / columns
    x = (np.arange(SIZE, dtype=np.float32) / step_c + 3.0)[None].repeat(SIZE, 0)
    y = (np.arange(SIZE, dtype=np.float32) / step_r + 3.0)[:, None].repeat(SIZE, 1)
    return cv2.remap(grid, x, y, cv2.INTER_CUBIC).astype(float)


def fractal_noise(rng: np.random.Generator, cells: int = 4, octaves: int = 5, gain: float = 0.5) -> Image:
    """Sum of ``octaves`` noises, each twice as fine and ``gain`` times as strong; mean about 0.5."""
    total, weight_sum = np.zeros((SIZE, SIZE)), 0.0
    for octave in range(octaves):
        if cells * 2**octave > SIZE:
            break
        weight = gain**octave
        total += weight * smooth_noise(rng, cells * 2**octave)
        weight_sum += weight
    return total / weight_sum


def draw_wood(rng: np.random.Generator) -> Image:
    """Planks with long grain, in one brown."""
    light = hsv(rng.uniform(0.055, 0.10), rng.uniform(0.25, 0.55), rng.uniform(0.55, 0.92))
    dark = light * rng.uniform(0.62, 0.82)
    planks = int(rng.integers(1, 5))
    row = np.arange(SIZE) * planks // SIZE
    grain = np.zeros((SIZE, SIZE))
    for rows, columns, weight in ((16, 2, 0.5), (64, 2, 0.35), (128, 4, 0.25), (256, 16, 0.12)):
        noise = smooth_noise(rng, (rows, columns))
        for plank in range(planks):  # every plank is cut from another piece
            noise[row == plank] = np.roll(noise[row == plank], int(rng.integers(SIZE)), axis=1)
        grain += weight * (noise - 0.5)
    rings = 0.5 + 0.5 * np.sin(2.0 * np.pi * (smooth_noise(rng, (6, 2)) * 4.0 + grain))
    mix = np.clip(0.35 + 0.9 * grain + 0.25 * (rings - 0.5), 0.0, 1.0)[..., None]
    image = light + (dark - light) * mix
    image = image * rng.uniform(0.9, 1.06, planks)[row][:, None, None]
    if planks > 1:
        gap = np.abs((np.arange(SIZE) + 0.5) * planks / SIZE % 1.0 - 0.5) > 0.5 - 0.6 * planks / SIZE
        image[gap] *= 0.6
    return image


def draw_plaster(rng: np.random.Generator) -> Image:
    """Painted wall: faint stains and fine grain."""
    stains = fractal_noise(rng, 2, 4) - 0.5
    grain = fractal_noise(rng, 32, 3, 0.8) - 0.5
    return 0.9 + rng.uniform(0.05, 0.2) * stains + rng.uniform(0.05, 0.16) * grain


def draw_fabric(rng: np.random.Generator) -> Image:
    """Woven threads with slight creases; sometimes a subtle stripe or check."""
    threads = int(rng.choice([32, 64]))
    phase = 2.0 * np.pi * np.arange(SIZE) * threads / SIZE
    weave = 0.5 * np.sin(phase)[None, :] + 0.5 * np.sin(phase)[:, None]
    image = 0.84 + 0.06 * weave + 0.16 * (fractal_noise(rng, 3, 5) - 0.5) + 0.08 * (smooth_noise(rng, 128) - 0.5)
    pattern = rng.random()
    if pattern < 0.45:
        bands = int(rng.choice([3, 4, 6, 8]))
        stripe = (np.arange(SIZE) * bands / SIZE % 1.0 < rng.uniform(0.15, 0.5)).astype(float)
        depth = rng.uniform(0.08, 0.3)
        image *= 1.0 - depth * stripe[None, :]
        if pattern < 0.25:
            image *= 1.0 - depth * stripe[:, None]
    return image


def draw_tiles(rng: np.random.Generator) -> Image:
    """Square or brick-bonded tiles with pale joints."""
    rows = int(rng.choice([2, 4, 6]))
    columns = rows if rng.random() < 0.6 else rows // 2
    y = (np.arange(SIZE) + 0.5) * rows / SIZE
    x = (np.arange(SIZE) + 0.5) * columns / SIZE
    row = y.astype(int)
    shift = 0.5 * (row % 2) if columns != rows else np.zeros(SIZE)
    column = x[None, :] + shift[:, None]
    tone = rng.uniform(0.82, 0.98, (rows, columns))[row[:, None], column.astype(int) % columns]
    image = tone + 0.1 * (fractal_noise(rng, 8, 4) - 0.5)
    joint = 0.5 - rng.uniform(0.8, 1.8) * rows / SIZE
    edge = (np.abs(y % 1.0 - 0.5)[:, None] > joint) | (
        np.abs(column % 1.0 - 0.5) > 0.5 - (0.5 - joint) * columns / rows
    )
    image[edge] = rng.uniform(0.6, 0.75)
    return image


def draw_stone(rng: np.random.Generator) -> Image:
    """Speckled counter top or terrazzo."""
    image = 0.88 + 0.16 * (fractal_noise(rng, 4, 5, 0.5) - 0.5)
    for cells, amount in ((64, 0.10), (128, 0.09)):
        speckle = smooth_noise(rng, cells)
        image -= amount * np.clip((speckle - 0.62) / 0.1, 0.0, 1.0)
        image += 0.7 * amount * np.clip((0.3 - speckle) / 0.1, 0.0, 1.0)
    return image


def draw_print(rng: np.random.Generator) -> Image:
    """Cover, label or poster: a paper colour, a few blocks, lines of text."""
    hue = rng.random()
    paper = hsv(hue + rng.uniform(-0.05, 0.05), 0.55 * rng.random() ** 2, rng.uniform(0.55, 0.97))
    ink = hsv(hue + rng.choice([0.0, 0.5]) + rng.uniform(-0.08, 0.08), rng.uniform(0.3, 0.75), rng.uniform(0.2, 0.7))
    dark = hsv(rng.random(), 0.25, rng.uniform(0.08, 0.25))
    image = np.tile(paper, (SIZE, SIZE, 1))
    for _ in range(int(rng.integers(1, 4))):
        x, y = rng.integers(8, 150, 2)
        w, h = rng.integers(30, 200), rng.integers(15, 110)
        cv2.rectangle(
            image, (int(x), int(y)), (int(min(x + w, 248)), int(min(y + h, 248))), _blend(rng, ink, paper), -1
        )
    if rng.random() < 0.6:
        centre = (int(rng.integers(60, 196)), int(rng.integers(50, 180)))
        cv2.circle(image, centre, int(rng.integers(18, 52)), _blend(rng, ink[::-1], paper), -1, cv2.LINE_AA)
    y = int(rng.integers(20, 120))
    for _ in range(int(rng.integers(2, 9))):
        _draw_text_line(rng, image, int(rng.integers(16, 40)), y, int(rng.integers(4, 12)), dark)
        y += int(rng.integers(14, 26))
        if y > 240:
            break
    return image * (0.94 + 0.12 * fractal_noise(rng, 4, 4))[..., None]


def _blend(rng: np.random.Generator, a: NDArray, b: NDArray) -> tuple[float, float, float]:
    share = rng.uniform(0.45, 1.0)
    red, green, blue = share * a + (1.0 - share) * b
    return float(red), float(green), float(blue)


def _draw_text_line(rng: np.random.Generator, image: Image, left: int, top: int, height: int, colour: NDArray) -> None:
    right = int(rng.integers(left + 50, 244))
    x = left
    while x < right - height:
        word = int(rng.integers(2 * height, 6 * height))
        end = min(x + word, right)
        for start in range(x, end, max(3, height * 2 // 3)):  # strokes, not a bar: text from afar
            stroke = int(rng.integers(1, max(2, height // 3) + 1))
            image[top : min(top + height, SIZE), start : start + stroke] = colour
        x = end + height


def draw_marble(rng: np.random.Generator) -> Image:
    """Stone with veins."""
    warp = fractal_noise(rng, 2, 5, 0.55)
    veins = np.abs(2.0 * ((warp * rng.uniform(3.0, 7.0)) % 1.0) - 1.0)
    fine = np.abs(2.0 * ((fractal_noise(rng, 4, 4) * 6.0) % 1.0) - 1.0)
    image = 0.95 - rng.uniform(0.15, 0.5) * np.clip(1.0 - 5.0 * veins, 0.0, 1.0)
    return image - 0.12 * np.clip(1.0 - 6.0 * fine, 0.0, 1.0) + 0.1 * (fractal_noise(rng, 8, 4) - 0.5)


def draw_pattern(rng: np.random.Generator) -> Image:
    """Wallpaper, oilcloth or rug: a motif in two or three colours, repeated."""
    repeats = int(rng.choice([2, 4, 8]))
    cell = SIZE // repeats
    hue = rng.random()
    ground = hsv(hue, 0.5 * rng.random() ** 1.5, rng.uniform(0.35, 0.98))
    image = np.tile(ground, (cell, cell, 1))
    for _ in range(int(rng.integers(1, 4))):
        ink = _blend(
            rng, hsv(hue + rng.choice([0.0, 0.08, 0.5]), rng.uniform(0.1, 0.7), rng.uniform(0.1, 0.95)), ground
        )
        centre = tuple(int(x) for x in rng.integers(cell // 4, 3 * cell // 4 + 1, 2))
        size = int(rng.integers(max(cell // 10, 2), cell // 3 + 1))
        kind = rng.random()
        if kind < 0.4:
            cv2.ellipse(
                image, centre, (size, int(size * rng.uniform(0.3, 1.0)) + 1), rng.uniform(0, 180), 0, 360, ink, -1
            )
        elif kind < 0.7:
            corners = np.array(centre) + rng.integers(-size, size + 1, (int(rng.integers(3, 6)), 2))
            cv2.fillPoly(image, [corners.astype(np.int32)], ink)
        else:
            width = int(rng.integers(1, max(cell // 12, 2) + 1))
            image[:, centre[0] : centre[0] + width] = ink
            if rng.random() < 0.5:
                image[centre[1] : centre[1] + width] = ink
    return np.tile(image, (repeats, repeats, 1)) * (0.93 + 0.14 * fractal_noise(rng, 4, 5))[..., None]


def draw_photo(rng: np.random.Generator) -> Image:
    """Photograph, painting or busy packaging: gradients, patches of many colours and sharp shapes."""
    image = np.zeros((SIZE, SIZE, 3))
    low, high = hsv(rng.random(), rng.uniform(0.1, 0.7), rng.uniform(0.1, 0.6)), rng.uniform(0.4, 1.0, 3)
    mix = fractal_noise(rng, 2, 5, 0.55)[..., None]
    mix = np.clip((mix - 0.5) * 2.2 + np.linspace(0.9, 0.1, SIZE)[:, None, None], 0.0, 1.0)
    image += low * (1.0 - mix) + high * mix
    for _ in range(int(rng.integers(4, 16))):
        ink = _blend(rng, hsv(rng.random(), rng.uniform(0.1, 0.9), rng.uniform(0.1, 1.0)), low)
        centre = rng.integers(20, SIZE - 20, 2)
        size = int(rng.integers(6, 60))
        if rng.random() < 0.5:
            axes = (size, int(size * rng.uniform(0.3, 1.0)) + 1)
            cv2.ellipse(
                image, (int(centre[0]), int(centre[1])), axes, rng.uniform(0, 180), 0, 360, ink, -1, cv2.LINE_AA
            )
        else:
            corners = np.clip(centre + rng.integers(-size, size + 1, (int(rng.integers(3, 7)), 2)), 2, SIZE - 3)
            cv2.fillPoly(image, [corners.astype(np.int32)], ink)
    return image * (0.8 + 0.4 * fractal_noise(rng, 8, 5))[..., None]


def draw_carpet(rng: np.random.Generator) -> Image:
    """Pile, felt or sponge: strong fine grain with soft spots."""
    grain = fractal_noise(rng, 64, 3, 0.9) - 0.5
    return 0.72 + rng.uniform(0.4, 1.0) * grain + 0.3 * (fractal_noise(rng, 4, 4) - 0.5)


def draw_skin(rng: np.random.Generator) -> Image:
    """Mottled skin: brightness 0..1 around 0.5, used as a modulation of the skin colour."""
    blotches = fractal_noise(rng, 4, 4, 0.6) - 0.5
    pores = smooth_noise(rng, 128) - 0.5
    return 0.5 + 0.8 * blotches + 0.25 * pores


_KINDS: dict[str, tuple[Callable[[np.random.Generator], Image], int]] = {
    'skin': (draw_skin, 4),
    'wood': (draw_wood, 12),
    'plaster': (draw_plaster, 6),
    'fabric': (draw_fabric, 12),
    'tiles': (draw_tiles, 6),
    'stone': (draw_stone, 6),
    'print': (draw_print, 30),
    'marble': (draw_marble, 5),
    'pattern': (draw_pattern, 16),
    'photo': (draw_photo, 18),
    'carpet': (draw_carpet, 4),
}
