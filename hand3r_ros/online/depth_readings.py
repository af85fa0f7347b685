"""Selects the valid pixels of a depth image and maps them to the pixels of the network's image.

Readings beyond a sensor's range, between two surfaces, alone among others, or with the number by which a sensor says
'nothing' count as none. A depth image that makes no sense as a whole is refused, with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hand3r_ros.online.preparation import ImageGeometry

NEAREST_READING, FARTHEST_READING = 0.1, 20.0
"""Metres; what depth cameras can measure."""
LEAST_READINGS = 100
"""Pixels of the network's image; fewer say nothing about a scale."""

_SURFACE_STEP = 0.08
"""Relative step of depth between neighbours on one surface."""
_FEWEST_ALIKE = 0.25
"""Share of the neighbours with a reading that lie on the same surface: less, and a reading is noise."""
_MOST_STRAY = 0.5
"""Share of the readings that may be noise or hang between surfaces."""

_FILL_VALUE_FROM = 8.0
"""Metres from which one and the same value at many pixels, with nothing near it, is the sensor's word for 'nothing'."""
_FILL_VALUE_SHARE, _FILL_VALUE_GAP = 0.01, 0.8

_ASPECT_TOLERANCE = 0.02
_DOWN = np.array([0, 0, 1, 0, -1, 1, 1, -1, -1])
_RIGHT = np.array([0, 1, 0, -1, 0, 1, -1, 1, -1])
"""A source pixel and those around it, in the order in which they stand in for it."""


class UnusableDepthError(Exception):
    """The depth image makes no sense as a whole; the message says why and what to do."""


@dataclass(frozen=True, eq=False)
class DepthReadings:
    """Readings at the pixels of the network's image."""

    depth: NDArray[np.float32]  # (h, w) m along z, 0 where there is none
    alike: NDArray[np.float32]  # (h, w) share of the neighbours with a reading that lie on the same surface

    def without(self, doubtful: NDArray[np.bool_]) -> DepthReadings:
        """The same without those of a mask (h, w)."""
        return replace(self, depth=np.where(doubtful, np.float32(0.0), self.depth))


def believable_readings(aligned: NDArray[np.floating], geometry: ImageGeometry) -> DepthReadings:
    """The readings of a depth image that is registered to the source image.

    Args:
        aligned: (H, W) m along z at the pixels of the source image, or of one with the same view and another
            resolution; 0 or not finite where nothing was measured.
        geometry: source image <-> network image.

    Raises:
        UnusableDepthError: another view, another unit, or next to no reading.

    """
    depth = _at_network(aligned, geometry)
    _check_units(depth[depth > 0.0])
    depth[(depth < NEAREST_READING) | (depth > FARTHEST_READING)] = 0.0
    _take_out_fill_value(depth)
    alike, between = _surroundings(depth)
    stray = between | (alike < _FEWEST_ALIKE)
    if np.count_nonzero(stray) > _MOST_STRAY * max(np.count_nonzero(depth), 1):
        raise UnusableDepthError(
            f'depth is noise: {np.count_nonzero(stray)} of {np.count_nonzero(depth)} readings lie on no surface that '
            'their neighbours lie on'
        )
    depth[stray] = 0.0
    count = np.count_nonzero(depth)
    if count < LEAST_READINGS:
        raise UnusableDepthError(
            f'depth has readings between {NEAREST_READING:g} and {FARTHEST_READING:g} m on a surface at only {count} '
            f'of {depth.size} pixels'
        )
    return DepthReadings(depth, alike)


def _at_network(aligned: NDArray[np.floating], geometry: ImageGeometry) -> NDArray[np.float32]:
    """(h, w) m, those of the source pixel nearest to a network pixel, or of its neighbours; 0 where there is none."""
    height, width = aligned.shape
    if abs(width * geometry.source_height / (height * geometry.source_width) - 1.0) > _ASPECT_TOLERANCE:
        raise UnusableDepthError(
            f'depth has {width} x {height} pixels, which is not the view of an image of {geometry.source_width} x '
            f'{geometry.source_height}: register it to the image'
        )
    own = replace(geometry, source_width=width, source_height=height)
    place = np.rint(own.to_source(np.stack([np.arange(max(own.width, own.height))] * 2, axis=-1))).astype(np.int64)
    found = np.zeros((own.height, own.width), np.float32)
    # Registered depth has seams and grids of empty pixels; where several source pixels fall on one of the network's,
    # any of them will do.
    around = 9 if width >= 2 * own.scaled_width else 1
    source = np.ascontiguousarray(aligned, np.float32)
    _gather(source, place[: own.height, 1], place[: own.width, 0], around, found)
    return found


def _check_units(values: NDArray[np.float32]) -> None:
    if len(values) < LEAST_READINGS:
        return
    middle = float(np.median(values))
    units = '32FC1 is in metres, 16UC1 in millimetres'
    if middle > 5.0 * FARTHEST_READING:
        raise UnusableDepthError(
            f'depth is {middle:g} m in the median, which looks like millimetres given as metres ({units})'
        )
    if middle < 0.2 * NEAREST_READING:
        raise UnusableDepthError(
            f'depth is {1e3 * middle:g} mm in the median, which looks like metres given as millimetres ({units})'
        )


def _take_out_fill_value(depth: NDArray[np.float32]) -> None:
    """Sets to 0 what has the largest value where many have exactly that one and nothing is near it."""
    largest = depth.max()
    if largest < _FILL_VALUE_FROM:
        return
    at_it = depth == largest
    near = np.count_nonzero((depth > _FILL_VALUE_GAP * largest) & ~at_it)
    count = np.count_nonzero(at_it)
    if count > _FILL_VALUE_SHARE * np.count_nonzero(depth) and near < 0.1 * count:
        depth[at_it] = 0.0


def _surroundings(depth: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Of each reading the share of its neighbours on the same surface, and whether it hangs between two surfaces."""
    alike, between = np.ones(depth.shape, np.float32), np.zeros(depth.shape, np.bool_)
    _look_around(depth, alike, between)
    return alike, between


@njit(cache=True)
def _gather(
    source: NDArray[np.float32],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    around: int,
    found: NDArray[np.float32],
) -> None:  # pragma: no cover  (compiled)
    """The first of so many pixels around each place that has a finite positive value, else 0."""
    height, width = source.shape
    for y in range(len(rows)):
        for x in range(len(columns)):
            for index in range(around):
                v = min(max(rows[y] + _DOWN[index], 0), height - 1)
                u = min(max(columns[x] + _RIGHT[index], 0), width - 1)
                value = source[v, u]
                if 0.0 < value < np.inf:
                    found[y, x] = value
                    break


@njit(cache=True)
def _look_around(
    depth: NDArray[np.float32], alike: NDArray[np.float32], between: NDArray[np.bool_]
) -> None:  # pragma: no cover  (compiled)
    height, width = depth.shape
    for y in range(height):
        for x in range(width):
            value = depth[y, x]
            if value <= 0.0:
                continue
            known, same, nearer, farther = 0, 0, False, False
            for v in range(max(y - 1, 0), min(y + 2, height)):
                for u in range(max(x - 1, 0), min(x + 2, width)):
                    other = depth[v, u]
                    if other <= 0.0 or (v == y and u == x):
                        continue
                    known += 1
                    if other < value * (1.0 - _SURFACE_STEP):
                        nearer = True
                    elif other > value * (1.0 + _SURFACE_STEP):
                        farther = True
                    else:
                        same += 1
            if known > 0:
                alike[y, x] = same / known
            between[y, x] = nearer and farther
