"""Paints points, tubes and shaded meshes into one picture with a shared depth buffer."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from hand3r_ros.geometry import Intrinsics
from hand3r_ros.visualization import rasterizer

Color = tuple[float, float, float]
"""Red, green, blue, 0..255."""

_TUBE_STEP = 0.5  # radii between two balls of a tube
_KEY_LIGHT = np.array([-0.45, -0.65, -0.61])  # towards the light, optical axes: above, left, behind the viewer
_RELIEF_STRENGTH = 90.0
_RELIEF_DISTANCES = (1, 3)  # pixels


class Painter:
    """A picture in the making; everything is given in the optical frame of the camera ``intrinsics``, metres."""

    def __init__(self, intrinsics: Intrinsics, background: ArrayLike) -> None:
        """Begin with a background: a color (3,) or an image (H, W, 3), 0..255."""
        shape = (intrinsics.height, intrinsics.width)
        self._intrinsics = intrinsics
        self._camera = np.array([intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy])
        self._pixels = np.empty((*shape, 3), np.float32)
        self._pixels[:] = np.asarray(background, np.float32)
        self._inverse_depth = np.zeros(shape, np.float32)

    @property
    def image(self) -> NDArray[np.uint8]:
        """(H, W, 3) RGB, as painted so far."""
        return np.clip(self._pixels + 0.5, 0, 255).astype(np.uint8)

    def points(self, points: ArrayLike, colors: ArrayLike, radius: float) -> None:
        """Flat discs of points (N, 3) with colors (N, 3) or (3,), 0..255, and a radius in metres."""
        self._splat(points, colors, radius, round_shading=False)

    def tube(self, points: ArrayLike, color: Color, radius: float, closed: bool = False) -> None:
        """A line through points (N, 3), as thick as 2 ``radius`` metres."""
        corners = np.asarray(points, float).reshape(-1, 3)
        if closed and len(corners):
            corners = np.vstack([corners, corners[:1]])
        if len(corners):
            self._splat(_filled(corners, radius * _TUBE_STEP), np.asarray(color), radius, round_shading=True)

    def balls(self, points: ArrayLike, color: Color, radius: float) -> None:
        """Shaded balls at points (N, 3)."""
        self._splat(points, np.asarray(color), radius, round_shading=True)

    def mesh(self, vertices: ArrayLike, faces: ArrayLike, color: Color, opacity: float = 1.0) -> None:
        """A smooth mesh of vertices (V, 3) and faces (F, 3), counter-clockwise seen from outside."""
        corners = np.ascontiguousarray(vertices, np.float32)
        triangles = np.ascontiguousarray(faces, np.int32)
        normals = np.empty_like(corners)
        rasterizer.vertex_normals(corners, triangles, normals)
        shape = self._inverse_depth.shape
        visible = np.full(shape, rasterizer.NO_TRIANGLE, np.int32)
        weights = np.zeros((*shape, 2), np.float32)
        rasterizer.rasterize_perspective(
            corners, triangles, self._camera, rasterizer.NEAR, self._inverse_depth, visible, weights
        )
        hit = visible >= 0
        first, second = weights[hit, 0:1], weights[hit, 1:2]
        corner_normals = normals[triangles[visible[hit]]]  # (P, 3 corners, 3)
        normal = first * corner_normals[:, 0] + second * corner_normals[:, 1]
        normal += (1.0 - first - second) * corner_normals[:, 2]
        lit = _lit(normal, np.asarray(color, np.float32))
        self._pixels[hit] = opacity * lit + (1.0 - opacity) * self._pixels[hit]

    def relief(self) -> None:
        """Darken pixels that lie behind their neighbours, which makes clouds without normals readable.

        Eye-dome lighting (C. Boucheny, 2009): the shade follows the differences of log depth.
        """
        with np.errstate(divide='ignore'):
            nearness = np.where(self._inverse_depth > 0.0, np.log(self._inverse_depth), -np.inf)
        covered = np.isfinite(nearness)
        darkness = np.zeros_like(nearness)
        height, width = nearness.shape
        border = max(_RELIEF_DISTANCES)
        padded = np.pad(nearness, border, mode='edge')
        for distance in _RELIEF_DISTANCES:
            for dv, du in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                top, left = border + dv * distance, border + du * distance
                neighbour = padded[top : top + height, left : left + width]
                step = np.subtract(neighbour, nearness, out=np.zeros_like(nearness), where=covered)
                darkness += np.clip(step, 0.0, 0.05) / distance
        shade = np.exp(-_RELIEF_STRENGTH * darkness / (4.0 * len(_RELIEF_DISTANCES)))
        self._pixels[covered] *= np.maximum(shade[covered], 0.25)[:, None]

    def _splat(self, points: ArrayLike, colors: ArrayLike, radius: float, round_shading: bool) -> None:
        centres = np.ascontiguousarray(np.asarray(points, np.float32).reshape(-1, 3))
        paint = np.ascontiguousarray(np.broadcast_to(np.asarray(colors, np.float32), centres.shape))
        _splat_discs(centres, paint, self._camera, radius, round_shading, self._pixels, self._inverse_depth)


def _lit(normals: NDArray[np.float32], color: NDArray[np.float32]) -> NDArray[np.float32]:
    """(P, 3) a matt color under a key light, with some light from the viewer and a soft gloss."""
    normals = normals / np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    key = np.clip(normals @ _KEY_LIGHT.astype(np.float32), 0.0, 1.0)[:, None]
    front = np.clip(-normals[:, 2:], 0.0, 1.0)
    gloss = np.clip(normals @ _half_way().astype(np.float32), 0.0, 1.0)[:, None] ** 30
    return np.asarray(color * (0.30 + 0.55 * key + 0.25 * front) + 60.0 * gloss, np.float32)


def _half_way() -> NDArray[np.float64]:
    half = _KEY_LIGHT + np.array([0.0, 0.0, -1.0])
    return half / np.linalg.norm(half)


def _filled(corners: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Points at most ``step`` apart along the line through ``corners`` (N, 3)."""
    pieces = [corners[:1]]
    for start, end in itertools.pairwise(corners):
        count = int(min(np.ceil(np.linalg.norm(end - start) / step), 10_000))
        fractions = np.linspace(0.0, 1.0, max(count, 1) + 1)[1:, None]
        pieces.append(start + fractions * (end - start))
    return np.concatenate(pieces)


@njit(cache=True)
def _splat_discs(
    centres: NDArray[np.float32],
    colors: NDArray[np.float32],
    camera: NDArray[np.float64],
    radius: float,
    round_shading: bool,
    pixels: NDArray[np.float32],
    inverse_depth: NDArray[np.float32],
) -> None:
    height, width = inverse_depth.shape
    for i in range(centres.shape[0]):
        z = float(centres[i, 2])
        if not z > 0.02:
            continue
        u = camera[0] * centres[i, 0] / z + camera[2]
        v = camera[1] * centres[i, 1] / z + camera[3]
        size = max(camera[0] * radius / z, 0.6)  # pixels
        if not (-size <= u <= width + size and -size <= v <= height + size):
            continue
        for row in range(max(0, math.ceil(v - size)), min(height - 1, math.floor(v + size)) + 1):
            for column in range(max(0, math.ceil(u - size)), min(width - 1, math.floor(u + size)) + 1):
                distance = ((row - v) ** 2 + (column - u) ** 2) / (size * size)
                if distance > 1.0:
                    continue
                bulge = math.sqrt(1.0 - distance) if round_shading else 0.0
                nearness = 1.0 / (z - radius * bulge)
                if nearness <= inverse_depth[row, column]:
                    continue
                inverse_depth[row, column] = nearness
                light = 0.55 + 0.45 * bulge if round_shading else 1.0
                for k in range(3):
                    pixels[row, column, k] = colors[i, k] * light
