"""Intrinsics of a frame: calibrated, configured, or with a focal length estimated from the pointmap."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hand3r_ros.geometry import Intrinsics
from hand3r_ros.online.preparation import ImageGeometry

WEISZFELD_STEPS = 10
LEAST_USABLE_PIXELS = 50


def estimate_focal(
    points: NDArray[np.floating], confidence: NDArray[np.floating] | None = None, stride: int = 1
) -> float:
    """Focal length in pixels that best explains a pointmap (one for x and y, principal point in the image centre).

    Weiszfeld's iteration: least squares reweighted by the inverse residual, so that it minimises the sum of pixel
    distances; as CUT3R's callers do.

    Args:
        points: (H, W, 3) metres in optical axes; pixels whose x / z or y / z is not finite count as zero.
        confidence: (H, W); when given, pixels with less than median confidence are left out, as are points much
            nearer than most, whose rays may be arbitrarily steep.
        stride: take every n-th row and column only.

    Raises:
        ValueError: fewer than 50 usable points, or the focal length is not positive: the pointmap is degenerate.

    """
    height, width = points.shape[:2]
    v, u = np.mgrid[0:height:stride, 0:width:stride]
    pixels = np.stack([u - width // 2, v - height // 2], axis=-1).reshape(-1, 2).astype(float)
    chosen = points[::stride, ::stride].reshape(-1, 3).astype(float)
    if confidence is not None:
        sure = confidence[::stride, ::stride].ravel()
        depth = np.nan_to_num(chosen[:, 2], nan=0.0, posinf=0.0, neginf=0.0)
        keep = (sure >= np.median(sure)) & (depth > max(0.0, 0.1 * float(np.median(depth))))
        pixels, chosen = pixels[keep], chosen[keep]
    with np.errstate(divide='ignore', invalid='ignore'):
        rays = np.nan_to_num(chosen[:, :2] / chosen[:, 2:], nan=0.0, posinf=0.0, neginf=0.0)
    cross = (rays * pixels).sum(axis=1)
    square = (rays * rays).sum(axis=1)
    if np.count_nonzero(square) < LEAST_USABLE_PIXELS:
        raise ValueError(f'a focal length needs {LEAST_USABLE_PIXELS} usable points, found {np.count_nonzero(square)}')
    focal = cross.mean() / square.mean()
    for _ in range(WEISZFELD_STEPS):
        weight = 1.0 / np.maximum(np.linalg.norm(pixels - focal * rays, axis=1), 1e-8)
        focal = (weight * cross).mean() / (weight * square).mean()
    if not np.isfinite(focal) or focal <= 0.0:
        raise ValueError(f'the pointmap implies a focal length of {focal:g} pixels')
    return float(focal)


def centred_intrinsics(focal: float, width: int, height: int) -> Intrinsics:
    """A camera with this focal length and the principal point that ``estimate_focal`` assumes."""
    return Intrinsics(focal, focal, float(width // 2), float(height // 2), width, height)


class FocalEstimator:
    """The median of the focal lengths of the last frames: one frame's estimate jitters, the camera's does not."""

    def __init__(self, window: int = 31) -> None:
        self._recent: deque[float] = deque(maxlen=window)

    def reset(self) -> None:
        """Forget all frames (another camera, or another image size)."""
        self._recent.clear()

    def memory(self) -> tuple[float, ...]:
        """The estimates of the last frames, pixels, oldest first."""
        return tuple(self._recent)

    def restore(self, memory: tuple[float, ...]) -> None:
        """Goes on from these estimates; raises ValueError for one that is no focal length."""
        if not all(np.isfinite(focal) and focal > 0.0 for focal in memory):
            raise ValueError('a remembered focal length is not a positive number of pixels')
        self._recent.clear()
        self._recent.extend(memory)

    def update(self, points: NDArray[np.floating], confidence: NDArray[np.floating]) -> Intrinsics:
        """Intrinsics of the image that ``points`` (H, W, 3) belong to.

        Raises:
            ValueError: no frame so far gave a usable estimate.

        """
        height, width = points.shape[:2]
        try:
            # Implausible fields of view (narrower than 6, wider than 150 degrees) would poison the median.
            focal = estimate_focal(points, confidence, stride=2)
            if 0.13 * width < focal < 10.0 * width:
                self._recent.append(focal)
        except ValueError:
            if not self._recent:
                raise
        if not self._recent:
            raise ValueError('no plausible focal length follows from the predicted points')
        return centred_intrinsics(float(np.median(self._recent)), width, height)


@dataclass(frozen=True)
class FrameCameras:
    """The camera in both images of a frame."""

    source: Intrinsics
    network: Intrinsics
    calibrated: bool  # False: configured or estimated


class CameraResolver:
    """Knows the intrinsics of every frame, from the best source there is."""

    def __init__(self, fallback_focal: float) -> None:
        """``fallback_focal`` in pixels of the source image for frames without calibration; 0: estimate it."""
        self._fallback_focal = fallback_focal
        self._estimator = FocalEstimator()

    def reset(self) -> None:
        """Clears everything from earlier frames."""
        self._estimator.reset()

    def memory(self) -> tuple[float, ...]:
        """What ``restore`` needs: the focal lengths of the last frames."""
        return self._estimator.memory()

    def restore(self, memory: tuple[float, ...]) -> None:
        """Restores what ``memory`` gave."""
        self._estimator.restore(memory)

    def known(self, given: Intrinsics | None, geometry: ImageGeometry) -> Intrinsics | None:
        """The camera of the source image as far as it is known without looking: calibrated or configured."""
        if given is None and self._fallback_focal > 0.0:
            return centred_intrinsics(self._fallback_focal, geometry.source_width, geometry.source_height)
        return given

    def resolve(
        self,
        given: Intrinsics | None,
        geometry: ImageGeometry,
        points: NDArray[np.floating],
        confidence: NDArray[np.floating],
    ) -> FrameCameras:
        """The cameras of a frame with these predicted points (h, w, 3).

        Raises:
            ValueError: nothing is given and no focal length follows from the points.

        """
        source = self.known(given, geometry)
        if source is not None:
            return FrameCameras(source, geometry.intrinsics_to_network(source), given is not None)
        network = self._estimator.update(points, confidence)
        return FrameCameras(geometry.intrinsics_to_source(network), network, False)
