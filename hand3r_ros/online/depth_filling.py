"""Fills pixels without a value from the border of each hole, along similar colours.

A hole is closed ring by ring from its border; every pixel takes the mean of its known neighbours, weighted by how
similar they are in colour. So a surface goes on under the hole as far as its colour does, and a step of depth stays
where the image has an edge, instead of being smeared over the hole.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

_COLOR_DIFFERENCE = 25.0
"""Distance of two colours (0 to 255) at which a neighbour counts a third of one with the same."""
_DIFFERENT_COLOR = 1e-4
"""What one counts that has nothing in common, where there is no other."""


def filled(values: NDArray[np.floating], known: NDArray[np.bool_], image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Values everywhere (h, w), those that are known as they are.

    Args:
        values: (h, w), finite where known.
        known: (h, w), True at least once.
        image: (h, w, 3) RGB of the same pixels.

    """
    result = np.where(known, values, 0.0).astype(np.float32)
    _fill(result, np.array(known), np.ascontiguousarray(image))
    return result


@njit(cache=True)
def _fill(
    values: NDArray[np.float32], known: NDArray[np.bool_], image: NDArray[np.uint8]
) -> None:  # pragma: no cover  (compiled)
    height, width = values.shape
    queued = known.copy()
    queue = np.empty(height * width, np.int32)
    count = 0
    for y in range(height):
        for x in range(width):
            if not known[y, x]:
                continue
            for v in range(max(y - 1, 0), min(y + 2, height)):
                for u in range(max(x - 1, 0), min(x + 2, width)):
                    if not queued[v, u]:
                        queued[v, u] = True
                        queue[count] = v * width + u
                        count += 1
    first = 0
    while first < count:
        last = count  # one ring, from what was known before it
        for index in range(first, last):
            y, x = queue[index] // width, queue[index] % width
            total, weights = 0.0, 0.0
            for v in range(max(y - 1, 0), min(y + 2, height)):
                for u in range(max(x - 1, 0), min(x + 2, width)):
                    if not known[v, u]:
                        continue
                    square = 0.0
                    for channel in range(3):
                        step = float(image[y, x, channel]) - float(image[v, u, channel])
                        square += step * step
                    weight = _DIFFERENT_COLOR + np.exp(-square / (_COLOR_DIFFERENCE * _COLOR_DIFFERENCE))
                    if v != y and u != x:
                        weight *= 0.5
                    total += weight * values[v, u]
                    weights += weight
            values[y, x] = total / weights
        for index in range(first, last):
            y, x = queue[index] // width, queue[index] % width
            known[y, x] = True
            for v in range(max(y - 1, 0), min(y + 2, height)):
                for u in range(max(x - 1, 0), min(x + 2, width)):
                    if not queued[v, u]:
                        queued[v, u] = True
                        queue[count] = v * width + u
                        count += 1
        first = last
