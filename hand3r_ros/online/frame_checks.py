"""Checks of a camera frame before the reconstruction uses it."""

from __future__ import annotations

import numpy as np

from hand3r_ros.geometry import Intrinsics
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.online.errors import FrameRejected
from hand3r_ros.online.results import CameraFrame, HandDetection

SMALLEST_SIDE = 32
LARGEST_SIDE = 16384


def check_frame(frame: CameraFrame) -> None:
    """Raises ``FrameRejected`` naming what is wrong with the frame."""
    _check_image(frame.image)
    _check_stamp(frame.stamp_ns)
    for detection in frame.detections or ():
        _check_detection(detection)
    height, width = frame.image.shape[:2]
    if frame.intrinsics is not None:
        _check_intrinsics(frame.intrinsics, width, height)
    if frame.T_world_camera is not None:
        _check_pose(np.asarray(frame.T_world_camera))
    if frame.depth is not None:
        _check_depth(frame.depth)


def _check_image(image: np.ndarray) -> None:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        found = f'{getattr(image, "dtype", type(image).__name__)} {getattr(image, "shape", "")}'
        raise FrameRejected(f'image must be uint8 (H, W, 3) RGB, got {found}')
    if not SMALLEST_SIDE <= min(image.shape[:2]) <= max(image.shape[:2]) <= LARGEST_SIDE:
        raise FrameRejected(
            f'image sides must be {SMALLEST_SIDE} to {LARGEST_SIDE} pixels, got {image.shape[1]} x {image.shape[0]}'
        )


def _check_stamp(stamp_ns: int) -> None:
    if not isinstance(stamp_ns, int | np.integer) or isinstance(stamp_ns, bool):
        raise FrameRejected(f'stamp_ns must be whole nanoseconds, got {stamp_ns!r}')


def _check_detection(detection: HandDetection) -> None:
    """Types only: boxes that are not finite, outside of the image or without area are left out later on."""
    try:
        box = np.asarray(detection.box, float)
        usable = box.shape == (4,) and detection.side in tuple(HandSide)
        float(detection.score)
    except (AttributeError, TypeError, ValueError):
        usable = False
    if not usable:
        raise FrameRejected(f'detections must have a box of 4 numbers, a HandSide and a score, got {detection!r}')


def _check_intrinsics(intrinsics: Intrinsics, width: int, height: int) -> None:
    if (intrinsics.width, intrinsics.height) != (width, height):
        raise FrameRejected(
            f'intrinsics are for {intrinsics.width} x {intrinsics.height} pixels, the image has {width} x {height}'
        )
    values = np.array([intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy], float)
    if not np.isfinite(values).all() or intrinsics.fx <= 0.0 or intrinsics.fy <= 0.0:
        raise FrameRejected(f'intrinsics must be finite with positive focal lengths, got fx fy cx cy {values.tolist()}')


def _check_depth(depth: np.ndarray) -> None:
    """The type only: readings that make no sense are left out later on, and the frame is used without them."""
    if not isinstance(depth, np.ndarray) or depth.dtype.kind != 'f' or depth.ndim != 2 or not depth.size:
        found = f'{getattr(depth, "dtype", type(depth).__name__)} {getattr(depth, "shape", "")}'
        raise FrameRejected(f'depth must be floating point metres (H, W), got {found}')


def _check_pose(T_world_camera: np.ndarray) -> None:
    usable = T_world_camera.shape == (4, 4) and bool(np.isfinite(T_world_camera).all())
    if usable:
        rotation = T_world_camera[:3, :3]
        usable = np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3) and np.linalg.det(rotation) > 0.0
    if not usable:
        raise FrameRejected('T_world_camera must be a finite rigid transform (4, 4)')
