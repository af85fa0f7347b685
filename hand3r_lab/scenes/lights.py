"""The light of a scene: daylight from any side, overcast sky, warm or cold lamps, a dim evening."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hand3r_lab.scenes.shading import Lighting
from hand3r_lab.scenes.textures import hsv

Range = tuple[float, float]

_USUAL_LIGHT = 1.25  # on a table under an ordinary lamp or window, linear light


@dataclass(frozen=True)
class Glow:
    """Ranges of a light's colour: hue and saturation 0..1, strength in linear light."""

    hue: Range
    saturation: Range
    strength: Range

    def draw(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """(3,) linear colour."""
        return hsv(rng.uniform(*self.hue), rng.uniform(*self.saturation), 1.0) * rng.uniform(*self.strength)


@dataclass(frozen=True)
class LightKind:
    """One kind of light."""

    share: float  # how often
    elevation: Range  # degrees of the sun or of the main lamp
    sun: Glow
    sky: Glow
    ground: Range  # strength of the light from below
    lamp: Range  # strength of a second lamp without shadows


KINDS: dict[str, LightKind] = {
    'daylight': LightKind(
        share=0.30,
        elevation=(40.0, 75.0),
        sun=Glow((0.07, 0.14), (0.0, 0.2), (0.5, 1.25)),
        sky=Glow((0.5, 0.65), (0.0, 0.12), (0.3, 0.5)),
        ground=(0.16, 0.3),
        lamp=(0.0, 0.4),
    ),
    'side window': LightKind(
        share=0.22,
        elevation=(16.0, 38.0),
        sun=Glow((0.06, 0.16), (0.0, 0.3), (0.6, 1.4)),
        sky=Glow((0.5, 0.68), (0.0, 0.2), (0.16, 0.36)),
        ground=(0.08, 0.2),
        lamp=(0.0, 0.2),
    ),
    'overcast': LightKind(
        share=0.14,
        elevation=(50.0, 85.0),
        sun=Glow((0.5, 0.65), (0.0, 0.1), (0.05, 0.3)),
        sky=Glow((0.52, 0.64), (0.0, 0.14), (0.5, 0.85)),
        ground=(0.25, 0.45),
        lamp=(0.0, 0.2),
    ),
    'warm lamp': LightKind(
        share=0.14,
        elevation=(45.0, 80.0),
        sun=Glow((0.07, 0.11), (0.3, 0.6), (0.35, 0.9)),
        sky=Glow((0.06, 0.12), (0.1, 0.4), (0.14, 0.3)),
        ground=(0.08, 0.2),
        lamp=(0.3, 1.2),
    ),
    'cold lamp': LightKind(
        share=0.10,
        elevation=(60.0, 88.0),
        sun=Glow((0.48, 0.62), (0.05, 0.25), (0.4, 0.9)),
        sky=Glow((0.5, 0.65), (0.05, 0.2), (0.2, 0.45)),
        ground=(0.1, 0.25),
        lamp=(0.0, 0.8),
    ),
    'dim': LightKind(
        share=0.10,
        elevation=(20.0, 70.0),
        sun=Glow((0.05, 0.65), (0.0, 0.35), (0.1, 0.4)),
        sky=Glow((0.5, 0.7), (0.0, 0.25), (0.08, 0.18)),
        ground=(0.04, 0.1),
        lamp=(0.0, 0.3),
    ),
}
"""Kinds of light by name."""


def automatic_exposure(lighting: Lighting) -> float:
    """Factor by which a camera brightens a scene: it evens out most, not all, of the difference between lights."""
    overhead = lighting.sun_colour * lighting.sun_direction[2] + lighting.sky_colour + 0.3 * lighting.fill_colour
    return float((_USUAL_LIGHT / overhead.mean()) ** 0.65)


def choose_light(rng: np.random.Generator, table_height: float) -> Lighting:
    """The lights over a table whose top is ``table_height`` metres above the floor."""
    shares = np.array([kind.share for kind in KINDS.values()])
    kind = list(KINDS.values())[rng.choice(len(shares), p=shares / shares.sum())]
    azimuth, elevation = rng.uniform(0.0, 2.0 * np.pi), np.deg2rad(rng.uniform(*kind.elevation))
    direction = [np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)]
    return Lighting(
        sun_direction=np.array(direction),
        sun_colour=kind.sun.draw(rng),
        sky_colour=kind.sky.draw(rng),
        ground_colour=Glow((0.04, 0.14), (0.05, 0.3), kind.ground).draw(rng),
        fill_position=np.array([rng.uniform(-1.2, 1.2), rng.uniform(-0.5, 1.0), rng.uniform(1.3, 2.2)]),
        fill_colour=Glow((0.05, 0.13), (0.05, 0.35), kind.lamp).draw(rng),
        shadow_centre=np.array([0.0, 0.3, table_height]),
    )
