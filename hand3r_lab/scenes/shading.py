"""Deferred shading in numba: a sun with a shadow map, a fill lamp, a two-colour ambient, skin and glossy surfaces."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hand3r_lab.scenes.geometry_buffer import GeometryBuffer
from hand3r_lab.scenes.materials import BLUE, GREEN, RED, SHININESS, SKIN, SPECULAR, TEXTURE, TEXTURE_STRENGTH
from hand3r_lab.scenes.textures import LEVELS, SIZE, TextureBank
from hand3r_ros.visualization import rasterizer

_PER_SQUARED_BYTE = 1.0 / 255.0**2
_SHADOW_BIAS = 0.004  # m
_SKIN_WRAP = 0.25  # light that scatters below the skin reaches beyond the terminator
_UNLIT_DEPTH = np.float32(1e9)


@dataclass(frozen=True, eq=False)
class Lighting:
    """Lights of one scene; colours are linear."""

    sun_direction: NDArray[np.float64]  # (3,) unit, towards the light
    sun_colour: NDArray[np.float64]  # (3,)
    sky_colour: NDArray[np.float64]  # (3,) ambient from above
    ground_colour: NDArray[np.float64]  # (3,) ambient from below
    fill_position: NDArray[np.float64]  # (3,) m
    fill_colour: NDArray[np.float64]  # (3,)
    shadow_centre: NDArray[np.float64]  # (3,) m, centre of the region that casts shadows
    shadow_radius: float = 1.0  # m
    shadow_size: int = 512  # texels

    @cached_property
    def shadow_transform(self) -> NDArray[np.float64]:
        """(3, 4) world to shadow map: u, v in texels and depth along the light in metres."""
        z = -self.sun_direction
        x = np.cross([0.13, 0.21, 1.0], z)
        x /= np.linalg.norm(x)
        rows = np.stack([x, np.cross(z, x), z])
        scale = np.array([self.shadow_size / 2.0 / self.shadow_radius] * 2 + [1.0])
        T = np.zeros((3, 4))
        T[:, :3] = rows * scale[:, None]
        T[:, 3] = -T[:, :3] @ self.shadow_centre + [self.shadow_size / 2.0, self.shadow_size / 2.0, 0.0]
        return T


def cast_shadows(
    lighting: Lighting, geometry: GeometryBuffer, onto: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Shadow map (S, S) of ``geometry``; ``onto`` is a map of other geometry to start from, left unchanged."""
    size = lighting.shadow_size
    depth = np.full((size, size), _UNLIT_DEPTH, np.float32) if onto is None else onto.copy()
    points = np.empty_like(geometry.vertices)
    rasterizer.transform_vertices(lighting.shadow_transform, geometry.vertices, points)
    rasterizer.rasterize_orthographic(points, geometry.faces, depth)
    return depth


def shade(
    geometry: GeometryBuffer,
    triangle: NDArray[np.int32],
    weights: NDArray[np.float32],
    eye: NDArray[np.float64],
    focal: float,
    materials: NDArray[np.float32],
    bank: TextureBank,
    lighting: Lighting,
    shadows: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Linear colours (H, W, 3) of the visible triangles; pixels without a triangle are black."""
    out = np.zeros((*triangle.shape, 3), np.float32)
    lights = np.stack(
        [
            lighting.sun_direction,
            lighting.sun_colour,
            lighting.sky_colour,
            lighting.ground_colour,
            lighting.fill_position,
            lighting.fill_colour,
            np.asarray(eye, float),
        ]
    )
    _shade_pixels(
        geometry.vertices,
        geometry.normals,
        geometry.uvs,
        geometry.shade,
        geometry.faces,
        geometry.material,
        triangle,
        weights,
        materials,
        bank.pixels,
        bank.level_offsets,
        lights,
        lighting.shadow_transform,
        shadows,
        focal,
        _shadow_texel(lighting),
        out,
    )
    return out


def _shadow_texel(lighting: Lighting) -> float:
    return 2.0 * lighting.shadow_radius / lighting.shadow_size


@njit(cache=True, fastmath=True, error_model='numpy')
def _shade_pixels(
    vertices: NDArray,
    normals: NDArray,
    uvs: NDArray,
    shade_factor: NDArray,
    faces: NDArray,
    face_material: NDArray,
    triangle: NDArray,
    weights: NDArray,
    materials: NDArray,
    texels: NDArray,
    level_offsets: NDArray,
    lights: NDArray,
    shadow_transform: NDArray,
    shadows: NDArray,
    focal: float,
    shadow_texel: float,
    out: NDArray,
) -> None:
    # Slicing arrays inside the loop would cost more than the arithmetic, so everything is a scalar there.
    corners = np.empty((8, 3))  # position, normal and texture coordinates of the face's corners
    shades = np.empty(3)
    face_before = -1
    density, layer, strength, specular, shininess, skin = 0.0, -1, 0.0, 0.0, 1, False
    base_red, base_green, base_blue = 0.0, 0.0, 0.0
    has_lamp = lights[5, 0] + lights[5, 1] + lights[5, 2] > 0.0
    for v in range(triangle.shape[0]):
        for u in range(triangle.shape[1]):
            face = triangle[v, u]
            if face < 0:
                continue
            if face != face_before:  # neighbours mostly show the same face
                face_before = face
                for corner in range(3):
                    i = faces[face, corner]
                    for k in range(3):
                        corners[k, corner] = vertices[i, k]
                        corners[3 + k, corner] = normals[i, k]
                    corners[6, corner], corners[7, corner] = uvs[i, 0], uvs[i, 1]
                    shades[corner] = shade_factor[i]
                density = _texture_density(corners)
                row = face_material[face]
                layer, strength = int(materials[row, TEXTURE]), materials[row, TEXTURE_STRENGTH]
                specular, shininess = materials[row, SPECULAR], int(materials[row, SHININESS])
                skin = materials[row, SKIN] > 0.5
                base_red, base_green, base_blue = materials[row, RED], materials[row, GREEN], materials[row, BLUE]
            a, b = float(weights[v, u, 0]), float(weights[v, u, 1])
            c = 1.0 - a - b
            px = a * corners[0, 0] + b * corners[0, 1] + c * corners[0, 2]
            py = a * corners[1, 0] + b * corners[1, 1] + c * corners[1, 2]
            pz = a * corners[2, 0] + b * corners[2, 1] + c * corners[2, 2]
            nx = a * corners[3, 0] + b * corners[3, 1] + c * corners[3, 2]
            ny = a * corners[4, 0] + b * corners[4, 1] + c * corners[4, 2]
            nz = a * corners[5, 0] + b * corners[5, 1] + c * corners[5, 2]
            scale = 1.0 / math.sqrt(nx * nx + ny * ny + nz * nz + 1e-12)
            nx, ny, nz = nx * scale, ny * scale, nz * scale
            vx, vy, vz = lights[6, 0] - px, lights[6, 1] - py, lights[6, 2] - pz
            distance = math.sqrt(vx * vx + vy * vy + vz * vz)
            vx, vy, vz = vx / distance, vy / distance, vz / distance
            facing = max(nx * vx + ny * vy + nz * vz, 0.02)

            factor = a * shades[0] + b * shades[1] + c * shades[2]
            t0, t1, t2 = 1.0, 1.0, 1.0
            if layer >= 0:
                footprint = density * distance / (focal * math.sqrt(facing))
                s = a * corners[6, 0] + b * corners[6, 1] + c * corners[6, 2]
                t = a * corners[7, 0] + b * corners[7, 1] + c * corners[7, 2]
                t0, t1, t2 = _sample(texels, level_offsets, layer, s, t, footprint)
            if skin:
                red, green, blue = _skin_colour(base_red, base_green, base_blue, t0, factor)
            else:
                red = base_red * (1.0 - strength + strength * t0) * factor
                green = base_green * (1.0 - strength + strength * t1) * factor
                blue = base_blue * (1.0 - strength + strength * t2) * factor

            towards_sun = nx * lights[0, 0] + ny * lights[0, 1] + nz * lights[0, 2]
            lit = 0.0
            if towards_sun > -_SKIN_WRAP:
                lit = _sunlit(shadow_transform, shadows, px, py, pz, nx, ny, nz, towards_sun, shadow_texel)
            diffuse = max(towards_sun, 0.0) * lit
            rim = 0.0
            if skin:
                diffuse = max(towards_sun + _SKIN_WRAP, 0.0) / (1.0 + _SKIN_WRAP) * (0.9 * lit + 0.1)
                rim = (1.0 - facing) ** 3 * 0.25 * (0.3 + diffuse)
            highlight = 0.0
            if lit > 0.0 and specular > 0.0:
                hx, hy, hz = lights[0, 0] + vx, lights[0, 1] + vy, lights[0, 2] + vz
                half = (nx * hx + ny * hy + nz * hz) / math.sqrt(hx * hx + hy * hy + hz * hz + 1e-9)
                if half > 0.7:  # weaker highlights do not show
                    highlight = lit * specular * half**shininess  # a whole exponent is much faster
            lamp = 0.0
            if has_lamp:
                fx, fy, fz = lights[4, 0] - px, lights[4, 1] - py, lights[4, 2] - pz
                squared = fx * fx + fy * fy + fz * fz
                lamp = max(nx * fx + ny * fy + nz * fz, 0.0) / (math.sqrt(squared + 1e-9) * (1.0 + squared))
            up = 0.5 + 0.5 * nz
            for k in range(3):
                colour = red if k == 0 else (green if k == 1 else blue)
                light = lights[2, k] * up + lights[3, k] * (1.0 - up) + lights[1, k] * diffuse + lights[5, k] * lamp
                light += rim * (0.55 if k == 0 else 0.2)
                out[v, u, k] = colour * light + lights[1, k] * highlight


@njit(cache=True, fastmath=True, error_model='numpy')
def _skin_colour(red: float, green: float, blue: float, texture: float, factor: float) -> tuple[float, float, float]:
    """Mottles skin: darker spots are redder; nails (``factor`` > 1) are paler and pinker."""
    mottle = math.sqrt(texture) - 0.45
    nail = max(factor - 1.0, 0.0)
    dark = min(factor, 1.0)
    red = red * (1.0 + 0.39 * mottle) * dark + 0.10 * nail
    green = green * (1.0 + 0.59 * mottle) * dark + 0.06 * nail
    blue = blue * (1.0 + 0.63 * mottle) * dark + 0.06 * nail
    return red, green, blue


@njit(cache=True, fastmath=True, error_model='numpy')
def _texture_density(corners: NDArray) -> float:
    """Texels per metre on a face, from the ratio of the areas; ``corners`` as in ``_shade_pixels``."""
    ax, ay, az = corners[0, 1] - corners[0, 0], corners[1, 1] - corners[1, 0], corners[2, 1] - corners[2, 0]
    bx, by, bz = corners[0, 2] - corners[0, 0], corners[1, 2] - corners[1, 0], corners[2, 2] - corners[2, 0]
    nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    area = math.sqrt(nx * nx + ny * ny + nz * nz)
    su, sv = corners[6, 1] - corners[6, 0], corners[7, 1] - corners[7, 0]
    tu, tv = corners[6, 2] - corners[6, 0], corners[7, 2] - corners[7, 0]
    return SIZE * math.sqrt(abs(su * tv - sv * tu) / (area + 1e-12))


@njit(cache=True, fastmath=True, error_model='numpy')
def _sample(
    texels: NDArray, level_offsets: NDArray, layer: int, s: float, t: float, footprint: float
) -> tuple[float, float, float]:
    """Bilinear sample of the level whose texels are about as large as the pixel's footprint (in texels).

    Bytes are mixed as they are and squared afterwards, which is close to the sRGB curve.
    """
    level = 0
    while footprint > 1.4 and level < LEVELS - 1:
        footprint *= 0.5
        level += 1
    size = SIZE >> level
    x, y = (s - math.floor(s)) * size - 0.5, (t - math.floor(t)) * size - 0.5
    x0, y0 = math.floor(x), math.floor(y)
    dx, dy = x - x0, y - y0
    left, top = int(x0) & (size - 1), int(y0) & (size - 1)
    right, bottom = (left + 1) & (size - 1), (top + 1) & (size - 1)
    start = level_offsets[level] + layer * size * size * 3
    p00, p01 = start + (top * size + left) * 3, start + (top * size + right) * 3
    p10, p11 = start + (bottom * size + left) * 3, start + (bottom * size + right) * 3
    w00, w01, w10, w11 = (1.0 - dx) * (1.0 - dy), dx * (1.0 - dy), (1.0 - dx) * dy, dx * dy
    return (
        _mix(texels, p00, p01, p10, p11, w00, w01, w10, w11),
        _mix(texels, p00 + 1, p01 + 1, p10 + 1, p11 + 1, w00, w01, w10, w11),
        _mix(texels, p00 + 2, p01 + 2, p10 + 2, p11 + 2, w00, w01, w10, w11),
    )


@njit(cache=True, fastmath=True, error_model='numpy')
def _mix(
    texels: NDArray, p00: int, p01: int, p10: int, p11: int, w00: float, w01: float, w10: float, w11: float
) -> float:
    value = texels[p00] * w00 + texels[p01] * w01 + texels[p10] * w10 + texels[p11] * w11
    return value * value * _PER_SQUARED_BYTE


@njit(cache=True, fastmath=True, error_model='numpy')
def _sunlit(
    transform: NDArray,
    shadows: NDArray,
    x: float,
    y: float,
    z: float,
    nx: float,
    ny: float,
    nz: float,
    towards_sun: float,
    texel: float,
) -> float:
    """Share of sunlight 0..1 that reaches a point: a tent filter over 4 x 4 texels of the shadow map."""
    push = texel * (1.6 - 0.8 * towards_sun)  # off the surface, so that it does not shadow itself
    x, y, z = x + push * nx, y + push * ny, z + push * nz
    u = transform[0, 0] * x + transform[0, 1] * y + transform[0, 2] * z + transform[0, 3]
    v = transform[1, 0] * x + transform[1, 1] * y + transform[1, 2] * z + transform[1, 3]
    depth = transform[2, 0] * x + transform[2, 1] * y + transform[2, 2] * z + transform[2, 3] - _SHADOW_BIAS
    left, top = math.floor(u), math.floor(v)
    if left < 1 or top < 1 or left >= shadows.shape[1] - 2 or top >= shadows.shape[0] - 2:
        return 1.0
    du, dv = u - left, v - top
    column, row = int(left), int(top)
    corners_lit = (
        (shadows[row - 1, column - 1] >= depth)
        + (shadows[row - 1, column + 2] >= depth)
        + (shadows[row + 2, column - 1] >= depth)
        + (shadows[row + 2, column + 2] >= depth)
    )
    if corners_lit == 0 or corners_lit == 4:  # away from shadow edges
        return 1.0 if shadows[row, column] >= depth else 0.0
    total = 0.0
    for j in range(4):
        line = 0.0
        if shadows[row + j - 1, column - 1] >= depth:
            line += 1.0 - du
        if shadows[row + j - 1, column] >= depth:
            line += 1.0
        if shadows[row + j - 1, column + 1] >= depth:
            line += 1.0
        if shadows[row + j - 1, column + 2] >= depth:
            line += du
        total += line * ((1.0 - dv) if j == 0 else (dv if j == 3 else 1.0))
    return total / 9.0
