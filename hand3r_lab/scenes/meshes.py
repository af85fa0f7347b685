"""Triangle meshes with normals and texture coordinates: quads, boxes, lathed bodies and tubes along a path.

All builders return outward-facing triangles (counter-clockwise seen from outside); lengths are metres and texture
coordinates count texture repeats.
"""

from __future__ import annotations

from collections.abc import Sequence as Seq
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float = NDArray[np.float32]
Faces = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Mesh:
    """One surface with one material."""

    vertices: Float  # (V, 3) m
    normals: Float  # (V, 3) unit
    uvs: Float  # (V, 2) texture repeats
    faces: Faces  # (F, 3)
    shade: Float  # (V,) local brightness of the material, 1 = unchanged; on skin > 1 marks nails

    def transformed(self, rotation: ArrayLike, translation: ArrayLike) -> Mesh:
        """The mesh after x -> rotation x + translation."""
        rotation = np.asarray(rotation, np.float32)
        vertices = self.vertices @ rotation.T + np.asarray(translation, np.float32)
        return replace(self, vertices=vertices, normals=self.normals @ rotation.T)


def make_mesh(vertices: ArrayLike, normals: ArrayLike, uvs: ArrayLike, faces: ArrayLike) -> Mesh:
    """A mesh from array-likes, with even shade."""
    vertices = np.ascontiguousarray(vertices, np.float32)
    return Mesh(
        vertices,
        np.ascontiguousarray(normals, np.float32),
        np.ascontiguousarray(uvs, np.float32),
        np.ascontiguousarray(faces, np.int32),
        np.ones(len(vertices), np.float32),
    )


def merge(meshes: Seq[Mesh]) -> Mesh:
    """One mesh of several."""
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.normals for mesh in meshes]),
        np.concatenate([mesh.uvs for mesh in meshes]),
        np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts, strict=False)]).astype(np.int32),
        np.concatenate([mesh.shade for mesh in meshes]),
    )


def quad(origin: ArrayLike, u: ArrayLike, v: ArrayLike, repeats: tuple[float, float] = (1.0, 1.0)) -> Mesh:
    """Parallelogram with corner ``origin`` and sides ``u``, ``v``; it faces along u x v."""
    origin, u, v = (np.asarray(x, float) for x in (origin, u, v))
    normal = np.cross(u, v)
    normal /= np.linalg.norm(normal)
    uvs = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * repeats
    return make_mesh([origin, origin + u, origin + u + v, origin + v], np.tile(normal, (4, 1)), uvs, _QUAD_FACES)


def box(size: ArrayLike, repeats_per_metre: float | None = None) -> Mesh:
    """Box centred at the origin; the texture covers every side once, or repeats per metre."""
    size = np.asarray(size, float)
    uvs = _UNIT_BOX.uvs
    if repeats_per_metre is not None:
        uvs = uvs * np.repeat(size[_UNIT_BOX_UV_AXES], 4, axis=0) * repeats_per_metre
    return replace(_UNIT_BOX, vertices=_UNIT_BOX.vertices * size.astype(np.float32), uvs=np.asarray(uvs, np.float32))


def lathe(
    profile: ArrayLike, segments: int = 24, repeats: tuple[float, float] = (1.0, 1.0), crease_degrees: float = 40.0
) -> Mesh:
    """Body of revolution about z.

    Args:
        profile: (K, 2) radius and z from the bottom pole to the top pole along the outside; corners sharper than
            ``crease_degrees`` stay sharp.
        segments: number of sides.
        repeats: texture repeats around and along the profile.
        crease_degrees: angle between profile segments from which an edge is drawn sharp.
    """
    radius, z, normal_r, normal_z, along = _creased_profile(np.asarray(profile, float), np.deg2rad(crease_degrees))
    angle = np.linspace(0.0, 2.0 * np.pi, segments + 1)
    cosine, sine = np.cos(angle), np.sin(angle)
    vertices = np.stack([radius[:, None] * cosine, radius[:, None] * sine, np.tile(z[:, None], segments + 1)], -1)
    normals = np.stack(
        [normal_r[:, None] * cosine, normal_r[:, None] * sine, np.tile(normal_z[:, None], segments + 1)], -1
    )
    uvs = np.stack(np.broadcast_arrays(angle / (2.0 * np.pi) * repeats[0], along[:, None] * repeats[1]), -1)
    faces = grid_faces(len(radius), segments + 1)
    keep = np.tile(np.diff(along) > 1e-9, (2 * segments, 1)).T.reshape(-1)  # doubled creases make no faces
    return make_mesh(vertices.reshape(-1, 3), normals.reshape(-1, 3), uvs.reshape(-1, 2), faces[keep])


def tube(rings: ArrayLike, uvs: ArrayLike) -> Mesh:
    """Surface through K rings of N points (K, N, 3) that run counter-clockwise seen from the end of the path.

    The first and last point of a ring coincide. Normals are left to ``vertex_normals`` (they change every frame).
    """
    rings = np.asarray(rings, np.float32)
    vertices = rings.reshape(-1, 3)
    faces = grid_faces(rings.shape[0], rings.shape[1])
    return make_mesh(vertices, np.zeros_like(vertices), np.asarray(uvs).reshape(-1, 2), faces)


@lru_cache(maxsize=256)
def grid_faces(rows: int, columns: int) -> Faces:
    """Triangles (2 (rows - 1) (columns - 1), 3) of a vertex grid, row by row; both triangles of a cell side by side.

    The array is shared by all callers and cannot be written.
    """
    corner = np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)
    right, up, diagonal = corner + 1, corner + columns, corner + columns + 1
    faces = np.stack([corner, right, diagonal, corner, diagonal, up], -1)
    faces = faces.reshape(-1, 3).astype(np.int32)
    faces.flags.writeable = False
    return faces


def _creased_profile(profile: NDArray, crease: float) -> tuple[NDArray, NDArray, NDArray, NDArray, NDArray]:
    """Doubles sharp profile points; returns radius, z, outward normal (r, z) and arc length 0..1 per ring."""
    step = np.diff(profile, axis=0)
    length = np.maximum(np.linalg.norm(step, axis=1), 1e-9)
    normal = np.stack([step[:, 1], -step[:, 0]], -1) / length[:, None]  # outward when the path goes up the outside
    along = np.concatenate([[0.0], np.cumsum(length)]) / length.sum()
    rows: list[tuple[float, float, float, float, float]] = []
    for k, (radius, z) in enumerate(profile):
        before, after = normal[max(k - 1, 0)], normal[min(k, len(normal) - 1)]
        if np.arccos(np.clip(before @ after, -1.0, 1.0)) > crease:
            rows.append((radius, z, before[0], before[1], along[k]))
            rows.append((radius, z, after[0], after[1], along[k]))
        else:
            mean = before + after
            mean = mean / np.linalg.norm(mean)
            rows.append((radius, z, mean[0], mean[1], along[k]))
    columns = np.array(rows).T
    return columns[0], columns[1], columns[2], columns[3], columns[4]


_QUAD_FACES = np.array([[0, 1, 2], [0, 2, 3]], np.int32)


def _unit_box() -> tuple[Mesh, NDArray[np.intp]]:
    """A cube of side 1, and for each of its six quads the axes (6, 2) along which u and v run."""
    sides, uv_axes = [], []
    for axis in range(3):
        first, second = (axis + 1) % 3, (axis + 2) % 3
        for sign in (-1.0, 1.0):
            u_axis, v_axis = (first, second) if sign > 0 else (second, first)
            u, v = np.eye(3)[u_axis], np.eye(3)[v_axis]
            sides.append(quad(sign * np.eye(3)[axis] / 2.0 - (u + v) / 2.0, u, v))
            uv_axes.append((u_axis, v_axis))
    return merge(sides), np.array(uv_axes)


_UNIT_BOX, _UNIT_BOX_UV_AXES = _unit_box()
