"""Visibility in numba: a perspective z-buffer without clipping artefacts, and an orthographic one for shadow maps.

Pixel centres lie at integers (OpenCV): pixel (u, v) sees the ray ((u - cx) / fx, (v - cy) / fy, 1).

The perspective rasterizer works in homogeneous coordinates (Olano and Greer, "Triangle scan conversion using 2D
homogeneous coordinates", 1997): with the camera-frame corners as columns of a matrix M, the weights w = M^-1 ray are
linear in the pixel, barycentric coordinates are w / sum(w) and the depth along z is 1 / sum(w). This is exact for
every triangle, also for one that crosses the camera plane, so near clipping only has to discard pixels.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

NEAR = 0.02
"""Nearest depth that is drawn, in metres."""

NO_TRIANGLE = -1
_EDGE_TOLERANCE = 1e-7  # pixels; closes cracks between triangles that share an edge
_MINIMAL_VOLUME = 1e-15  # m3; thinner triangles are seen edge-on


@njit(cache=True, error_model='numpy')
def rasterize_perspective(
    vertices: NDArray[np.float32],
    faces: NDArray[np.int32],
    camera: NDArray[np.float64],
    near: float,
    inverse_depth: NDArray[np.float32],
    triangle: NDArray[np.int32],
    weights: NDArray[np.float32],
) -> None:
    """Draws triangles into a z-buffer, keeping the nearest surface of every pixel; back faces are culled.

    Args:
        vertices: (V, 3) in the camera's optical frame, metres.
        faces: (F, 3) counter-clockwise seen from outside.
        camera: (4,) fx, fy, cx, cy.
        near: surfaces nearer than this are not drawn, metres.
        inverse_depth: (H, W) in and out, 1/m; 0 = nothing yet.
        triangle: (H, W) in and out, index of the visible face or -1.
        weights: (H, W, 2) out, perspective-correct barycentric coordinates of the face's corners 0 and 1.
    """
    height, width = inverse_depth.shape
    fx, fy, cx, cy = camera[0], camera[1], camera[2], camera[3]
    slope_u, slope_v, offset = np.empty(3), np.empty(3), np.empty(3)
    bounds = np.empty(4)
    for face in range(faces.shape[0]):
        if not _weight_planes(vertices, faces, face, fx, fy, cx, cy, slope_u, slope_v, offset):
            continue
        if not _screen_bounds(vertices, faces, face, camera, near, bounds):
            continue
        first_row = max(0, math.ceil(max(bounds[2], -1.0) - _EDGE_TOLERANCE))
        last_row = min(height - 1, math.floor(min(bounds[3], height + 1.0) + _EDGE_TOLERANCE))
        for v in range(first_row, last_row + 1):
            low, high = max(bounds[0], 0.0), min(bounds[1], width - 1.0)
            for corner in range(3):
                constant = slope_v[corner] * v + offset[corner]
                if slope_u[corner] > 0.0:
                    low = max(low, -constant / slope_u[corner])
                elif slope_u[corner] < 0.0:
                    high = min(high, -constant / slope_u[corner])
                elif constant < 0.0:
                    high = -1.0
            if high + _EDGE_TOLERANCE < low:
                continue
            w0 = slope_v[0] * v + offset[0]
            w1 = slope_v[1] * v + offset[1]
            w2 = slope_v[2] * v + offset[2]
            first, last = math.ceil(low - _EDGE_TOLERANCE), math.floor(high + _EDGE_TOLERANCE)
            for u in range(max(first, 0), min(last, width - 1) + 1):
                a0 = w0 + slope_u[0] * u
                a1 = w1 + slope_u[1] * u
                q = a0 + a1 + w2 + slope_u[2] * u
                if q > inverse_depth[v, u] and q * near <= 1.0:
                    inverse_depth[v, u] = q
                    triangle[v, u] = face
                    weights[v, u, 0] = a0 / q
                    weights[v, u, 1] = a1 / q


@njit(cache=True, error_model='numpy')
def _weight_planes(
    vertices: NDArray,
    faces: NDArray,
    face: int,
    fx: float,
    fy: float,
    cx: float,
    cy: float,
    slope_u: NDArray,
    slope_v: NDArray,
    offset: NDArray,
) -> bool:
    """Fills w_i(u, v) = slope_u u + slope_v v + offset; False for faces that look away or are degenerate."""
    i0, i1, i2 = faces[face, 0], faces[face, 1], faces[face, 2]
    x0, y0, z0 = float(vertices[i0, 0]), float(vertices[i0, 1]), float(vertices[i0, 2])
    x1, y1, z1 = float(vertices[i1, 0]), float(vertices[i1, 1]), float(vertices[i1, 2])
    x2, y2, z2 = float(vertices[i2, 0]), float(vertices[i2, 1]), float(vertices[i2, 2])
    rx0, ry0, rz0 = y1 * z2 - z1 * y2, z1 * x2 - x1 * z2, x1 * y2 - y1 * x2
    rx1, ry1, rz1 = y2 * z0 - z2 * y0, z2 * x0 - x2 * z0, x2 * y0 - y2 * x0
    rx2, ry2, rz2 = y0 * z1 - z0 * y1, z0 * x1 - x0 * z1, x0 * y1 - y0 * x1
    volume = x0 * rx0 + y0 * ry0 + z0 * rz0  # negative when the outside faces the camera
    if volume > -_MINIMAL_VOLUME:
        return False
    sx, sy, s = 1.0 / (volume * fx), 1.0 / (volume * fy), 1.0 / volume
    slope_u[0], slope_v[0], offset[0] = rx0 * sx, ry0 * sy, rz0 * s - rx0 * sx * cx - ry0 * sy * cy
    slope_u[1], slope_v[1], offset[1] = rx1 * sx, ry1 * sy, rz1 * s - rx1 * sx * cx - ry1 * sy * cy
    slope_u[2], slope_v[2], offset[2] = rx2 * sx, ry2 * sy, rz2 * s - rx2 * sx * cx - ry2 * sy * cy
    return True


@njit(cache=True, error_model='numpy')
def _screen_bounds(vertices: NDArray, faces: NDArray, face: int, camera: NDArray, near: float, bounds: NDArray) -> bool:
    """Fills u_min, u_max, v_min, v_max of the part beyond ``near``; False when there is none."""
    bounds[0], bounds[1], bounds[2], bounds[3] = 1e30, -1e30, 1e30, -1e30
    seen = False
    for corner in range(3):
        a, b = faces[face, corner], faces[face, (corner + 1) % 3]
        za, zb = float(vertices[a, 2]), float(vertices[b, 2])
        if za >= near:
            seen = True
            _extend(bounds, vertices[a, 0] / za, vertices[a, 1] / za, camera)
        if (za >= near) != (zb >= near):
            t = (near - za) / (zb - za)
            x = vertices[a, 0] + t * (vertices[b, 0] - vertices[a, 0])
            y = vertices[a, 1] + t * (vertices[b, 1] - vertices[a, 1])
            _extend(bounds, x / near, y / near, camera)
    return seen


@njit(cache=True, error_model='numpy')
def _extend(bounds: NDArray, x: float, y: float, camera: NDArray) -> None:
    u, v = camera[0] * x + camera[2], camera[1] * y + camera[3]
    bounds[0], bounds[1] = min(bounds[0], u), max(bounds[1], u)
    bounds[2], bounds[3] = min(bounds[2], v), max(bounds[3], v)


@njit(cache=True, error_model='numpy')
def rasterize_orthographic(points: NDArray[np.float32], faces: NDArray[np.int32], depth: NDArray[np.float32]) -> None:
    """Keeps the smallest depth of every texel; all faces are drawn.

    Args:
        points: (V, 3) u and v in texels, depth in metres.
        faces: (F, 3) vertex indices.
        depth: (H, W) in and out.
    """
    height, width = depth.shape
    for face in range(faces.shape[0]):
        i0, i1, i2 = faces[face, 0], faces[face, 1], faces[face, 2]
        x0, y0, z0 = float(points[i0, 0]), float(points[i0, 1]), float(points[i0, 2])
        x1, y1, z1 = float(points[i1, 0]), float(points[i1, 1]), float(points[i1, 2])
        x2, y2, z2 = float(points[i2, 0]), float(points[i2, 1]), float(points[i2, 2])
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-9:
            continue
        dz_du = ((z1 - z0) * (y2 - y0) - (z2 - z0) * (y1 - y0)) / area
        dz_dv = ((z2 - z0) * (x1 - x0) - (z1 - z0) * (x2 - x0)) / area
        first_row = max(0, math.ceil(max(min(y0, y1, y2), -1.0)))
        last_row = min(height - 1, math.floor(min(max(y0, y1, y2), height + 1.0)))
        for v in range(first_row, last_row + 1):
            low, high = _row_span(x0, y0, x1, y1, x2, y2, float(v))
            first = math.ceil(max(low, 0.0) - _EDGE_TOLERANCE)
            last = math.floor(min(high, width - 1.0) + _EDGE_TOLERANCE)
            z = z0 + dz_dv * (v - y0) - dz_du * x0
            for u in range(first, last + 1):
                value = z + dz_du * u
                if value < depth[v, u]:
                    depth[v, u] = value


@njit(cache=True, error_model='numpy')
def _row_span(x0: float, y0: float, x1: float, y1: float, x2: float, y2: float, row: float) -> tuple[float, float]:
    """Smallest and largest u of a triangle on the row v = ``row``."""
    low, high = 1e30, -1e30
    for xa, ya, xb, yb in ((x0, y0, x1, y1), (x1, y1, x2, y2), (x2, y2, x0, y0)):
        if min(ya, yb) <= row <= max(ya, yb):
            if ya == yb:
                low, high = min(low, xa, xb), max(high, xa, xb)
            else:
                x = xa + (xb - xa) * (row - ya) / (yb - ya)
                low, high = min(low, x), max(high, x)
    return low, high


@njit(cache=True, error_model='numpy')
def transform_vertices(T: NDArray[np.float64], vertices: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Writes ``T`` (3, 4) applied to ``vertices`` (V, 3) into ``out`` (V, 3), computing in double precision."""
    for i in range(vertices.shape[0]):
        x, y, z = float(vertices[i, 0]), float(vertices[i, 1]), float(vertices[i, 2])
        for k in range(3):
            out[i, k] = T[k, 0] * x + T[k, 1] * y + T[k, 2] * z + T[k, 3]


@njit(cache=True, error_model='numpy')
def vertex_normals(vertices: NDArray[np.float32], faces: NDArray[np.int32], out: NDArray[np.float32]) -> None:
    """Writes area-weighted unit normals (V, 3) of a mesh into ``out``."""
    out[:] = 0.0
    for face in range(faces.shape[0]):
        i0, i1, i2 = faces[face, 0], faces[face, 1], faces[face, 2]
        ax, ay, az = (
            vertices[i1, 0] - vertices[i0, 0],
            vertices[i1, 1] - vertices[i0, 1],
            vertices[i1, 2] - vertices[i0, 2],
        )
        bx, by, bz = (
            vertices[i2, 0] - vertices[i0, 0],
            vertices[i2, 1] - vertices[i0, 1],
            vertices[i2, 2] - vertices[i0, 2],
        )
        nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        for i in (i0, i1, i2):
            out[i, 0] += nx
            out[i, 1] += ny
            out[i, 2] += nz
    for i in range(vertices.shape[0]):
        length = math.sqrt(out[i, 0] ** 2 + out[i, 1] ** 2 + out[i, 2] ** 2)
        if length > 0.0:
            for k in range(3):
                out[i, k] /= length
