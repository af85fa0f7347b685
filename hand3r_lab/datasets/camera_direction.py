"""Decides from depth images whether a camera path maps camera to world or the other way round.

Loaders of HOI4D's paths disagree about it. With the right direction, points seen in one frame land on the surface
that another frame sees; with the wrong one they miss it as soon as the camera has moved.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hand3r_lab.datasets.videos import Frames
from hand3r_ros.geometry import Intrinsics, invert_transform, project_points, transform_points, unproject_depth

_PAIRS = 4
_STRIDE = 8  # pixels: enough points, cheap
_CLEARLY = 0.7  # one error is this much smaller than the other


def direction_of(poses: NDArray[np.float64], depth: Frames, published: Intrinsics) -> str:
    """'camera to world', 'world to camera', or 'undecided' where the camera hardly moves or little is seen twice.

    Args:
        poses: (T, 4, 4) as in the file.
        depth: metric depth images by frame number.
        published: camera of the full-size image.

    Raises:
        CorruptSampleError: a depth image cannot be read.
    """
    count = min(len(poses), len(depth))
    starts = np.linspace(0, max(count - 2, 0), _PAIRS).astype(int)
    pairs = [(int(start), min(int(start) + max(count // 4, 1), count - 1)) for start in starts]
    as_written: list[float] = []
    inverted: list[float] = []
    for first, second in pairs:
        images = [depth.read(index) for index in (first, second)]
        height, width = images[0].shape
        intrinsics = published.resized(width, height)
        for errors, T in ((as_written, poses), (inverted, invert_transform(poses))):
            T_second_first = invert_transform(T[second]) @ T[first]
            errors.append(_surface_error(images[0], images[1], intrinsics, T_second_first))
    straight, reverse = np.nanmedian(as_written), np.nanmedian(inverted)
    if not np.isfinite([straight, reverse]).all():
        return 'undecided'
    if straight < _CLEARLY * reverse:
        return 'camera to world'
    return 'world to camera' if reverse < _CLEARLY * straight else 'undecided'


def _surface_error(
    first: NDArray[np.float32], second: NDArray[np.float32], intrinsics: Intrinsics, T_second_first: NDArray[np.float64]
) -> float:
    """Median relative difference in depth of the first image's points seen in the second; NaN when few are seen."""
    points = unproject_depth(first, intrinsics)[::_STRIDE, ::_STRIDE].reshape(-1, 3)
    points = transform_points(T_second_first, points[points[:, 2] > 0.0])
    pixels = project_points(points, intrinsics)
    inside = (pixels > -0.5).all(-1) & (pixels < [intrinsics.width - 0.5, intrinsics.height - 0.5]).all(-1)
    column, row = np.rint(pixels[inside]).astype(int).T
    seen = second[row, column]
    both = seen > 0.0
    if np.count_nonzero(both) < 50:
        return float('nan')
    return float(np.median(np.abs(points[inside][both, 2] / seen[both] - 1.0)))
