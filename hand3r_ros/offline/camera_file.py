"""Reads the calibration files of ROS (``camera_calibration``, ``camera_info_manager``): YAML with camera_matrix.

The lens is named by distortion_model, in files of some versions of ``cameracalibrator`` by camera_model instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from sensor_msgs.msg import CameraInfo

from hand3r_ros.node.calibration import CalibrationError, calibration_from_camera_info
from hand3r_ros.node.distortion_models import is_fisheye
from hand3r_ros.node.lens import Calibration
from hand3r_ros.node.names import shortened
from hand3r_ros.offline.errors import RunError


def read_camera_file(path: Path, rectified: bool) -> Calibration:
    """The camera of a calibration file: pinhole and lens, no lens for rectified images.

    Raises:
        RunError: the file is missing, no calibration, or uncalibrated.

    """
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except OSError as error:
        raise RunError(f'--calibration {path} cannot be read: {error.strerror}') from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise RunError(f'--calibration {path} is not YAML: {error}') from error
    try:
        calibration = calibration_from_camera_info(_camera_info(content, rectified), rectified)
    except CalibrationError as error:
        raise RunError(f'--calibration {path}: {error}') from error
    except (AssertionError, KeyError, TypeError, ValueError, OverflowError) as error:  # CameraInfo asserts its types
        raise RunError(
            f'--calibration {path} is not a camera_info file with image_width, image_height, camera_matrix.data (9 '
            f'numbers) and projection_matrix.data (12 numbers): {_said(error)}'
        ) from error
    if calibration is None:
        raise RunError(f'--calibration {path} says that the camera is uncalibrated (fx is 0)')
    return calibration


def _camera_info(content: Any, rectified: bool) -> CameraInfo:
    matrix = _numbers(content['camera_matrix'], 9)
    projection = content.get('projection_matrix')
    return CameraInfo(
        width=int(content['image_width']),
        height=int(content['image_height']),
        k=matrix,
        p=_numbers(projection, 12) if projection else np.hstack([matrix.reshape(3, 3), np.zeros((3, 1))]).ravel(),
        distortion_model='' if rectified else _distortion_model(content),
        d=_numbers(content.get('distortion_coefficients') or {'data': []}).tolist(),
    )


def _distortion_model(content: Any) -> str:
    """As the file names it; empty when it does not. Raises CalibrationError when it names two lenses."""
    distortion, camera = (str(content.get(name) or '') for name in ('distortion_model', 'camera_model'))
    if distortion and camera and is_fisheye(camera) and not is_fisheye(distortion):
        raise CalibrationError(
            'unknown distortion',
            f"camera_model '{shortened(camera)}' and distortion_model '{shortened(distortion)}' are different lenses: "
            'remove the wrong one',
        )
    return distortion or camera


def _numbers(entry: Any, count: int | None = None) -> np.ndarray:
    values = np.array(entry['data'], float).reshape(-1)
    if count is not None and len(values) != count:
        raise ValueError(f'expected {count} numbers, found {len(values)}')
    return values


def _said(error: Exception) -> str:
    return f'{error} is missing' if isinstance(error, KeyError) else str(error)
