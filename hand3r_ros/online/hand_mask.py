"""Hand mask and hand depth: hand meshes rendered into a small depth map."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from hand3r_ros.geometry import Intrinsics, project_points

NEAREST_DEPTH = 0.02  # metres; triangles closer to the camera plane are not drawn

FOREARM_LENGTH = 0.30  # metres behind the wrist
FOREARM_RADII = (0.05, 0.11)  # metres at the wrist and at the far end: wider, because wrists bend
_KNUCKLES = [5, 9, 13, 17]  # of the OpenPose keypoints, index to little finger


def mesh_depth(
    vertices_camera: NDArray[np.floating], faces: NDArray[np.integer], intrinsics: Intrinsics
) -> NDArray[np.float32]:
    """Depth along z (H, W) in metres of the nearest surface of a mesh; +inf where it does not cover the pixel.

    Args:
        vertices_camera: (V, 3) metres in optical axes.
        faces: (F, 3) triangles, either winding.
        intrinsics: of the image to draw into.

    """
    depth = np.full((intrinsics.height, intrinsics.width), np.inf, np.float32)
    pixels = np.nan_to_num(project_points(vertices_camera, intrinsics), nan=0.0, posinf=0.0, neginf=0.0)
    _draw(pixels, np.asarray(vertices_camera[:, 2], np.float64), np.asarray(faces, np.int64), depth)
    return depth


def hand_mask(
    meshes_camera: Sequence[NDArray[np.floating]],
    faces: NDArray[np.integer],
    intrinsics: Intrinsics,
    margin_pixels: int = 2,
) -> NDArray[np.bool_]:
    """(H, W) True where a hand mesh covers the pixel, grown by ``margin_pixels`` against imprecise meshes."""
    mask = np.zeros((intrinsics.height, intrinsics.width), np.uint8)
    for vertices in meshes_camera:
        mask[np.isfinite(mesh_depth(vertices, faces, intrinsics))] = 1
    if margin_pixels > 0 and mask.any():
        side = 2 * margin_pixels + 1
        return cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))).astype(bool)
    return mask.astype(bool)


def box_mask(boxes: NDArray[np.floating], margin: float, width: int, height: int) -> NDArray[np.bool_]:
    """(height, width) True inside boxes (N, 4) that were grown by ``margin`` times their size on every side."""
    mask = np.zeros((height, width), bool)
    for x1, y1, x2, y2 in np.asarray(boxes, float).reshape(-1, 4):
        grow_x, grow_y = margin * (x2 - x1), margin * (y2 - y1)
        left, right = np.clip(np.array([np.floor(x1 - grow_x), np.ceil(x2 + grow_x) + 1]), 0, width).astype(int)
        top, bottom = np.clip(np.array([np.floor(y1 - grow_y), np.ceil(y2 + grow_y) + 1]), 0, height).astype(int)
        mask[top:bottom, left:right] = True
    return mask


def forearm_mask(keypoints_camera: Sequence[NDArray[np.floating]], intrinsics: Intrinsics) -> NDArray[np.bool_]:
    """(H, W) True where the forearm of a hand may be: a cone behind the wrist, opposite to the knuckles.

    Args:
        keypoints_camera: of each hand (21, 3) metres in optical axes, OpenPose order.
        intrinsics: of the image to draw into.

    """
    mask = np.zeros((intrinsics.height, intrinsics.width), np.uint8)
    for keypoints in keypoints_camera:
        wrist = keypoints[0]
        back = wrist - keypoints[_KNUCKLES].mean(axis=0)
        back = back / max(float(np.linalg.norm(back)), 1e-9)
        # A forearm that comes from behind the camera ends where it passes it.
        length = min(FOREARM_LENGTH, (wrist[2] - NEAREST_DEPTH) / -back[2] * 0.9) if back[2] < 0.0 else FOREARM_LENGTH
        if wrist[2] <= NEAREST_DEPTH:
            continue
        outline = [
            _disc(wrist + length * part * back, radius, intrinsics)
            for part, radius in zip((0.0, 1.0), FOREARM_RADII, strict=True)
        ]
        hull = cv2.convexHull(np.concatenate(outline).astype(np.float32))
        limit = 8 * max(intrinsics.width, intrinsics.height)  # keeps far pixels inside OpenCV's integers
        cv2.fillConvexPoly(mask, np.rint(np.clip(hull, -limit, limit)).astype(np.int32), (1,))
    return mask.astype(bool)


def _disc(centre: NDArray[np.floating], radius: float, intrinsics: Intrinsics) -> NDArray[np.float64]:
    """Pixels (12, 2) around the image of a sphere."""
    turns = np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False)
    around = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    scale = np.array([intrinsics.fx, intrinsics.fy]) * radius / centre[2]
    return project_points(centre, intrinsics) + around * scale


@njit(cache=True)
def _draw(
    pixels: NDArray[np.float64], depths: NDArray[np.float64], faces: NDArray[np.int64], depth_map: NDArray[np.float32]
) -> None:  # pragma: no cover  (compiled)
    """Depth-buffered triangles; 1 / z is linear in the image. A pixel is covered when its centre is."""
    height, width = depth_map.shape
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        za, zb, zc = depths[a], depths[b], depths[c]
        if not (za > NEAREST_DEPTH and zb > NEAREST_DEPTH and zc > NEAREST_DEPTH):
            continue
        ax, ay, bx, by, cx, cy = pixels[a, 0], pixels[a, 1], pixels[b, 0], pixels[b, 1], pixels[c, 0], pixels[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-12:
            continue
        left, right = max(np.ceil(min(ax, bx, cx)), 0.0), min(np.floor(max(ax, bx, cx)), width - 1.0)
        top, bottom = max(np.ceil(min(ay, by, cy)), 0.0), min(np.floor(max(ay, by, cy)), height - 1.0)
        for y in range(int(top), int(bottom) + 1):
            for x in range(int(left), int(right) + 1):
                wa = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area
                wb = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area
                wc = 1.0 - wa - wb
                if wa >= -1e-9 and wb >= -1e-9 and wc >= -1e-9:
                    z = 1.0 / (wa / za + wb / zb + wc / zc)
                    depth_map[y, x] = min(depth_map[y, x], z)
