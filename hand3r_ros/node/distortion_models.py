"""Lens models by the name of a distortion model and its coefficients, in CameraInfo and in calibration files.

Drivers and calibration tools write other names and counts than sensor_msgs has. What can mean only one thing is taken;
a lens that is guessed wrongly bends every result, so the rest is refused.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hand3r_ros.node.lens import COEFFICIENT_COUNTS, FISHEYE_MODEL, LensDistortion
from hand3r_ros.node.names import shortened

OTHER_NAMES = {
    'fisheye': FISHEYE_MODEL,  # OpenCV
    'kannala_brandt': FISHEYE_MODEL,  # its authors; so RealSense
    'kannala_brandt4': FISHEYE_MODEL,
    'kb4': FISHEYE_MODEL,
    'equi': FISHEYE_MODEL,  # Kalibr
    'radtan': 'plumb_bob',  # Kalibr
}
"""Models of sensor_msgs under the names that others gave them."""
PINHOLE = 'pinhole'
"""Names a projection, not a distortion; the number of coefficients may tell."""


class CalibrationError(ValueError):
    """The calibration cannot be used; ``cause`` is a short name of the reason for counters."""

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause


def lens_of(name: str, coefficients: ArrayLike) -> LensDistortion | None:
    """The lens, None when it does not distort; raises :class:`CalibrationError`.

    Coefficients apply to directions, not to pixels, so binning and region of interest do not change them.
    """
    numbers = np.asarray(coefficients, float).reshape(-1)
    if not np.isfinite(numbers).all():
        values = shortened(str(numbers.tolist()))
        raise CalibrationError('non-finite calibration', f'D holds values that are not finite: {values}')
    model = _model_of(name, len(numbers))
    # Zeros mean a pinhole camera in every model but this one, in which they mean a perfect fisheye lens.
    if model != FISHEYE_MODEL and not numbers.any():
        return None
    if model is None:
        raise CalibrationError('unknown distortion', _unknown(name, len(numbers)))
    for count in sorted(COEFFICIENT_COUNTS[model], reverse=True):
        if count <= len(numbers) and not numbers[count:].any():  # zeros behind them: RealSense fills up to five
            return LensDistortion(model, tuple(numbers[:count].tolist()))
    expected = ' or '.join(str(count) for count in COEFFICIENT_COUNTS[model])
    meant = '' if model == name else f', which is {model},'
    raise CalibrationError(
        'bad distortion',
        f"D has {len(numbers)} numbers; distortion_model '{shortened(name)}'{meant} needs {expected}",
    )


def is_fisheye(name: str) -> bool:
    """Whether a name means the fisheye model."""
    return _model_of(name, 0) == FISHEYE_MODEL


def _model_of(name: str, count: int) -> str | None:
    key = name.strip().lower().replace('-', '_').replace(' ', '_')
    if key == PINHOLE:  # four are those of plumb_bob or, as Kalibr has it, of equidistant
        return next((model for model, counts in COEFFICIENT_COUNTS.items() if count in counts and count > 4), None)
    model = OTHER_NAMES.get(key, key)
    return model if model in COEFFICIENT_COUNTS else None


def _unknown(name: str, count: int) -> str:
    known = ', '.join(COEFFICIENT_COUNTS)
    if not name.strip():
        return f'D has {count} numbers, but no distortion_model says which; set one of {known}'
    return (
        f"distortion_model '{shortened(name)}' with {count} numbers is not one of {known}: rectify the image elsewhere"
    )
