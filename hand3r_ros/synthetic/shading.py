"""Deferred shading in numba: a sun with a shadow map, a fill lamp, a two-colour ambient, skin and glossy surfaces."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hand3r_ros.synthetic import rasterizer
from hand3r_ros.synthetic.geometry_buffer import GeometryBuffer
from hand3r_ros.synthetic.materials import RED, SHININESS, SKIN, SPECULAR, TEXTURE, TEXTURE_STRENGTH
from hand3r_ros.synthetic.textures import LEVELS, SIZE, TextureBank

_SRGB_TO_LINEAR = ((np.arange(256) / 255.0) ** 2.2).astype(np.float32)
_SHADOW_BIAS = 0.004  # m
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
    rasterizer.transform_vertices(lighting.shadow_transform(), geometry.vertices, points)
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
        _SRGB_TO_LINEAR,
        lights,
        lighting.shadow_transform(),
        shadows,
        focal,
        _shadow_texel(lighting),
        out,
    )
    return out


def _shadow_texel(lighting: Lighting) -> float:
    return 2.0 * lighting.shadow_radius / lighting.shadow_size


@njit(cache=True, fastmath=True)
def _shade_pixels(
    vertices,
    normals,
    uvs,
    shade_factor,
    faces,
    face_material,
    triangle,
    weights,
    materials,
    texels,
    level_offsets,
    to_linear,
    lights,
    shadow_transform,
    shadows,
    focal,
    shadow_texel,
    out,
) -> None:
    sun, eye = lights[0], lights[6]
    normal, view, colour, texture = np.empty(3), np.empty(3), np.empty(3), np.empty(3)
    position = np.empty(3)
    last_face, density = -1, 0.0
    for v in range(triangle.shape[0]):
        for u in range(triangle.shape[1]):
            face = triangle[v, u]
            if face < 0:
                continue
            i0, i1, i2 = faces[face, 0], faces[face, 1], faces[face, 2]
            a, b = weights[v, u, 0], weights[v, u, 1]
            c = 1.0 - a - b
            for k in range(3):
                position[k] = a * vertices[i0, k] + b * vertices[i1, k] + c * vertices[i2, k]
                normal[k] = a * normals[i0, k] + b * normals[i1, k] + c * normals[i2, k]
                view[k] = eye[k] - position[k]
            _normalise(normal)
            distance = _normalise(view)
            facing = normal[0] * view[0] + normal[1] * view[1] + normal[2] * view[2]
            facing = max(facing, 0.02)
            material = materials[face_material[face]]
            factor = a * shade_factor[i0] + b * shade_factor[i1] + c * shade_factor[i2]
            layer = int(material[TEXTURE])
            if layer >= 0:
                if face != last_face:
                    density = _texture_density(vertices, uvs, i0, i1, i2)
                    last_face = face
                footprint = density * distance / focal / math.sqrt(facing)
                s = a * uvs[i0, 0] + b * uvs[i1, 0] + c * uvs[i2, 0]
                t = a * uvs[i0, 1] + b * uvs[i1, 1] + c * uvs[i2, 1]
                _sample(texels, level_offsets, to_linear, layer, s, t, footprint, texture)
            else:
                texture[0], texture[1], texture[2] = 1.0, 1.0, 1.0
            skin = material[SKIN] > 0.5
            if skin:
                _skin_colour(material, texture, factor, colour)
            else:
                strength = material[TEXTURE_STRENGTH]
                for k in range(3):
                    colour[k] = material[RED + k] * (1.0 - strength + strength * texture[k]) * factor
            towards_sun = normal[0] * sun[0] + normal[1] * sun[1] + normal[2] * sun[2]
            lit = _sunlit(shadow_transform, shadows, position, normal, towards_sun, shadow_texel)
            _apply_light(
                colour, normal, view, position, facing, towards_sun, lit, lights, material[SPECULAR],
                material[SHININESS], skin, out[v, u],
            )  # fmt: skip


@njit(cache=True, fastmath=True)
def _apply_light(
    colour, normal, view, position, facing, towards_sun, lit, lights, specular, shininess, skin, pixel
) -> None:
    sun, fill = lights[0], lights[4]
    wrap = 0.25 if skin else 0.0  # light that scatters below the skin reaches beyond the terminator
    diffuse = max((towards_sun + wrap) / (1.0 + wrap), 0.0) * (0.9 * lit + 0.1 if skin else lit)
    hx, hy, hz = sun[0] + view[0], sun[1] + view[1], sun[2] + view[2]
    half = (normal[0] * hx + normal[1] * hy + normal[2] * hz) / math.sqrt(hx * hx + hy * hy + hz * hz + 1e-9)
    highlight = specular * max(half, 0.0) ** shininess * lit
    fx, fy, fz = fill[0] - position[0], fill[1] - position[1], fill[2] - position[2]
    squared = fx * fx + fy * fy + fz * fz
    lamp = max((normal[0] * fx + normal[1] * fy + normal[2] * fz) / math.sqrt(squared + 1e-9), 0.0) / (1.0 + squared)
    up = 0.5 + 0.5 * normal[2]
    rim = (1.0 - facing) ** 3 * 0.25 * (0.3 + diffuse) if skin else 0.0
    for k in range(3):
        ambient = lights[2, k] * up + lights[3, k] * (1.0 - up)
        value = colour[k] * (ambient + lights[1, k] * diffuse + lights[5, k] * lamp) + lights[1, k] * highlight
        if skin:
            value += colour[k] * rim * (0.55 if k == 0 else 0.2)
        pixel[k] = value


@njit(cache=True, fastmath=True)
def _skin_colour(material, texture, factor, colour) -> None:
    """Mottles skin: darker spots are redder; nails (``factor`` > 1) are paler and pinker."""
    mottle = math.sqrt(texture[0]) - 0.45
    nail = max(factor - 1.0, 0.0)
    dark = min(factor, 1.0)
    for k in range(3):
        redness = -0.06 if k == 0 else (0.14 if k == 1 else 0.18)
        value = material[RED + k] * (1.0 + 0.45 * mottle + redness * mottle) * dark
        colour[k] = value + nail * (0.10 if k == 0 else 0.06)


@njit(cache=True, fastmath=True)
def _normalise(vector) -> float:
    length = math.sqrt(vector[0] ** 2 + vector[1] ** 2 + vector[2] ** 2) + 1e-12
    for k in range(3):
        vector[k] /= length
    return length


@njit(cache=True, fastmath=True)
def _texture_density(vertices, uvs, i0, i1, i2) -> float:
    """Texels per metre on a face, from the ratio of the areas."""
    ax, ay, az = vertices[i1, 0] - vertices[i0, 0], vertices[i1, 1] - vertices[i0, 1], vertices[i1, 2] - vertices[i0, 2]
    bx, by, bz = vertices[i2, 0] - vertices[i0, 0], vertices[i2, 1] - vertices[i0, 1], vertices[i2, 2] - vertices[i0, 2]
    nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    area = math.sqrt(nx * nx + ny * ny + nz * nz)
    su, sv = uvs[i1, 0] - uvs[i0, 0], uvs[i1, 1] - uvs[i0, 1]
    tu, tv = uvs[i2, 0] - uvs[i0, 0], uvs[i2, 1] - uvs[i0, 1]
    return SIZE * math.sqrt(abs(su * tv - sv * tu) / (area + 1e-12))


@njit(cache=True, fastmath=True)
def _sample(texels, level_offsets, to_linear, layer, s, t, footprint, out) -> None:
    """Bilinear sample of the level whose texels are about as large as the pixel's footprint (in texels)."""
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
    for k in range(3):
        upper = to_linear[texels[p00 + k]] * (1.0 - dx) + to_linear[texels[p01 + k]] * dx
        lower = to_linear[texels[p10 + k]] * (1.0 - dx) + to_linear[texels[p11 + k]] * dx
        out[k] = upper * (1.0 - dy) + lower * dy


@njit(cache=True, fastmath=True)
def _sunlit(transform, shadows, position, normal, towards_sun, texel) -> float:
    """Share of sunlight 0..1 that reaches a point: four shadow map texels, bilinearly weighted."""
    if towards_sun <= -0.25:
        return 0.0
    push = texel * (1.6 - 0.8 * towards_sun)  # off the surface, so that it does not shadow itself
    x, y, z = position[0] + push * normal[0], position[1] + push * normal[1], position[2] + push * normal[2]
    u = transform[0, 0] * x + transform[0, 1] * y + transform[0, 2] * z + transform[0, 3]
    v = transform[1, 0] * x + transform[1, 1] * y + transform[1, 2] * z + transform[1, 3]
    depth = transform[2, 0] * x + transform[2, 1] * y + transform[2, 2] * z + transform[2, 3] - _SHADOW_BIAS
    left, top = int(math.floor(u)), int(math.floor(v))
    if left < 1 or top < 1 or left >= shadows.shape[1] - 2 or top >= shadows.shape[0] - 2:
        return 1.0
    du, dv = u - left, v - top
    total = 0.0  # a 3 x 3 tent over 4 x 4 texels gives soft edges
    for j in range(-1, 3):
        wv = (1.0 - dv) if j == -1 else (dv if j == 2 else 1.0)
        for i in range(-1, 3):
            wu = (1.0 - du) if i == -1 else (du if i == 2 else 1.0)
            if shadows[top + j, left + i] >= depth:
                total += wu * wv
    return total / 9.0
