"""From sensor_msgs/CameraInfo to the camera of the delivered image (REP-104 binning and region of interest)."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np

from hand3r_ros.geometry import Intrinsics
from hand3r_ros.node.distortion_models import CalibrationError, lens_of
from hand3r_ros.node.lens import Calibration, LensDistortion, distorted
from hand3r_ros.node.names import shortened

__all__ = [
    'CalibrationError',
    'LatestCalibration',
    'calibration_from_camera_info',
    'intrinsics_from_camera_info',
    'lens_from_camera_info',
]

FOCAL_LENGTHS = (0.05, 100.0)
"""Shortest and longest, in lengths of the image's longer side: from fisheye lenses to telescopes, with room."""
SMALLEST_PART = 0.02
"""Of an image, that a lens shows the middle half of an image without distortion in; widest fisheye lenses: 0.1."""


def calibration_from_camera_info(message: Any, rectified: bool = False) -> Calibration | None:
    """Pinhole camera and lens of the image that ``message`` belongs to; None when it says that it is uncalibrated.

    A rectified image has no lens distortion left. Raises :class:`CalibrationError` for what cannot be used.
    """
    full = _full_camera(message, rectified)
    if full is None:
        return None
    lens = None if rectified else lens_from_camera_info(message)
    if lens is not None:
        _check_lens(full, lens)
    return Calibration(_delivered(full, message), lens)


def lens_from_camera_info(message: Any) -> LensDistortion | None:
    """Lens of the raw image, None when it does not distort; raises :class:`CalibrationError`."""
    return lens_of(str(message.distortion_model), message.d)


def intrinsics_from_camera_info(message: Any, rectified: bool = False) -> Intrinsics | None:
    """Pinhole camera of the image that ``message`` belongs to; None when it says that it is uncalibrated (K[0] = 0).

    ``rectified`` takes P (the camera of the rectified image) instead of K (that of the raw image). Both are given
    for the full sensor; binning and region of interest lead to the image that is delivered. Raises
    :class:`CalibrationError` for values that are not finite or not possible.
    """
    full = _full_camera(message, rectified)
    return None if full is None else _delivered(full, message)


def size_problem(calibration: Calibration, width: int, height: int) -> str:
    """Why a calibration is not that of an image of this size; empty when it may be."""
    camera = calibration.intrinsics
    if (camera.width, camera.height) == (width, height):
        return ''
    return f'calibration is for {camera.width}x{camera.height}, images have {width}x{height}'


def going_on_uncalibrated(why: str, fallback_focal_px: float) -> str:
    """Message for images that are used without a calibration."""
    focal = f'fallback_focal_px ({fallback_focal_px:g})' if fallback_focal_px else 'estimated'
    return f'{why}; running uncalibrated, the focal length is {focal}'


def _full_camera(message: Any, rectified: bool) -> Intrinsics | None:
    """Of the full sensor, None when it is uncalibrated."""
    k = np.asarray(message.p if rectified else message.k, float).reshape(3, -1)[:, :3]
    name = 'P' if rectified else 'K'
    if not np.isfinite(k).all():
        raise CalibrationError('non-finite calibration', f'{name} holds values that are not finite: {k.tolist()}')
    if k[0, 0] == 0.0:
        return None
    full = Intrinsics(k[0, 0], k[1, 1], k[0, 2], k[1, 2], int(message.width), int(message.height))
    _check(full, name)
    return full


def _delivered(full: Intrinsics, message: Any) -> Intrinsics:
    return _apply_binning(_apply_region(full, message.roi), message.binning_x, message.binning_y)


def _check(camera: Intrinsics, name: str) -> None:
    """Refuse what no camera has: such values do not fail, they make nonsense of every image."""
    width, height = camera.width, camera.height
    if camera.fx < 0.0 or camera.fy <= 0.0:
        raise CalibrationError('bad calibration', f'{name} has focal lengths {camera.fx:g}, {camera.fy:g}; must be > 0')
    if width <= 0 or height <= 0:
        raise CalibrationError('bad calibration', f'it is for an image of {width}x{height} pixels')
    shortest, longest = (factor * max(width, height) for factor in FOCAL_LENGTHS)
    if not (shortest <= camera.fx <= longest and shortest <= camera.fy <= longest):
        raise CalibrationError(
            'bad calibration',
            f'{name} has focal lengths {camera.fx:g}, {camera.fy:g} px, which no camera of {width}x{height} pixels has '
            f'({shortest:g} to {longest:g})',
        )
    if not (-width <= camera.cx <= 2 * width and -height <= camera.cy <= 2 * height):
        raise CalibrationError(
            'bad calibration',
            f'{name} has its principal point at {camera.cx:g}, {camera.cy:g}, far outside of {width}x{height} pixels',
        )


def _check_lens(camera: Intrinsics, lens: LensDistortion) -> None:
    """Refuse coefficients that throw the middle of the image away: wrong numbers, or those of another model."""
    size = np.array([camera.width, camera.height])
    middle = np.stack(np.meshgrid((0.25, 0.5, 0.75), (0.25, 0.5, 0.75)), -1).reshape(-1, 2) * size
    with np.errstate(all='ignore'):
        shown = distorted(middle, camera, lens)
        inside = (np.abs(shown - size / 2) <= size).all()  # not so for values that are not finite
    if not inside or (np.ptp(shown, axis=0) < SMALLEST_PART * size).any():
        raise CalibrationError(
            'bad distortion',
            f'D shows the middle of an image of {camera.width}x{camera.height} pixels outside of it, or as a point: '
            f'{shortened(str(list(lens.coefficients)))}',
        )


def _apply_region(camera: Intrinsics, region: Any) -> Intrinsics:
    if region.width == 0 or region.height == 0:
        return camera  # REP-104: all zero stands for the full image
    if region.x_offset >= camera.width or region.y_offset >= camera.height:
        raise CalibrationError(
            'bad calibration',
            f'its region of interest begins at {region.x_offset}, {region.y_offset}, outside of '
            f'{camera.width}x{camera.height} pixels',
        )
    return camera.cropped(int(region.x_offset), int(region.y_offset), int(region.width), int(region.height))


def _apply_binning(camera: Intrinsics, binning_x: int, binning_y: int) -> Intrinsics:
    x, y = max(1, int(binning_x)), max(1, int(binning_y))
    if x == y == 1:
        return camera
    width, height = camera.width // x, camera.height // y
    if width == 0 or height == 0:
        raise CalibrationError('bad calibration', f'binning {x}x{y} leaves nothing of {camera.width}x{camera.height}')
    return camera.resized(width, height)


class LatestCalibration:
    """The newest usable calibration; set by the executor's thread, read by the worker's."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calibration: Calibration | None = None
        self._received = False
        self._why_none = 'no message came yet'

    @property
    def why_none(self) -> str:
        """Why there is no calibration, when there is none."""
        with self._changed:
            return self._why_none

    def set(self, calibration: Calibration | None) -> None:
        """Remember a calibration; None stands for 'the camera says that it is uncalibrated'."""
        with self._changed:
            self._calibration = calibration
            self._received = True
            self._why_none = 'it says that the camera is uncalibrated (its focal length is 0)'
            self._changed.notify_all()

    def refuse(self, problem: str) -> str:
        """Note that a message was not usable; gives what that leads to, for the log."""
        with self._changed:
            if self._calibration is not None:
                return f'{problem}; keeping the calibration from before'
            self._why_none = problem
            return f'{problem}; running uncalibrated'

    def get(self) -> Calibration | None:
        """The newest calibration, None when there is none."""
        with self._changed:
            return self._calibration

    def wait_for(self, width: int, height: int, timeout: float) -> Calibration | None:
        """The newest calibration, after waiting up to ``timeout`` seconds for one of the given image size."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not self._fits(width, height):
                remaining = deadline - time.monotonic()
                if remaining <= 0.0:
                    break
                self._changed.wait(remaining)
            return self._calibration

    def _fits(self, width: int, height: int) -> bool:
        if not self._received:
            return False
        if self._calibration is None:
            return True
        camera = self._calibration.intrinsics
        return (camera.width, camera.height) == (width, height)
