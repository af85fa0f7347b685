"""What a camera adds to a rendered picture: lens blur, exposure, white balance, vignetting and noise."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_GAMMA = 1.0 / 2.2


@dataclass(frozen=True, eq=False)
class CameraEffects:
    """Settings of one sequence's camera; the defaults leave the picture as it is."""

    exposure: float = 1.0  # factor on linear light
    white_balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    vignette: float = 0.0  # loss of light in the corners, 0..1
    blur: float = 0.0  # standard deviation of the lens blur, pixels of a 320 pixel wide image
    noise: float = 0.0  # standard deviation at full brightness, 0..1

    def apply(self, linear: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint8]:
        """8-bit sRGB picture (H, W, 3) of linear light (H, W, 3)."""
        height, width = linear.shape[:2]
        image = linear
        sigma = self.blur * width / 320.0
        if sigma > 0.2:
            image = cv2.GaussianBlur(image, (0, 0), sigma)
        gain = np.asarray(self.white_balance, np.float32) * np.float32(self.exposure)
        image = image * gain
        if self.vignette > 0.0:
            x = np.linspace(-1.0, 1.0, width, dtype=np.float32)
            y = np.linspace(-1.0, 1.0, height, dtype=np.float32)
            image *= (1.0 - 0.5 * self.vignette * (x[None] ** 2 + y[:, None] ** 2))[..., None]
        image = cv2.pow(np.clip(_roll_off(image), 0.0, 1.0), _GAMMA) * np.float32(255.0)
        if self.noise > 0.0:
            grain = rng.standard_normal(image.shape, np.float32)
            image += grain * np.float32(255.0 * self.noise)
        return np.clip(image + 0.5, 0.0, 255.0).astype(np.uint8)


def random_effects(rng: np.random.Generator) -> CameraEffects:
    """An ordinary camera: a little blur, noise and colour cast."""
    warmth = rng.normal(0.0, 0.05)
    return CameraEffects(
        exposure=float(np.exp(rng.normal(0.05, 0.16))),
        white_balance=(float(1.0 + warmth), 1.0, float(1.0 - warmth)),
        vignette=float(rng.uniform(0.0, 0.35)),
        blur=float(rng.uniform(0.25, 0.7)),
        noise=float(rng.uniform(0.003, 0.018)),
    )


def _roll_off(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compresses light above 0.7 softly towards 1, as cameras do."""
    bright = np.maximum(linear - np.float32(0.7), 0.0)
    return np.minimum(linear, np.float32(0.7)) + bright / (1.0 + bright * np.float32(3.3))
