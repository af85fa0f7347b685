"""Draws a scene: the parts that never move are prepared once, the moving ones are added to every frame."""

from __future__ import annotations

from collections.abc import Sequence as Seq
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hand3r_lab.scenes import instances, shading
from hand3r_lab.scenes.geometry_buffer import GeometryBuffer, Part, collect, join
from hand3r_lab.scenes.hands import hand_faces
from hand3r_lab.scenes.textures import TextureBank
from hand3r_ros.geometry import Intrinsics, invert_transform
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.visualization import rasterizer

_DEPTH_STEP = 0.03  # relative; larger jumps between neighbours are outlines
_SILHOUETTE_SIZE = 80  # pixels of the longer side


@dataclass(frozen=True, eq=False)
class Drawing:
    """A drawn frame before the camera's effects."""

    linear: NDArray[np.float32]  # (H, W, 3) linear light
    depth: NDArray[np.float32]  # (H, W) m, 0 = nothing
    segmentation: NDArray[np.uint8]  # (H, W)


class Renderer:
    """A static scene with its lights; holds no state that changes between frames."""

    def __init__(
        self,
        static: GeometryBuffer,
        materials: NDArray[np.float32],
        bank: TextureBank,
        lighting: shading.Lighting,
    ) -> None:
        self._static = static
        self._materials = materials
        self._bank = bank
        self._lighting = lighting
        self._static_shadows = shading.cast_shadows(lighting, _casters(static))

    def draw(self, moving: Seq[Part], T_world_camera: NDArray[np.float64], intrinsics: Intrinsics) -> Drawing:
        """Draws the scene with the ``moving`` parts from a camera."""
        geometry, shadows = self._static, self._static_shadows
        if moving:
            added = collect(moving)
            geometry = join(self._static, added)
            shadows = shading.cast_shadows(self._lighting, added, shadows)
        inverse_depth, triangle, weights = visibility(geometry, T_world_camera, intrinsics)
        hit = triangle >= 0
        linear = shading.shade(
            geometry,
            triangle,
            weights,
            T_world_camera[:3, 3],
            intrinsics.fx,
            self._materials,
            self._bank,
            self._lighting,
            shadows,
        )
        depth = np.divide(np.float32(1.0), inverse_depth, out=np.zeros_like(inverse_depth), where=hit)
        segmentation = np.where(hit, geometry.instance[triangle], np.uint8(instances.NOTHING))
        return Drawing(_soften_outlines(linear, inverse_depth, segmentation), depth, segmentation)


def visibility(
    geometry: GeometryBuffer, T_world_camera: NDArray[np.float64], intrinsics: Intrinsics
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]]:
    """Inverse depth (H, W), visible triangle (H, W) and barycentric weights (H, W, 2) of every pixel."""
    shape = (intrinsics.height, intrinsics.width)
    points = np.empty_like(geometry.vertices)
    rasterizer.transform_vertices(invert_transform(T_world_camera)[:3], geometry.vertices, points)
    inverse_depth = np.zeros(shape, np.float32)
    triangle = np.full(shape, rasterizer.NO_TRIANGLE, np.int32)
    weights = np.zeros((*shape, 2), np.float32)
    camera = np.array([intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy])
    rasterizer.rasterize_perspective(points, geometry.faces, camera, rasterizer.NEAR, inverse_depth, triangle, weights)
    return inverse_depth, triangle, weights


def silhouette_area(vertices_camera: NDArray[np.float64], side: HandSide, intrinsics: Intrinsics) -> float:
    """Pixels that a hand alone would cover in an endless image; ``vertices_camera`` (778, 3) in front of the camera."""
    slopes = vertices_camera[:, :2] / vertices_camera[:, 2:]
    low, high = slopes.min(0), slopes.max(0)
    step = float((high - low).max()) / (_SILHOUETTE_SIZE - 2)  # slope per pixel of the small picture
    camera = np.array([1.0 / step, 1.0 / step, 1.0 - low[0] / step, 1.0 - low[1] / step])
    width, height = (int(np.ceil(length)) + 2 for length in (high - low) / step)
    inverse_depth = np.zeros((height, width), np.float32)
    triangle = np.full((height, width), rasterizer.NO_TRIANGLE, np.int32)
    weights = np.zeros((height, width, 2), np.float32)
    rasterizer.rasterize_perspective(
        vertices_camera.astype(np.float32), hand_faces(side), camera, rasterizer.NEAR, inverse_depth, triangle, weights
    )
    return float(np.count_nonzero(triangle >= 0)) * step * intrinsics.fx * step * intrinsics.fy


def _casters(static: GeometryBuffer) -> GeometryBuffer:
    """The static parts that cast shadows: all but the room's shell."""
    keep = static.instance != instances.ROOM
    return GeometryBuffer(
        static.vertices,
        static.normals,
        static.uvs,
        static.shade,
        np.ascontiguousarray(static.faces[keep]),
        static.material[keep],
        static.instance[keep],
    )


@njit(cache=True, fastmath=True, error_model='numpy')
def _soften_outlines(
    linear: NDArray[np.float32], inverse_depth: NDArray[np.float32], segmentation: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Blends pixels at outlines with their neighbours, as a sensor's pixels of finite size do."""
    height, width = segmentation.shape
    out = linear.copy()
    for v in range(1, height - 1):
        for u in range(1, width - 1):
            here, q = segmentation[v, u], inverse_depth[v, u]
            limit = _DEPTH_STEP * q
            if not (
                segmentation[v, u - 1] != here
                or segmentation[v, u + 1] != here
                or segmentation[v - 1, u] != here
                or segmentation[v + 1, u] != here
                or abs(inverse_depth[v, u - 1] - q) > limit
                or abs(inverse_depth[v, u + 1] - q) > limit
                or abs(inverse_depth[v - 1, u] - q) > limit
                or abs(inverse_depth[v + 1, u] - q) > limit
            ):
                continue
            for k in range(3):
                sides = linear[v, u - 1, k] + linear[v, u + 1, k] + linear[v - 1, u, k] + linear[v + 1, u, k]
                corners = (
                    linear[v - 1, u - 1, k]
                    + linear[v - 1, u + 1, k]
                    + linear[v + 1, u - 1, k]
                    + linear[v + 1, u + 1, k]
                )
                out[v, u, k] = 0.4 * linear[v, u, k] + 0.11 * sides + 0.04 * corners
    return out
