"""From sensor_msgs/CameraInfo to the camera of the delivered image (REP-104 binning and region of interest)."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np

from hand3r_ros.geometry import Intrinsics
from hand3r_ros.node.lens import COEFFICIENT_COUNTS, FISHEYE_MODEL, Calibration, LensDistortion
from hand3r_ros.node.names import shortened


class CalibrationError(ValueError):
    """The CameraInfo cannot be used; ``cause`` is a short name of the reason for counters."""

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause


def calibration_from_camera_info(message: Any, rectified: bool = False) -> Calibration | None:
    """Pinhole camera and lens of the image that ``message`` belongs to; None when it says that it is uncalibrated.

    A rectified image has no lens distortion left. Raises :class:`CalibrationError` for what cannot be used.
    """
    intrinsics = intrinsics_from_camera_info(message, rectified)
    if intrinsics is None:
        return None
    return Calibration(intrinsics, None if rectified else lens_from_camera_info(message))


def lens_from_camera_info(message: Any) -> LensDistortion | None:
    """Lens of the raw image, None when it does not distort; raises :class:`CalibrationError`.

    Coefficients apply to directions, not to pixels, so binning and region of interest do not change them.
    """
    model, coefficients = str(message.distortion_model), np.asarray(message.d, float)
    if not np.isfinite(coefficients).all():
        values = shortened(str(coefficients.tolist()))
        raise CalibrationError('non-finite calibration', f'D holds values that are not finite: {values}')
    # Zeros mean a pinhole camera in every model but this one, in which they mean a perfect fisheye lens.
    if not len(coefficients) or (model != FISHEYE_MODEL and not coefficients.any()):
        return None
    counts = COEFFICIENT_COUNTS.get(model)
    if counts is None:
        known = ', '.join(COEFFICIENT_COUNTS)
        raise CalibrationError(
            'unknown distortion',
            f"distortion_model '{shortened(model)}' is not one of {known}: rectify the image elsewhere",
        )
    if len(coefficients) not in counts:
        expected = ' or '.join(str(count) for count in counts)
        raise CalibrationError(
            'bad distortion', f"D has {len(coefficients)} numbers; distortion_model '{model}' needs {expected}"
        )
    return LensDistortion(model, tuple(coefficients.tolist()))


def intrinsics_from_camera_info(message: Any, rectified: bool = False) -> Intrinsics | None:
    """Pinhole camera of the image that ``message`` belongs to; None when it says that it is uncalibrated (K[0] = 0).

    ``rectified`` takes P (the camera of the rectified image) instead of K (that of the raw image). Both are given
    for the full sensor; binning and region of interest lead to the image that is delivered. Raises
    :class:`CalibrationError` for values that are not finite or not possible.
    """
    k = np.asarray(message.p if rectified else message.k, float).reshape(3, -1)[:, :3]
    name = 'P' if rectified else 'K'
    if not np.isfinite(k).all():
        raise CalibrationError('non-finite calibration', f'{name} holds values that are not finite: {k.tolist()}')
    if k[0, 0] == 0.0:
        return None
    if k[0, 0] < 0.0 or k[1, 1] <= 0.0:
        raise CalibrationError('bad calibration', f'{name} has focal lengths {k[0, 0]:g}, {k[1, 1]:g}; must be > 0')
    full = Intrinsics(k[0, 0], k[1, 1], k[0, 2], k[1, 2], int(message.width), int(message.height))
    return _apply_binning(_apply_region(full, message.roi), message.binning_x, message.binning_y)


def _apply_region(camera: Intrinsics, region: Any) -> Intrinsics:
    if region.width == 0 or region.height == 0:
        return camera  # REP-104: all zero stands for the full image
    return camera.cropped(int(region.x_offset), int(region.y_offset), int(region.width), int(region.height))


def _apply_binning(camera: Intrinsics, binning_x: int, binning_y: int) -> Intrinsics:
    x, y = max(1, int(binning_x)), max(1, int(binning_y))
    return camera if x == y == 1 else camera.resized(camera.width // x, camera.height // y)


class LatestCalibration:
    """The newest usable calibration; set by the executor's thread, read by the worker's."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calibration: Calibration | None = None
        self._received = False

    def set(self, calibration: Calibration | None) -> None:
        """Remember a calibration; None stands for 'the camera says that it is uncalibrated'."""
        with self._changed:
            self._calibration = calibration
            self._received = True
            self._changed.notify_all()

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
