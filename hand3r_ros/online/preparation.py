"""From a camera image to the network's image, the way CUT3R prepares its input, and the mapping between their pixels.

The image is scaled so that its long side is the network's (Lanczos when it shrinks, bicubic otherwise), then cut
around its centre to multiples of the patch size; square images become 4:3. Both steps together are one affine map,
which boxes, keypoints and intrinsics go through in either direction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from torch import Tensor

from hand3r_ros.geometry import Array, Intrinsics


@dataclass(frozen=True)
class ImageGeometry:
    """How pixels of the source image correspond to pixels of the network's image (centres at integers)."""

    source_width: int
    source_height: int
    scaled_width: int
    scaled_height: int
    left: int  # first column of the scaled image that is kept
    top: int
    width: int  # of the network's image
    height: int

    @classmethod
    def for_image(
        cls, width: int, height: int, long_side: int, patch_size: int = 16, square_ok: bool = False
    ) -> ImageGeometry:
        """The preparation of a ``width`` x ``height`` image for a network with this long side.

        Args:
            width: of the source image in pixels.
            height: of the source image in pixels.
            long_side: of the scaled image in pixels, before the cut.
            patch_size: the result's sides are multiples of it.
            square_ok: leave square images square instead of cutting them to 4:3.

        Raises:
            ValueError: the image is empty, or so elongated that less than one patch is left.

        """
        if width < 1 or height < 1:
            raise ValueError(f'image must not be empty, got {width} x {height} pixels')
        scale = long_side / max(width, height)
        scaled_width, scaled_height = round(width * scale), round(height * scale)
        kept_width = scaled_width // 2 * 2 // patch_size * patch_size
        kept_height = scaled_height // 2 * 2 // patch_size * patch_size
        if scaled_width == scaled_height and not square_ok:
            kept_height = kept_width * 3 // 4 // patch_size * patch_size
        if min(kept_width, kept_height) < patch_size:
            raise ValueError(
                f'an image of {width} x {height} pixels is too elongated: scaled to a long side of {long_side} its '
                f'short side has less than {patch_size} pixels'
            )
        left, top = scaled_width // 2 - kept_width // 2, scaled_height // 2 - kept_height // 2
        return cls(width, height, scaled_width, scaled_height, left, top, kept_width, kept_height)

    @classmethod
    def for_square(cls, width: int, height: int, side: int) -> ImageGeometry:
        """The preparation for CUT3R's 224-pixel networks: the short side is scaled to ``side``, the middle is kept.

        Raises:
            ValueError: the image is empty.

        """
        if width < 1 or height < 1:
            raise ValueError(f'image must not be empty, got {width} x {height} pixels')
        long_side = round(side * max(width / height, height / width))
        scaled_width, scaled_height = (long_side, side) if width >= height else (side, long_side)
        left, top = scaled_width // 2 - side // 2, scaled_height // 2 - side // 2
        return cls(width, height, scaled_width, scaled_height, left, top, side, side)

    def to_network(self, points: ArrayLike) -> Array:
        """Network pixels (..., 2) of source pixels (..., 2)."""
        return (np.asarray(points, float) + 0.5) * self._scale() - 0.5 - np.array([self.left, self.top])

    def to_source(self, points: ArrayLike) -> Array:
        """Source pixels (..., 2) of network pixels (..., 2)."""
        return (np.asarray(points, float) + np.array([self.left, self.top]) + 0.5) / self._scale() - 0.5

    def boxes_to_network(self, boxes: ArrayLike) -> Array:
        """Boxes (..., 4) x1, y1, x2, y2 in network pixels; may reach outside of the network's image."""
        corners = np.asarray(boxes, float)
        return self.to_network(corners.reshape(*corners.shape[:-1], 2, 2)).reshape(corners.shape)

    def boxes_to_source(self, boxes: ArrayLike) -> Array:
        """Boxes (..., 4) x1, y1, x2, y2 in source pixels of boxes in network pixels."""
        corners = np.asarray(boxes, float)
        return self.to_source(corners.reshape(*corners.shape[:-1], 2, 2)).reshape(corners.shape)

    def intrinsics_to_network(self, intrinsics: Intrinsics) -> Intrinsics:
        """The camera that took the network's image, from that of the source image.

        Raises:
            ValueError: ``intrinsics`` belong to an image of another size.

        """
        if (intrinsics.width, intrinsics.height) != (self.source_width, self.source_height):
            raise ValueError(
                f'intrinsics are for {intrinsics.width} x {intrinsics.height} pixels, the image has '
                f'{self.source_width} x {self.source_height}'
            )
        scaled = intrinsics.resized(self.scaled_width, self.scaled_height)
        return scaled.cropped(self.left, self.top, self.width, self.height)

    def intrinsics_to_source(self, intrinsics: Intrinsics) -> Intrinsics:
        """The camera that took the source image, from that of the network's image."""
        scaled = intrinsics.cropped(-self.left, -self.top, self.scaled_width, self.scaled_height)
        return scaled.resized(self.source_width, self.source_height)

    def _scale(self) -> Array:
        return np.array([self.scaled_width / self.source_width, self.scaled_height / self.source_height])


def resize_and_crop(image: NDArray[np.uint8], geometry: ImageGeometry) -> NDArray[np.uint8]:
    """The network's image (h, w, 3) RGB from the source image (H, W, 3) RGB."""
    if image.shape != (geometry.source_height, geometry.source_width, 3):
        raise ValueError(
            f'image must have shape ({geometry.source_height}, {geometry.source_width}, 3), got {image.shape}'
        )
    shrinks = geometry.scaled_width < geometry.source_width or geometry.scaled_height < geometry.source_height
    method = Image.Resampling.LANCZOS if shrinks else Image.Resampling.BICUBIC
    size = (geometry.scaled_width, geometry.scaled_height)
    scaled = np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize(size, method))
    rows = slice(geometry.top, geometry.top + geometry.height)
    columns = slice(geometry.left, geometry.left + geometry.width)
    return np.ascontiguousarray(scaled[rows, columns])


def nearest_depth(depth: NDArray[np.float32], geometry: ImageGeometry) -> NDArray[np.float32]:
    """Depth (h, w) at the network's pixels, each from the source pixel it falls on: never mixed across edges."""
    source = geometry.to_source(np.stack([np.arange(max(geometry.width, geometry.height))] * 2, axis=-1))  # (n, 2)
    column, row = np.rint(source).astype(int).T
    column = column[: geometry.width].clip(0, depth.shape[1] - 1)
    row = row[: geometry.height].clip(0, depth.shape[0] - 1)
    return depth[row[:, None], column]


def image_tensor(image: NDArray[np.uint8], device: torch.device | str = 'cpu') -> Tensor:
    """[1, 3, h, w] float32 in [-1, 1] from an RGB image (h, w, 3)."""
    pixels = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).to(device)
    return ((pixels.float() / 255.0 - 0.5) / 0.5)[None]
