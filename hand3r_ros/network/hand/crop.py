"""Cutting a hand out of an image exactly as the published HaMeR network saw it in training.

The square crop is sampled bilinearly at positions rounded to 1/32 pixel (what OpenCV up to 4.14 does and what the
published numbers rest on), after a Gaussian blur when the crop shrinks the image. Which of two neighbouring positions
is taken is decided by the last bits of the arithmetic, so the affine map goes through the same float32 points, solver
and inversion as there. Output rows depend on
image rows only and columns on columns, so sampling and blur together are one small sparse matrix per axis: nothing
outside the crop is ever touched, and a left hand is mirrored by reversing the columns of a matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix

MEAN = np.array([0.485, 0.456, 0.406])
"""ImageNet channel means, red first, of values 0..1."""

STANDARD_DEVIATION = np.array([0.229, 0.224, 0.225])

ASPECT_WIDTH, ASPECT_HEIGHT = np.float32(192.0), np.float32(256.0)
"""Boxes grow to this aspect first: that of the part of the crop that the network looks at."""

_OFFSET = (255.0 * MEAN).astype(np.float32)[:, None, None]
_GAIN = (1.0 / (255.0 * STANDARD_DEVIATION)).astype(np.float32)[:, None, None]
_BLUR_ABOVE = 1.1
_SUBPIXELS = 32
_FIXED_POINT = 1024
_LARGEST_COORDINATE = 1e5


@dataclass(frozen=True)
class HandCrop:
    """A network-ready crop and where it lies in the image."""

    pixels: NDArray[np.float32]  # (3, C, C) RGB, ImageNet-normalised, left hands mirrored to look right
    center: NDArray[np.float32]  # (2,) x, y of the crop's centre in image pixels, not mirrored
    size: float  # side of the square crop in image pixels


def hand_crop(
    image_rgb: NDArray[np.uint8], box: ArrayLike, is_right: bool, rescale: float = 2.0, crop_size: int = 256
) -> HandCrop:
    """The normalised crop around a hand; parts outside the image are black.

    Args:
        image_rgb: (H, W, 3) uint8.
        box: x1, y1, x2, y2 in pixels, tight around the hand; may reach outside the image.
        is_right: left hands (False) are mirrored, so that the network always sees a right-looking hand.
        rescale: context around the box; 2.0 is what the published network is run with.
        crop_size: side of the crop in pixels.

    Raises:
        ValueError: the image has another type or shape, or the box is not finite or has no area.

    """
    if image_rgb.dtype != np.uint8 or image_rgb.ndim != 3 or image_rgb.shape[2] != 3:
        raise ValueError(f'image_rgb must be uint8 (H, W, 3), got {image_rgb.dtype} {image_rgb.shape}')
    height, width = image_rgb.shape[:2]
    center, size = crop_square(box, rescale)
    sigma = blur_sigma(size, crop_size)
    center_x = center[0] if is_right else np.float32(width) - center[0] - np.float32(1.0)
    starts, steps, y = _fixed_point_positions(_image_from_crop(center_x, center[1], size, crop_size), crop_size)
    rows = _axis_matrix(y, height, sigma, mirrored=False)
    levels = np.empty((3, crop_size, crop_size), np.float32)
    for start in np.unique(starts):  # one, but for a tie that rounding noise decides differently from row to row
        columns = _axis_matrix(start + steps, width, sigma, mirrored=not is_right)
        levels[:, starts == start] = _sample(image_rgb, rows[starts == start], columns)
    if sigma is None:
        levels = np.floor(levels + np.float32(0.5))  # a uint8 image stays one
    return HandCrop((levels - _OFFSET) * _GAIN, center, size)


def crop_square(box: ArrayLike, rescale: float = 2.0) -> tuple[NDArray[np.float32], float]:
    """Centre (2,) and side of the square crop around a box x1, y1, x2, y2, in pixels, in HaMeR's float32 arithmetic.

    The side is ``rescale * max(height, 4/3 width)``. Raises ValueError for a box that is not finite or has no area.
    """
    corners = np.asarray(box, dtype=np.float32)
    if corners.shape != (4,) or not np.all(np.abs(corners) < _LARGEST_COORDINATE):
        raise ValueError(f'box must be four finite pixel coordinates x1, y1, x2, y2, got {np.asarray(box).tolist()}')
    extent = corners[2:] - corners[:2]
    if not np.all(extent > 0.0):
        raise ValueError(f'box must have x1 < x2 and y1 < y2, got {corners.tolist()}')
    center = ((corners[2:] + corners[:2]) / np.float32(2.0)).astype(np.float32)
    # Through the unit of 200 pixels, as the original annotations store it: decides the last bit of the side.
    box_width, box_height = np.float32(rescale) * extent / np.float32(200.0) * np.float32(200.0)
    return center, float(max(box_height, box_width * ASPECT_HEIGHT / ASPECT_WIDTH))


def blur_sigma(size: float, crop_size: int) -> float | None:
    """Standard deviation in image pixels of the blur against aliasing; None where the crop hardly shrinks."""
    shrink = size / crop_size / 2.0
    return (shrink - 1.0) / 2.0 if shrink > _BLUR_ABOVE else None


def _image_from_crop(x: np.float32, y: np.float32, size: float, crop_size: int) -> NDArray[np.float64]:
    """(2, 3) map from crop to image pixels, to the last bit what ``cv2.warpAffine`` makes of the one it is given."""
    half, half_crop = np.float32(0.5 * size), np.float32(0.5 * crop_size)
    offsets = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]], np.float32)  # centre, down, right
    center = np.array([x, y], np.float64)
    image_points = (center + offsets * half).astype(np.float32)
    (a, b, c), (d, e, f) = cv2.getAffineTransform(image_points, (1.0 + offsets) * half_crop).tolist()
    scale = 1.0 / (a * e - b * d)
    a, b, d, e = e * scale, -b * scale, -d * scale, a * scale
    return np.array([[a, b, -a * c - b * f], [d, e, -d * c - e * f]])


def _fixed_point_positions(
    image_from_crop: NDArray[np.float64], crop_size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Sample positions (C,) in 1/1024 pixel: where rows start along x, the steps from there, and along y."""
    (scale_x, skew_x, start_x), (_, scale_y, start_y) = image_from_crop
    index = np.arange(crop_size, dtype=np.float64)
    starts = np.rint((skew_x * index + start_x) * _FIXED_POINT)  # the skew is rounding noise
    steps = np.rint(scale_x * index * _FIXED_POINT)
    y = np.rint((scale_y * index + start_y) * _FIXED_POINT)
    return starts.astype(np.int64), steps.astype(np.int64), y.astype(np.int64)


def _axis_matrix(positions: NDArray[np.int64], length: int, sigma: float | None, mirrored: bool) -> csr_matrix:
    """(C, length) matrix that blurs and samples one image axis; pixels outside the image count as zero."""
    subpixel = (positions + _FIXED_POINT // _SUBPIXELS // 2) // (_FIXED_POINT // _SUBPIXELS)  # (C,) in 1/32 pixel
    first, fraction = subpixel // _SUBPIXELS, (subpixel % _SUBPIXELS) / _SUBPIXELS
    index = np.stack([first, first + 1], axis=1)  # (C, 2)
    weight = np.stack([1.0 - fraction, fraction], axis=1)
    weight[(index < 0) | (index >= length)] = 0.0
    index = index.clip(0, length - 1)
    if sigma is not None:
        offsets, kernel = _gaussian(sigma)
        index = (index[:, :, None] + offsets).clip(0, length - 1)  # the border pixel continues outside
        weight = weight[:, :, None] * kernel
    index, weight = index.reshape(len(positions), -1), weight.reshape(len(positions), -1)
    if mirrored:
        index = length - 1 - index
    bounds = np.arange(0, index.size + 1, index.shape[1])
    matrix = csr_matrix((weight.ravel().astype(np.float32), index.ravel(), bounds), shape=(len(positions), length))
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix


def _gaussian(sigma: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Offsets and weights of a Gaussian cut at four standard deviations."""
    radius = int(4.0 * sigma + 0.5)
    offsets = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    return offsets, kernel / kernel.sum()


def _sample(image: NDArray[np.uint8], rows: csr_matrix, columns: csr_matrix) -> NDArray[np.float32]:
    """Grey levels (3, C, C); float32 holds un-blurred ones (multiples of 1/1024) exactly."""
    levels = np.zeros((3, rows.shape[0], columns.shape[0]), np.float32)
    if not rows.nnz or not columns.nnz:
        return levels
    top, bottom = int(rows.indices.min()), int(rows.indices.max()) + 1
    left, right = int(columns.indices.min()), int(columns.indices.max()) + 1
    rows, columns = rows[:, top:bottom], columns[:, left:right]
    for channel, plane in enumerate(cv2.split(image[top:bottom, left:right])):
        by_row = rows @ plane.astype(np.float32)  # (C, right - left)
        cv2.transpose(columns @ cv2.transpose(by_row), dst=levels[channel])
    return levels
