"""The depth of a frame: measured where a depth camera has a reading, predicted in the scale of the readings elsewhere.

A reading is worth more than any prediction, so pixels with one take it. To the others the prediction gives what it
proves to know: a scale and a shift for the whole image are fitted to the readings robustly, and the finer relief counts
as much as it agrees with them (``_share_of_relief``). What is left between that and the readings is carried from the
border of a hole into it (``depth_filling``), so that both join without a step.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hand3r_ros.online.depth_filling import filled
from hand3r_ros.online.depth_readings import (
    FARTHEST_READING,
    LEAST_READINGS,
    DepthReadings,
    UnusableDepthError,
    believable_readings,
)
from hand3r_ros.online.errors import FrameRejected
from hand3r_ros.online.preparation import ImageGeometry
from hand3r_ros.online.results import ScaleSource

MEASURED_CONFIDENCE = 100.0
"""Of a pixel with a reading, at least. Where the network sees well, it gives 2 to 30."""

_INLIER = 0.25
"""Relative error within which the fitted prediction agrees with a reading."""
_LEAST_INLIERS = 0.3
"""Share of the readings; a fit with fewer is not kept for the frames to come."""
_FIT_STEPS = 8
_FIT_SAMPLES = 2000
_LARGEST_SCALE = 50.0
_TUKEY = 4.685
_SHIFT_PRIOR = 1e-4
"""Weight, per reading, against a shift as large as the depths: a prediction that says nothing would get that one."""

_ALIKE_IF_FAR_OFF, _FAR_OFF = 0.7, np.log(2.0)
"""A reading that differs by more than a factor of two from what is predicted needs that share of neighbours like it."""
_NEAREST_FILL = 0.05
"""Metres; nothing that is filled in lies nearer."""
_RELIEF_WINDOW = 31
"""Pixels of the network's image within which relief is told from the whole."""
_LARGEST_RELIEF = 0.3


@dataclass(frozen=True)
class DepthScale:
    """From predicted to measured depth: ``scale * depth + shift``, metres."""

    scale: float
    shift: float

    def of(self, depth: NDArray[np.floating]) -> NDArray[np.floating]:
        """Depths in the measured scale, never behind or right in front of the camera."""
        return np.maximum(self.scale * depth + self.shift, _NEAREST_FILL)

    def check(self) -> None:
        """Raises ValueError for numbers that no fit gives."""
        if not (0.0 < self.scale <= 5.0 * _LARGEST_SCALE and abs(self.shift) <= 10.0 * FARTHEST_READING):
            raise ValueError(f'its depth has a scale of {self.scale:g} and a shift of {self.shift:g} m')


@dataclass(frozen=True, eq=False)
class SceneDepth:
    """The depth of a frame and where it comes from."""

    depth: NDArray[np.float32]  # (h, w) m along z, network image
    source: ScaleSource
    measured: NDArray[np.bool_] | None = None  # (h, w) True where the depth is a reading; None: nothing was measured
    scale: DepthScale | None = None  # that the frames to come go on with where they have no readings
    refused: str = ''  # why the readings were not used; empty where they were, or there were none

    @property
    def readings(self) -> NDArray[np.float32]:
        """(h, w) m, NaN where nothing was measured."""
        measured = np.zeros(self.depth.shape, bool) if self.measured is None else self.measured
        return np.where(measured, self.depth, np.float32(np.nan))

    def confidence(self, predicted: NDArray[np.float32]) -> NDArray[np.float32]:
        """(h, w) that of the network, higher where there is a reading."""
        if self.measured is None:
            return predicted
        return np.where(self.measured, np.maximum(predicted, np.float32(MEASURED_CONFIDENCE)), predicted)


@dataclass(frozen=True, eq=False)
class SeenDepth:
    """The readings of a frame; None where there are none, and why if there should be."""

    readings: DepthReadings | None
    refused: str = ''


def look_at(aligned: NDArray[np.floating] | None, geometry: ImageGeometry, use_depth: str) -> SeenDepth:
    """The readings of a frame, before anything else is done with it.

    Args:
        aligned: (H, W) m in the view of the source image, see ``believable_readings``; None: nothing was measured.
        geometry: source image <-> network image.
        use_depth: 'auto', 'off' or 'required', as in ``ReconstructorConfig``.

    Raises:
        FrameRejected: readings are required, and there are none that can be used.

    """
    seen = SeenDepth(None)
    if aligned is not None and use_depth != 'off':
        try:
            seen = SeenDepth(believable_readings(aligned, geometry))
        except UnusableDepthError as error:
            seen = SeenDepth(None, str(error))
    if use_depth == 'required' and seen.readings is None:
        raise FrameRejected(seen.refused or "use_depth is 'required' and no depth came with the image")
    return seen


def scene_depth(
    predicted: NDArray[np.floating],
    image: NDArray[np.uint8],
    seen: SeenDepth,
    hands: NDArray[np.bool_],
    earlier: DepthScale | None = None,
) -> SceneDepth:
    """The depth of the network's image, from readings as far as there are any.

    Args:
        predicted: (h, w) m, finite.
        image: (h, w, 3) RGB.
        seen: of the frame, see ``look_at``.
        hands: (h, w) True where hands are, which take no part in the fit.
        earlier: of the frames before; a frame without readings is brought into that scale.

    """
    predicted = np.asarray(predicted, np.float32)
    if seen.readings is not None:
        return _with_readings(predicted, image, seen.readings, hands, earlier)
    if earlier is None:
        return SceneDepth(predicted, ScaleSource.NETWORK, refused=seen.refused)
    depth = earlier.of(predicted).astype(np.float32)
    return SceneDepth(depth, ScaleSource.EARLIER_DEPTH, scale=earlier, refused=seen.refused)


def fit_scale(predicted: NDArray[np.floating], measured: NDArray[np.floating]) -> DepthScale:
    """The scale and shift under which most predicted depths (N,) agree with the measured ones (N,), relatively.

    The median ratio is the start, least squares of the relative errors with weights that leave out what is far off
    (Tukey) the rest. Where the prediction does not support a shift it is 0.
    """
    step = max(1, len(predicted) // _FIT_SAMPLES)
    z, target = predicted[::step].astype(float), measured[::step].astype(float)
    ratio = float(np.exp(np.median(np.log(target / z))))
    plain = DepthScale(float(np.clip(ratio, 1.0 / _LARGEST_SCALE, _LARGEST_SCALE)), 0.0)
    rows = np.column_stack([z / target, 1.0 / target])  # the residual is rows @ (scale, shift) - 1
    prior = np.diag([0.0, _SHIFT_PRIOR * len(z) / np.median(target) ** 2])
    found = np.array([plain.scale, 0.0])
    for _ in range(_FIT_STEPS):
        residual = np.abs(rows @ found - 1.0)
        width = _TUKEY * max(1.4826 * float(np.median(residual)), 0.01)
        weight = np.square(np.clip(1.0 - np.square(residual / width), 0.0, None))
        normal = (rows * weight[:, None]).T @ rows + prior
        found = np.linalg.solve(normal + 1e-9 * np.eye(2), rows.T @ weight)
    fitted = DepthScale(float(found[0]), float(found[1]))
    if not 0.2 * plain.scale <= fitted.scale <= 5.0 * plain.scale:
        return plain
    return min(fitted, plain, key=lambda scale: float(np.median(np.abs(scale.of(z) / target - 1.0))))


def warm_up(geometry: ImageGeometry) -> None:
    """Compiles what the first frame with depth would have to wait for."""
    shape = (geometry.height, geometry.width)
    wall = np.ones((geometry.source_height, geometry.source_width), np.float32)
    wall[: geometry.source_height // 2] = 0.0
    seen = look_at(wall, geometry, 'auto')
    scene_depth(np.ones(shape, np.float32), np.zeros((*shape, 3), np.uint8), seen, np.zeros(shape, bool))


def _with_readings(
    predicted: NDArray[np.float32],
    image: NDArray[np.uint8],
    readings: DepthReadings,
    hands: NDArray[np.bool_],
    earlier: DepthScale | None,
) -> SceneDepth:
    ahead = np.maximum(predicted, np.float32(_NEAREST_FILL))
    chosen = (readings.depth > 0.0) & ~hands
    if np.count_nonzero(chosen) < LEAST_READINGS:  # hands fill the image
        chosen = readings.depth > 0.0
    scale = fit_scale(ahead[chosen], readings.depth[chosen])
    fitted = np.log(scale.of(ahead)).astype(np.float32)
    known = readings.depth > 0.0
    measured_log = np.log(np.where(known, readings.depth, np.float32(1.0)))
    doubtful = known & (np.abs(measured_log - fitted) > _FAR_OFF) & (readings.alike < _ALIKE_IF_FAR_OFF)
    if np.count_nonzero(known & ~doubtful) >= LEAST_READINGS:
        readings = readings.without(doubtful)
    known = readings.depth > 0.0
    believed = _share_of_relief(fitted, measured_log, known) * fitted
    depth = np.exp(np.clip(believed + filled(measured_log - believed, known, image), np.log(_NEAREST_FILL), 10.0))
    supported = _inliers(scale, ahead[chosen], readings.depth[chosen]) >= _LEAST_INLIERS
    kept = scale if supported or earlier is None else earlier
    return SceneDepth(np.where(known, readings.depth, depth), ScaleSource.DEPTH, known, kept)


def _share_of_relief(fitted: NDArray[np.float32], measured: NDArray[np.float32], known: NDArray[np.bool_]) -> float:
    """How much of the predicted relief the readings confirm, 0 to 1: the slope of one against the other.

    Both are logarithms of depths (h, w). The relief of a network that does not know such scenes would bring its own
    steps into holes.
    """
    weight = known.astype(np.float32)
    window = (_RELIEF_WINDOW, _RELIEF_WINDOW)
    count = np.maximum(cv2.blur(weight, window), np.float32(1e-6))

    def relief(values: NDArray[np.float32]) -> NDArray[np.floating]:
        around = values - cv2.blur(values * weight, window) / count
        return np.clip(around[known], -_LARGEST_RELIEF, _LARGEST_RELIEF)

    of_fit = relief(fitted)
    return float(np.clip(of_fit @ relief(measured) / max(float(of_fit @ of_fit), 1e-6), 0.0, 1.0))


def _inliers(scale: DepthScale, predicted: NDArray[np.floating], measured: NDArray[np.floating]) -> float:
    """Share of the readings (N,), those without one (0) aside, that agree with the fitted prediction (N,)."""
    there = measured > 0.0
    error = np.abs(scale.of(predicted[there]) / measured[there] - 1.0)
    return float(np.mean(error < _INLIER)) if len(error) else 0.0
