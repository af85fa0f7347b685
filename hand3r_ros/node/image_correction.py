"""From the published image to that of a pinhole camera, neither mirrored nor distorted, and pixels both ways.

A mirrored image (the selfie view of webcams and phones) shows what no camera with right-handed axes sees: a left hand
looks like a right one in it. It is turned round before anything else, together with the camera's calibration, which is
that of the mirrored image. So the optical frame has x to the camera's own right, and points, poses, meshes, sides and
depth are those of the real world. What is in pixels, and the side a hand has to a detector that looks at the published
image, refers to the image as it was published.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hand3r_ros.geometry import Array, Intrinsics
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.node.lens import FISHEYE_MODEL, Calibration, LensCorrection, LensDistortion, Undistorter
from hand3r_ros.online.results import FrameResult, HandDetection

SAME_ASPECT = 0.02
"""Relative difference of two ratios of width to height that still show the same view."""

_ODD_IN_X = (3, 8, 9, 13)
"""Of k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4 tau_x tau_y those that change sign when x does: p2, s1, s2, tau_y."""


class ImageCorrection:
    """What lies between the images of one camera and those that are reconstructed; does nothing where nothing is to do.

    ``intrinsics`` is the camera of the corrected image, None when it is not known.
    """

    def __init__(self, width: int, mirrored: bool, intrinsics: Intrinsics | None, lens: Undistorter | None) -> None:
        self._width, self._mirrored, self._lens = width, mirrored, lens
        self.intrinsics = intrinsics

    def image(self, published: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The corrected image (H, W, 3)."""
        image = np.ascontiguousarray(published[:, ::-1]) if self._mirrored else published
        return image if self._lens is None else self._lens.image(image)

    def depth(self, published: NDArray[np.float32]) -> NDArray[np.float32]:
        """Depth (h, w) that is registered to the published image, at the pixels of the corrected one; never mixed."""
        depth = np.ascontiguousarray(published[:, ::-1]) if self._mirrored else published
        return depth if self._lens is None or not same_view(depth, self._lens) else self._lens.depth(depth)

    def detections(self, published: tuple[HandDetection, ...] | None) -> tuple[HandDetection, ...] | None:
        """Hands of the published image in the corrected one, without those that are not in it; None stays None."""
        if published is None:
            return None
        if self._mirrored:
            published = tuple(
                replace(hand, box=mirrored_box(hand.box, self._width), side=other_side(hand.side)) for hand in published
            )
        return published if self._lens is None else self._lens.detections(published)

    def result_as_published(self, result: FrameResult) -> FrameResult:
        """The same result with boxes and keypoints as pixels of the published image; nothing metric changes."""
        if self._lens is not None:
            result = self._lens.result_in_raw_image(result)
        if not self._mirrored:
            return result
        hands = tuple(
            replace(
                hand,
                box=mirrored_box(hand.box, self._width),
                keypoints_image=mirrored_pixels(hand.keypoints_image, self._width).astype(hand.keypoints_image.dtype),
            )
            for hand in result.hands
        )
        return replace(result, hands=hands)


class ImageCorrections:
    """The correction of the camera in use; ``mirrored`` says that its images are mirrored left to right."""

    def __init__(self, mirrored: bool) -> None:
        self._mirrored = mirrored
        self._lenses = LensCorrection()

    def of(self, calibration: Calibration | None, width: int) -> ImageCorrection:
        """For images ``width`` pixels wide, with the calibration of the published image."""
        if calibration is not None and self._mirrored:
            calibration = mirrored_calibration(calibration)
        intrinsics = None if calibration is None else calibration.intrinsics
        return ImageCorrection(width, self._mirrored, intrinsics, self._lenses.undistorter(calibration))


def same_view(depth: NDArray[np.float32], lens: Undistorter) -> bool:
    """Whether depth can be that of the lens's image in another resolution; if not, it is refused later on."""
    camera, (height, width) = lens.calibration.intrinsics, depth.shape
    return abs(width * camera.height / (height * camera.width) - 1.0) < SAME_ASPECT


def mirrored_calibration(calibration: Calibration) -> Calibration:
    """The calibration of the same image mirrored left to right: principal point and distortion change sides."""
    camera, lens = calibration.intrinsics, calibration.lens
    camera = replace(camera, cx=camera.width - 1 - camera.cx)
    if lens is None or lens.model == FISHEYE_MODEL:  # that model is the same in all directions
        return Calibration(camera, lens)
    coefficients = (-value if index in _ODD_IN_X else value for index, value in enumerate(lens.coefficients))
    return Calibration(camera, LensDistortion(lens.model, tuple(coefficients)))


def mirrored_pixels(pixels: ArrayLike, width: int) -> Array:
    """Pixels (N, 2) of an image in the same image mirrored left to right."""
    points = np.array(pixels, float)
    points[:, 0] = width - 1 - points[:, 0]
    return points


def mirrored_box(box: ArrayLike, width: int) -> Array:
    """A box x1, y1, x2, y2 in the image mirrored left to right."""
    x1, y1, x2, y2 = np.asarray(box, float)
    return np.array([width - 1 - x2, y1, width - 1 - x1, y2])


def other_side(side: HandSide) -> HandSide:
    """What a hand looks like in the mirror."""
    return HandSide.LEFT if side == HandSide.RIGHT else HandSide.RIGHT
