"""Colours and materials of a scene: what it is made of, drawn from the texture bank of its split."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hand3r_lab.scenes.materials import Material
from hand3r_lab.scenes.textures import TextureBank, hsv

Colour = tuple[float, float, float]

# Linear skin reflectances from light to dark.
_SKIN_TONES = np.array(
    [
        [0.72, 0.48, 0.37],
        [0.62, 0.38, 0.28],
        [0.52, 0.30, 0.20],
        [0.38, 0.20, 0.125],
        [0.25, 0.125, 0.075],
        [0.13, 0.065, 0.04],
    ]
)


class Palette:
    """Draws materials with one random generator and collects them into the scene's table."""

    def __init__(self, rng: np.random.Generator, bank: TextureBank) -> None:
        self.rng = rng
        self.bank = bank
        self._rows: list[NDArray[np.float32]] = []

    def add(self, material: Material) -> int:
        """Row of ``material`` in the table."""
        self._rows.append(material.row())
        return len(self._rows) - 1

    def table(self) -> NDArray[np.float32]:
        """(M, 8) all materials added so far."""
        return np.stack(self._rows)

    def texture(self, *kinds: str) -> int:
        """A random texture of one of the kinds."""
        options = self.bank.of_kind(*kinds)
        return options[int(self.rng.integers(len(options)))]

    def wood(self, shine: float = 0.08) -> Material:
        """Planks in their own colour."""
        return Material(self._grey(0.75, 1.0), self.texture('wood'), 1.0, self.rng.uniform(0.02, shine), 24.0)

    def wall(self) -> Material:
        """Painted plaster, sometimes tiles, wallpaper or panels."""
        kind = str(self.rng.choice(['plaster', 'tiles', 'pattern', 'wood', 'stone'], p=[0.62, 0.12, 0.16, 0.05, 0.05]))
        if kind in ('wood', 'pattern'):
            return Material(self._grey(0.6, 1.0), self.texture(kind), 1.0, 0.01)
        return Material(self.colour((0.0, 0.35), (0.35, 0.95)), self.texture(kind), 1.0, 0.01)

    def floor(self) -> Material:
        """Wood, tiles, stone, carpet or a rug."""
        kinds = ['wood', 'tiles', 'stone', 'fabric', 'carpet', 'pattern', 'marble']
        kind = str(self.rng.choice(kinds, p=[0.42, 0.18, 0.08, 0.1, 0.1, 0.07, 0.05]))
        if kind == 'wood':
            return self.wood()
        if kind == 'pattern':
            return Material(self._grey(0.6, 0.95), self.texture(kind), 1.0, 0.0)
        return Material(self.colour((0.0, 0.25), (0.3, 0.75)), self.texture(kind), 1.0, 0.03)

    def table_top(self) -> Material:
        """Mostly wood; else a laminate, stone or glossy top, or a cloth."""
        kinds = ['wood', 'stone', 'plaster', 'fabric', 'marble', 'pattern', 'plain']
        kind = str(self.rng.choice(kinds, p=[0.44, 0.08, 0.12, 0.12, 0.08, 0.1, 0.06]))
        if kind == 'wood':
            return self.wood(0.16)
        if kind == 'pattern':
            return Material(self._grey(0.6, 0.95), self.texture(kind), 1.0, self.rng.uniform(0.0, 0.15), 24.0)
        if kind == 'plain':  # white, black or coloured lacquer
            colour = self.colour((0.0, 0.5), (0.05, 0.95))
            return Material(colour, self.texture('plaster'), 0.3, self.rng.uniform(0.1, 0.4), 40.0)
        return Material(self.colour((0.0, 0.35), (0.25, 0.92)), self.texture(kind), 1.0, 0.05)

    def cloth(self) -> Material:
        """Clothing, cushions, napkins: woven, felted or patterned."""
        kind = str(self.rng.choice(['fabric', 'carpet', 'pattern', 'plaster'], p=[0.62, 0.08, 0.15, 0.15]))
        if kind == 'pattern':
            return Material(self._grey(0.4, 0.95), self.texture(kind), 1.0, 0.0)
        return Material(self.colour((0.02, 0.6), (0.03, 0.9)), self.texture(kind), 1.0, 0.0)

    def printed(self) -> Material:
        """Paper with print: book covers, labels, cartons, posters, photographs."""
        kind = str(self.rng.choice(['print', 'photo', 'pattern'], p=[0.55, 0.33, 0.12]))
        return Material(self._grey(0.7, 0.98), self.texture(kind), 1.0, self.rng.uniform(0.0, 0.15), 30.0)

    def glazed(self) -> Material:
        """Ceramics, plastics, enamel: plain colour with a highlight."""
        shine = self.rng.uniform(0.1, 0.5)
        return Material(self.colour((0.0, 0.75), (0.15, 0.9)), self.texture('plaster'), 0.5, shine, 60.0)

    def metal(self) -> Material:
        """Steel, brass or dark lacquer."""
        return Material(self.colour((0.0, 0.2), (0.1, 0.5)), -1, 0.0, self.rng.uniform(0.5, 0.9), 40.0)

    def skin(self) -> Material:
        """One person's skin."""
        tone = self.rng.uniform(0.0, len(_SKIN_TONES) - 1.0)
        low = min(int(tone), len(_SKIN_TONES) - 2)
        colour = _SKIN_TONES[low] + (tone - low) * (_SKIN_TONES[low + 1] - _SKIN_TONES[low])
        red, green, blue = colour * self.rng.uniform(0.9, 1.1, 3)
        return Material((red, green, blue), self.texture('skin'), 1.0, self.rng.uniform(0.03, 0.09), 14.0, skin=True)

    def colour(self, saturation: tuple[float, float], value: tuple[float, float]) -> Colour:
        """Any hue; muted ones are more frequent."""
        rng = self.rng
        share = rng.random() ** 1.5
        strong = saturation[0] + share * (saturation[1] - saturation[0])
        red, green, blue = hsv(rng.random(), strong, rng.uniform(*value))
        return float(red), float(green), float(blue)

    def _grey(self, low: float, high: float) -> Colour:
        value = float(self.rng.uniform(low, high))
        return value, value, value
