"""Corner features: distributed over the image, and tracked from one image to the next (OpenCV)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_LARGEST_RETURN_ERROR = 0.7
"""Pixels by which a feature may miss its start when it is tracked forward and back."""

_LEVELS, _LEVELS_WITH_START = 4, 2
"""Of the image pyramid: with a good start small images have nothing to add, and may lead away from it."""

_GRID = (6, 8)
"""Rows and columns of cells over which features are spread."""


def new_features(gray: NDArray[np.uint8], taken: NDArray[np.float32], wanted: int) -> NDArray[np.float32]:
    """Corners (N, 2) away from those already ``taken`` (M, 2), so that M + N is about ``wanted``.

    Every cell of a grid gets its share: one richly textured thing, which may be the one that moves, must not
    outnumber the rest of the scene.
    """
    height, width = gray.shape
    spacing = max(3, round(max(height, width) / 80))
    free = np.full(gray.shape, 255, np.uint8)
    for x, y in taken:
        cv2.circle(free, (round(float(x)), round(float(y))), spacing, (0,), -1)
    corners = cv2.goodFeaturesToTrack(gray, 4 * wanted, 0.003, spacing, mask=free)
    if corners is None:
        return np.zeros((0, 2), np.float32)
    pixels = np.asarray(corners, np.float32).reshape(-1, 2)  # strongest first
    share = max(1, round(wanted / (_GRID[0] * _GRID[1]) * 1.5))
    room = np.full(_GRID[0] * _GRID[1], share)
    np.subtract.at(room, _cells(taken, width, height), 1)
    chosen = []
    for index, cell in enumerate(_cells(pixels, width, height)):
        if room[cell] > 0:
            room[cell] -= 1
            chosen.append(index)
    return pixels[chosen[: max(0, wanted - len(taken))]]


def follow(
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    pixels: NDArray[np.float32],
    start: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Where pixels (N, 2) of the first image are in the second (N, 2), and which of them (N,) were surely found.

    Pyramidal Lucas-Kanade, checked backwards. The search begins at ``start`` (N, 2), else where the pixels were.
    """
    if not len(pixels):
        return pixels, np.zeros(0, bool)
    levels = _LEVELS if start is None else _LEVELS_WITH_START
    start = pixels if start is None else start
    moved, found = _flow(first, second, pixels, start, levels)
    back, returned = _flow(second, first, moved, moved + (pixels - start), levels)
    good = found & returned & (np.linalg.norm(back - pixels, axis=1) < _LARGEST_RETURN_ERROR)
    limit = np.array([second.shape[1] - 1, second.shape[0] - 1])
    return moved, good & ((moved >= 0) & (moved <= limit)).all(axis=1)


def _cells(pixels: NDArray[np.float32], width: int, height: int) -> NDArray[np.int64]:
    """(N,) grid cell of each pixel (N, 2)."""
    rows, columns = _GRID
    column = np.clip(pixels[:, 0] * columns / width, 0, columns - 1).astype(np.int64)
    row = np.clip(pixels[:, 1] * rows / height, 0, rows - 1).astype(np.int64)
    return row * columns + column


def _flow(
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    pixels: NDArray[np.float32],
    start: NDArray[np.float32],
    levels: int,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Where pixels (N, 2) of the first image are in the second (N, 2), and which of them (N,) were found."""
    guess = start.reshape(-1, 1, 2).copy()
    moved, found, _ = cv2.calcOpticalFlowPyrLK(
        first,
        second,
        pixels.reshape(-1, 1, 2),
        guess,
        winSize=(21, 21),
        maxLevel=levels,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    return np.asarray(moved, np.float32).reshape(-1, 2), np.asarray(found).ravel() == 1
