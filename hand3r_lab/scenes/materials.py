"""Materials as rows of one table, so that the shading loop can read them without Python objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Columns of the material table.
RED, GREEN, BLUE, TEXTURE, TEXTURE_STRENGTH, SPECULAR, SHININESS, SKIN = range(8)
COLUMNS = 8


@dataclass(frozen=True)
class Material:
    """How a surface reflects light."""

    colour: tuple[float, float, float]  # linear reflectance, 0..1
    texture: int = -1  # index in the texture bank, -1 = none
    texture_strength: float = 1.0  # 0 = plain colour, 1 = colour times texture
    specular: float = 0.05  # strength of the highlight
    shininess: float = 20.0  # exponent of the highlight, whole
    skin: bool = False

    def row(self) -> NDArray[np.float32]:
        """(8,) row of the material table."""
        return np.array(
            [*self.colour, self.texture, self.texture_strength, self.specular, self.shininess, float(self.skin)],
            np.float32,
        )
