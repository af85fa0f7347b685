"""Lens distortion: from the distorted image to that of a pinhole camera, and pixels both ways.

The undistorted image has the size and the matrix K of the raw one. The reconstruction sees only it; everything in
pixels that the node takes in or gives out refers to the raw image, which is the one other nodes have.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from hand3r_ros.geometry import Array, Intrinsics
from hand3r_ros.online.results import FrameResult, HandDetection

FISHEYE_MODEL = 'equidistant'
COEFFICIENT_COUNTS = {'plumb_bob': (4, 5), 'rational_polynomial': (8, 12, 14), FISHEYE_MODEL: (4,)}
"""Distortion models of sensor_msgs/CameraInfo, and how many coefficients OpenCV takes for each."""
FARTHEST = 1e5
"""Pixels; what is said to be farther outside is not seen by a pinhole camera (OpenCV marks it with -1e6)."""
_ITERATIONS = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-9)


@dataclass(frozen=True)
class LensDistortion:
    """A model named as in sensor_msgs/CameraInfo and its coefficients, in the order of the message."""

    model: str
    coefficients: tuple[float, ...]


@dataclass(frozen=True)
class Calibration:
    """Camera of the delivered image; ``lens`` is None for an image without distortion."""

    intrinsics: Intrinsics
    lens: LensDistortion | None = None


class Undistorter:
    """Takes the distortion of one camera out of its images; the maps are made once.

    Raw pixels that no pinhole camera could see (beyond 90 degrees) become NaN.
    """

    def __init__(self, intrinsics: Intrinsics, lens: LensDistortion) -> None:
        self.calibration = Calibration(intrinsics, lens)
        self._lens = lens
        self._is_fisheye = lens.model == FISHEYE_MODEL
        self._K = intrinsics.matrix()
        self._coefficients = np.array(lens.coefficients, float)
        make_maps = cv2.fisheye.initUndistortRectifyMap if self._is_fisheye else cv2.initUndistortRectifyMap
        size = (intrinsics.width, intrinsics.height)
        self._maps = make_maps(self._K, self._coefficients, np.eye(3), self._K, size, cv2.CV_16SC2)

    def image(self, raw: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The undistorted image; black where the raw one shows nothing."""
        return np.asarray(cv2.remap(raw, *self._maps, cv2.INTER_LINEAR), np.uint8)

    def depth(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        """Depth (h, w) of the raw image, of any resolution, in the undistorted one (H, W): each pixel from one."""
        camera = self.calibration.intrinsics
        whole = cv2.resize(raw, (camera.width, camera.height), interpolation=cv2.INTER_NEAREST)
        return np.asarray(cv2.remap(whole, *self._maps, cv2.INTER_NEAREST), np.float32)

    def from_raw(self, pixels: ArrayLike) -> Array:
        """Pixels (N, 2) of the raw image in the undistorted one."""
        points = np.asarray(pixels, float).reshape(-1, 1, 2)
        if self._is_fisheye:
            undistorted = cv2.fisheye.undistortPoints(
                points, self._K, self._coefficients, P=self._K, criteria=_ITERATIONS
            )
        else:
            undistorted = cv2.undistortPointsIter(points, self._K, self._coefficients, np.eye(3), self._K, _ITERATIONS)
        result: Array = np.array(undistorted, float).reshape(-1, 2)
        result[~(np.abs(result) < FARTHEST).all(-1)] = np.nan
        return result

    def to_raw(self, pixels: ArrayLike) -> Array:
        """Pixels (N, 2) of the undistorted image in the raw one."""
        return distorted(pixels, self.calibration.intrinsics, self._lens)

    def detections(self, raw: tuple[HandDetection, ...]) -> tuple[HandDetection, ...]:
        """Hands of the raw image in the undistorted one, without those that are not in it."""
        moved = (replace(hand, box=box_of_midpoints(self.from_raw(midpoints_of_box(hand.box)))) for hand in raw)
        return tuple(hand for hand in moved if np.isfinite(hand.box).all())

    def result_in_raw_image(self, result: FrameResult) -> FrameResult:
        """The same result with boxes and keypoints as pixels of the raw image; nothing metric changes."""
        hands = tuple(
            replace(
                hand,
                box=box_of_midpoints(self.to_raw(midpoints_of_box(hand.box))),
                keypoints_image=self.to_raw(hand.keypoints_image).astype(hand.keypoints_image.dtype),
            )
            for hand in result.hands
        )
        return replace(result, hands=hands)


def distorted(pixels: ArrayLike, intrinsics: Intrinsics, lens: LensDistortion) -> Array:
    """Where a lens shows pixels (N, 2) of an image without distortion."""
    K, coefficients = intrinsics.matrix(), np.array(lens.coefficients, float)
    rays = (np.asarray(pixels, float).reshape(-1, 2) - K[:2, 2]) / np.diagonal(K)[:2]
    if lens.model == FISHEYE_MODEL:
        raw = cv2.fisheye.distortPoints(rays[:, None], K, coefficients)
    else:
        rays = np.concatenate([rays, np.ones((len(rays), 1))], axis=1)
        raw = cv2.projectPoints(rays, np.zeros(3), np.zeros(3), K, coefficients)[0]
    return np.asarray(raw, float).reshape(-1, 2)


class LensCorrection:
    """The undistorter of the camera in use; its maps are made again only when the camera changes."""

    def __init__(self) -> None:
        self._newest: Undistorter | None = None

    def undistorter(self, calibration: Calibration | None) -> Undistorter | None:
        """None for images without distortion."""
        if calibration is None or calibration.lens is None:
            return None
        if self._newest is None or self._newest.calibration != calibration:
            self._newest = Undistorter(calibration.intrinsics, calibration.lens)
        return self._newest


def midpoints_of_box(box: ArrayLike) -> Array:
    """(4, 2) middle of the left, upper, right and lower edge of a box x1, y1, x2, y2."""
    x1, y1, x2, y2 = np.asarray(box, float)
    x, y = (x1 + x2) / 2.0, (y1 + y2) / 2.0
    return np.array([[x1, y], [x, y1], [x2, y], [x, y2]])


def box_of_midpoints(points: Array) -> Array:
    """Box x1, y1, x2, y2 from the moved middles of its edges.

    A distorted box has bent sides. Its middles say where a hand begins and ends; its corners, where no hand is, would
    make it grow at every conversion.
    """
    return np.array([points[0, 0], points[1, 1], points[2, 0], points[3, 1]])
