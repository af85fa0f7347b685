"""What a camera adds to a rendered picture: residual distortion, motion and lens blur, exposure, colour cast, noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from hand3r_lab.scenes.motion_blur import MAX_DISTORTION, resample

_GAMMA = 1.0 / 2.2
_CURVE_END = 2.0  # linear light that shows as white
_GRAINS = 65_536


@dataclass(frozen=True, eq=False)
class CameraEffects:
    """Settings of one sequence's camera; the defaults leave the picture as it is."""

    exposure: float = 1.0  # factor on linear light
    white_balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    vignette: float = 0.0  # loss of light in the corners, 0..1
    blur: float = 0.0  # standard deviation of the lens blur, pixels of a 320 pixel wide image
    noise: float = 0.0  # standard deviation at full brightness, 0..1
    shutter: float = 0.0  # exposure time, seconds
    distortion: float = 0.0  # residual, at the image corner, share of half the width (see ``motion_blur``)

    def apply(
        self, linear: NDArray[np.float32], seed: int, flow: NDArray[np.float32] | None = None
    ) -> NDArray[np.uint8]:
        """8-bit sRGB picture (H, W, 3) of linear light (H, W, 3).

        Args:
            linear: the ideal pinhole's picture.
            seed: decides the noise.
            flow: (H, W, 2) pixels that every pixel travels while the shutter is open; None = nothing moves.
        """
        linear = resample(linear, self.distortion, flow)
        sigma = self.blur * linear.shape[1] / 320.0
        image = np.asarray(cv2.GaussianBlur(linear, (0, 0), sigma), np.float32) if sigma > 0.2 else linear
        gain = np.asarray(self.white_balance, np.float64) * self.exposure
        out = np.empty(image.shape, np.uint8)
        _develop(image, gain, self.vignette, 255.0 * self.noise, np.uint64(seed), _TONE_CURVE, _GRAIN, out)
        return out


def random_effects(rng: np.random.Generator) -> CameraEffects:
    """An ordinary camera in good or bad light: some blur, noise, colour cast, vignetting and residual distortion."""
    warmth, tint = rng.normal(0.0, 0.07), rng.normal(0.0, 0.02)
    darkness = rng.random()  # in the dark the exposure is longer and the amplification stronger
    return CameraEffects(
        exposure=float(np.clip(np.exp(rng.normal(0.0, 0.24)), 0.5, 1.8)),
        white_balance=(float(1.0 + warmth), float(1.0 + tint), float(1.0 - warmth)),
        vignette=float(rng.uniform(0.0, 0.45)),
        blur=float(rng.uniform(0.2, 0.8)),
        noise=float(0.003 + 0.025 * darkness**2 * rng.uniform(0.4, 1.0)),
        shutter=float(np.exp(rng.uniform(np.log(1.0 / 250.0), np.log(1.0 / 30.0)))),
        distortion=float(rng.uniform(-MAX_DISTORTION, MAX_DISTORTION)),
    )


def _grain() -> NDArray[np.float32]:
    """(65536,) numbers of a standard normal distribution, from which the noise of every pixel is picked."""
    return np.random.default_rng(20_011).standard_normal(_GRAINS).astype(np.float32)


def _tone_curve() -> NDArray[np.float32]:
    """(1025,) display value 0..255 over the square root of linear light 0..2: soft shoulder from 0.7 on, then sRGB."""
    linear = (np.linspace(0.0, 1.0, 1025) * np.sqrt(_CURVE_END)) ** 2
    bright = np.maximum(linear - 0.7, 0.0)
    compressed = np.minimum(linear, 0.7) + bright / (1.0 + 2.6 * bright)
    return (np.clip(compressed, 0.0, 1.0) ** _GAMMA * 255.0).astype(np.float32)


@njit(cache=True, fastmath=True, error_model='numpy')
def _develop(
    linear: NDArray[np.float32],
    gain: NDArray[np.float64],
    vignette: float,
    noise: float,
    seed: np.uint64,
    curve: NDArray[np.float32],
    grain: NDArray[np.float32],
    out: NDArray[np.uint8],
) -> None:
    height, width = linear.shape[:2]
    steps = curve.shape[0] - 1
    state = seed * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x632BE59BD9B4E019)
    for v in range(height):
        y = 2.0 * v / height - 1.0
        for u in range(width):
            x = 2.0 * u / width - 1.0
            light = 1.0 - 0.5 * vignette * (x * x + y * y)
            state ^= state >> np.uint64(12)  # xorshift64*
            state ^= state << np.uint64(25)
            state ^= state >> np.uint64(27)
            bits = (state * np.uint64(0x2545F4914F6CDD1D)) >> np.uint64(8)
            for k in range(3):
                value = max(linear[v, u, k] * gain[k] * light, 0.0)
                position = min(math.sqrt(value / _CURVE_END), 0.99999) * steps
                index = int(position)
                level = curve[index] + (curve[index + 1] - curve[index]) * (position - index)
                level += noise * grain[(bits >> np.uint64(16 * k)) & np.uint64(_GRAINS - 1)]
                out[v, u, k] = np.uint8(min(max(level + 0.5, 0.0), 255.0))


_TONE_CURVE = _tone_curve()
_GRAIN = _grain()
