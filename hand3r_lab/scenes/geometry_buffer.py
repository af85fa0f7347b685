"""Meshes collected into flat arrays for the rasterizer, each face with its material and instance id."""

from __future__ import annotations

from collections.abc import Sequence as Seq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hand3r_lab.scenes.meshes import Mesh


@dataclass(frozen=True)
class Part:
    """A mesh, the row of its material and the value it writes into the segmentation."""

    mesh: Mesh
    material: int
    instance: int


@dataclass(frozen=True, eq=False)
class GeometryBuffer:
    """Vertices and faces of many parts."""

    vertices: NDArray[np.float32]  # (V, 3) world, m
    normals: NDArray[np.float32]  # (V, 3)
    uvs: NDArray[np.float32]  # (V, 2)
    shade: NDArray[np.float32]  # (V,)
    faces: NDArray[np.int32]  # (F, 3)
    material: NDArray[np.int32]  # (F,)
    instance: NDArray[np.uint8]  # (F,)


def collect(parts: Seq[Part]) -> GeometryBuffer:
    """One buffer of several parts, in order."""
    meshes = [part.mesh for part in parts]
    faces, start = [], 0
    for mesh in meshes:
        faces.append(mesh.faces + np.int32(start))
        start += len(mesh.vertices)
    counts = [len(mesh.faces) for mesh in meshes]
    return GeometryBuffer(
        np.concatenate([mesh.vertices for mesh in meshes]).astype(np.float32, copy=False),
        np.concatenate([mesh.normals for mesh in meshes]).astype(np.float32, copy=False),
        np.concatenate([mesh.uvs for mesh in meshes]).astype(np.float32, copy=False),
        np.concatenate([mesh.shade for mesh in meshes]).astype(np.float32, copy=False),
        np.concatenate(faces).astype(np.int32, copy=False),
        np.repeat(np.array([part.material for part in parts], np.int32), counts),
        np.repeat(np.array([part.instance for part in parts], np.uint8), counts),
    )


def join(first: GeometryBuffer, second: GeometryBuffer) -> GeometryBuffer:
    """Both buffers, ``first`` first."""
    shift = np.int32(len(first.vertices))
    return GeometryBuffer(
        np.concatenate([first.vertices, second.vertices]),
        np.concatenate([first.normals, second.normals]),
        np.concatenate([first.uvs, second.uvs]),
        np.concatenate([first.shade, second.shade]),
        np.concatenate([first.faces, second.faces + shift]),
        np.concatenate([first.material, second.material]),
        np.concatenate([first.instance, second.instance]),
    )
