"""Depth of one camera in the view of another beside it: what drivers call registered or aligned depth."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hand3r_ros.geometry import Intrinsics

FloatArray = NDArray[np.floating]


def registered(
    depth: FloatArray, depth_camera: Intrinsics, T_color_depth: FloatArray, color_camera: Intrinsics
) -> NDArray[np.float32]:
    """(H, W) metres at the pixels of the colour camera; 0 where nothing of the depth image falls.

    Every reading covers as many pixels as one of the depth image is large in the colour image; the nearest counts.

    Args:
        depth: (h, w) m along z; 0 or not finite without reading.
        depth_camera: of ``depth``, without distortion.
        T_color_depth: (4, 4) from the optical frame of the depth camera to that of the colour camera.
        color_camera: of the colour image, without distortion.

    """
    result = np.full((color_camera.height, color_camera.width), np.inf, np.float32)
    inverse = np.linalg.inv(depth_camera.matrix())
    matrix = color_camera.matrix() @ np.asarray(T_color_depth, float)[:3, :3] @ inverse
    shift = color_camera.matrix() @ np.asarray(T_color_depth, float)[:3, 3]
    reach = max(0.5, 0.5 * color_camera.fx / depth_camera.fx)
    _splat(np.ascontiguousarray(depth, np.float32), matrix, shift, min(reach, 8.0), result)
    result[~np.isfinite(result)] = 0.0
    return result


@njit(cache=True)
def _splat(
    depth: NDArray[np.float32],
    matrix: NDArray[np.float64],
    shift: NDArray[np.float64],
    reach: float,
    result: NDArray[np.float32],
) -> None:  # pragma: no cover  (compiled)
    height, width = result.shape
    for v in range(depth.shape[0]):
        for u in range(depth.shape[1]):
            z = depth[v, u]
            if not 0.0 < z < np.inf:
                continue
            x = z * (matrix[0, 0] * u + matrix[0, 1] * v + matrix[0, 2]) + shift[0]
            y = z * (matrix[1, 0] * u + matrix[1, 1] * v + matrix[1, 2]) + shift[1]
            w = z * (matrix[2, 0] * u + matrix[2, 1] * v + matrix[2, 2]) + shift[2]
            if w <= 0.0:
                continue
            column, row = x / w, y / w
            if not (-reach <= column <= width - 1 + reach and -reach <= row <= height - 1 + reach):
                continue
            for i in range(max(0, int(np.ceil(row - reach))), min(height, int(np.floor(row + reach)) + 1)):
                for j in range(max(0, int(np.ceil(column - reach))), min(width, int(np.floor(column + reach)) + 1)):
                    if w < result[i, j]:
                        result[i, j] = w
