"""What lens and shutter do to positions: mild residual distortion, and blur along the motion of every pixel.

The exposure is centred on the frame's time stamp, so the ground truth is the middle of the smear. The distortion is
what a calibration leaves over: the ground truth stays that of the ideal pinhole, at most ``MAX_DISTORTION`` away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hand3r_ros.geometry import Intrinsics, invert_transform

MAX_DISTORTION = 0.006
"""Largest displacement at an image corner, as a share of half the image's width."""

_LONGEST_SMEAR = 0.06  # of the image's width; real cameras shorten the exposure before that
_SHORTEST_SMEAR = 0.5  # pixels; less does not show
_INSTANCES = 256


@dataclass(frozen=True, eq=False)
class Motion:
    """How the camera and the moving instances move at the time of a frame, in the camera's optical frame."""

    linear: NDArray[np.float64]  # (3,) m/s of the camera
    angular: NDArray[np.float64]  # (3,) rad/s of the camera
    instances: NDArray[np.float64]  # (256, 3) m/s of what has this value in the segmentation, seen by a still camera


def camera_motion(T_world_camera: NDArray[np.float64], index: int, fps: float) -> Motion:
    """Motion of a camera path (T, 4, 4) at frame ``index``, from its neighbours; nothing else moves."""
    first, last = max(index - 1, 0), min(index + 1, len(T_world_camera) - 1)
    still = np.zeros((_INSTANCES, 3))
    if first == last:
        return Motion(np.zeros(3), np.zeros(3), still)
    duration = (last - first) / fps
    T_camera_world = invert_transform(T_world_camera[index])[:3, :3]
    travel = T_world_camera[last, :3, 3] - T_world_camera[first, :3, 3]
    turn = T_world_camera[first, :3, :3].T @ T_world_camera[last, :3, :3]
    angular = Rotation.from_matrix(turn).as_rotvec() / duration
    return Motion(T_camera_world @ travel / duration, angular, still)


def pixel_flow(
    depth: NDArray[np.float32],
    segmentation: NDArray[np.uint8],
    intrinsics: Intrinsics,
    motion: Motion,
    exposure: float,
) -> NDArray[np.float32]:
    """(H, W, 2) pixels that every pixel travels during an ``exposure`` in seconds."""
    flow = np.zeros((*depth.shape, 2), np.float32)
    camera = np.array([intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy])
    twist = np.concatenate([motion.linear, motion.angular])
    _pixel_flow(depth, segmentation, camera, twist, motion.instances, exposure, flow)
    return flow


def resample(linear: NDArray[np.float32], distortion: float, flow: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """The picture (H, W, 3) through a lens with residual ``distortion``, smeared along ``flow`` (H, W, 2) px.

    ``distortion`` is the displacement at the image corner as a share of half the width; positive moves what is seen
    there towards the centre (barrel). It grows with the cube of the distance from the centre.
    """
    if distortion == 0.0 and flow is None:
        return linear
    out = np.empty_like(linear)
    smear = np.zeros((1, 1, 2), np.float32) if flow is None else flow
    _resample(linear, distortion, smear, flow is not None, out)
    return out


def displacement(u: float, v: float, width: int, height: int, distortion: float) -> tuple[float, float]:
    """Pixels by which the picture at (u, v) comes from further outside (positive ``distortion``)."""
    x, y = _displacement(u, v, width, height, distortion)
    return float(x), float(y)


@njit(cache=True, fastmath=True, error_model='numpy')
def _displacement(u: float, v: float, width: int, height: int, distortion: float) -> tuple[float, float]:
    half_width, half_height = 0.5 * (width - 1.0), 0.5 * (height - 1.0)
    x, y = u - half_width, v - half_height
    corner = half_width * half_width + half_height * half_height + 1e-9
    # radius r: distortion * half_width * (r / corner radius)^3 along the radius
    scale = distortion * half_width * (x * x + y * y) / (corner * math.sqrt(corner))
    return x * scale, y * scale


@njit(cache=True, fastmath=True, error_model='numpy')
def _pixel_flow(
    depth: NDArray,
    segmentation: NDArray,
    camera: NDArray,
    twist: NDArray,
    instances: NDArray,
    exposure: float,
    flow: NDArray,
) -> None:
    height, width = depth.shape
    fx, fy, cx, cy = camera[0], camera[1], camera[2], camera[3]
    longest = _LONGEST_SMEAR * width
    wx, wy, wz = twist[3], twist[4], twist[5]
    for v in range(height):
        y = (v - cy) / fy
        for u in range(width):
            if depth[v, u] <= 0.0:
                continue
            x, inverse = (u - cx) / fx, 1.0 / depth[v, u]
            what = segmentation[v, u]
            # velocity of the point relative to the camera, divided by its depth
            dx = (instances[what, 0] - twist[0]) * inverse - (wy - wz * y)
            dy = (instances[what, 1] - twist[1]) * inverse - (wz * x - wx)
            dz = (instances[what, 2] - twist[2]) * inverse - (wx * y - wy * x)
            du, dv = fx * (dx - x * dz) * exposure, fy * (dy - y * dz) * exposure
            length = math.sqrt(du * du + dv * dv)
            shrink = longest / length if length > longest else 1.0
            flow[v, u, 0], flow[v, u, 1] = du * shrink, dv * shrink


@njit(cache=True, fastmath=True, error_model='numpy')
def _resample(linear: NDArray, distortion: float, flow: NDArray, moves: bool, out: NDArray) -> None:
    height, width = linear.shape[:2]
    zero = np.float32(0.0)
    for v in range(height):
        for u in range(width):
            x, y = float(u), float(v)
            if distortion != 0.0:
                shift_x, shift_y = _displacement(x, y, width, height, distortion)
                x, y = x + shift_x, y + shift_y
            if moves:
                du, dv = flow[v, u, 0], flow[v, u, 1]
                length = max(abs(du), abs(dv))
                if length > _SHORTEST_SMEAR:  # taps less than a pixel apart need no interpolation
                    steps = int(length * 1.2) + 2
                    share = 1.0 / steps
                    x, y = x + (0.5 * share - 0.5) * du + 0.5, y + (0.5 * share - 0.5) * dv + 0.5
                    du, dv = du * share, dv * share
                    red, green, blue = zero, zero, zero
                    for _ in range(steps):
                        column = min(max(int(x), 0), width - 1)
                        row = min(max(int(y), 0), height - 1)
                        red += linear[row, column, 0]
                        green += linear[row, column, 1]
                        blue += linear[row, column, 2]
                        x, y = x + du, y + dv
                    out[v, u, 0], out[v, u, 1], out[v, u, 2] = red * share, green * share, blue * share
                    continue
            px, py = min(max(x, 0.0), width - 1.0), min(max(y, 0.0), height - 1.0)
            left, top = int(px), int(py)
            right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
            a, b = np.float32(px - left), np.float32(py - top)
            for k in range(3):
                upper = linear[top, left, k] + a * (linear[top, right, k] - linear[top, left, k])
                lower = linear[bottom, left, k] + a * (linear[bottom, right, k] - linear[bottom, left, k])
                out[v, u, k] = upper + b * (lower - upper)
