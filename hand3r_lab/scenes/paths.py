"""Smooth random curves over the frames of a sequence."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline, PchipInterpolator

Array = NDArray[np.float64]


def wander(rng: np.random.Generator, frames: int, scale: ArrayLike, period: float) -> Array:
    """(frames, D) smooth noise of standard deviation ``scale`` (D,); it turns about every ``period`` frames."""
    spread = np.atleast_1d(np.asarray(scale, float))
    keys = max(4, int(np.ceil(frames / period)) + 3)
    values = rng.normal(0.0, 1.0, (keys, len(spread))) * spread
    return CubicSpline(np.linspace(0.0, max(frames - 1, 1), keys), values)(np.arange(frames))


def key_count(frames: int, period: float) -> int:
    """How many keys ``through`` needs so that one lasts about ``period`` frames; at least two."""
    return max(2, round(frames / period) + 1)


def through(keys: ArrayLike, frames: int) -> Array:
    """(frames, ...) curve through evenly spaced keys (K, ...), without overshoot."""
    keys = np.asarray(keys, float)
    if len(keys) == 1 or frames == 1:
        return np.repeat(keys[:1], frames, axis=0)
    times = np.linspace(0.0, frames - 1.0, len(keys))
    return PchipInterpolator(times, keys, axis=0)(np.arange(frames))


def ease(frames: int, start: float, duration: float) -> Array:
    """(frames,) 0 before frame ``start``, 1 after ``start + duration``, smooth between."""
    t = np.clip((np.arange(frames) - start) / max(duration, 1e-6), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def unit(vectors: ArrayLike) -> Array:
    """Vectors (..., 3) divided by their length."""
    vectors = np.asarray(vectors, float)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def cross(first: ArrayLike, second: ArrayLike) -> Array:
    """Cross products (..., 3) of two arrays of vectors; much quicker than numpy's for short arrays."""
    a, b = np.asarray(first, float), np.asarray(second, float)
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)
