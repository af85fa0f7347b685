"""Re-locates features after large motion between two images.

Features are followed from where they were (``image_features``), which finds them after small movements only. When
images were dropped or the camera turned fast, points of both images are matched by what they look like (ORB, Rublee et
al. 2011), wherever they are. Matches are too coarse and too often wrong to give a pose, but close enough to say where
each feature is to be looked for.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_POINTS = 1000
_CONTRAST = 10  # grey levels; dim walls and tables have few strong corners
_AGREEMENT = 10.0  # px between a match and the motion of the whole image: things at other depths move otherwise
_LEAST_MATCHES = 15
_NEIGHBOURS = 3  # matches that together say how the image moved at a place


def expected_places(
    first: NDArray[np.uint8], second: NDArray[np.uint8], pixels: NDArray[np.float32]
) -> NDArray[np.float32] | None:
    """About where pixels (N, 2) of a grey image are in another (N, 2), None where nothing matches.

    Images of different places may match by chance: whoever looks there has to check what is found.
    """
    before, after = _matches(first, second)
    if len(before) < _LEAST_MATCHES or not len(pixels):
        return None
    # A homography moves a plane, or any scene under a turn; what the scene does otherwise is left to the neighbours.
    plane, agrees = cv2.findHomography(before, after, cv2.RANSAC, _AGREEMENT)
    if plane is None or np.count_nonzero(agrees) < _LEAST_MATCHES:
        return None
    homography = np.asarray(plane, np.float64)
    chosen = agrees.ravel().astype(bool)
    before, after = before[chosen], after[chosen]
    residual = after - _moved(homography, before)
    distance = np.linalg.norm(pixels[:, None] - before[None], axis=-1)
    nearest = np.argpartition(distance, _NEIGHBOURS - 1, axis=1)[:, :_NEIGHBOURS]
    places = _moved(homography, pixels) + np.median(residual[nearest], axis=1)
    return places.astype(np.float32) if np.isfinite(places).all() else None


def _matches(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Points (M, 2) of both images that look most like each other, either way."""
    detector = cv2.ORB.create(nfeatures=_POINTS, fastThreshold=_CONTRAST)
    everywhere = np.full(first.shape, 255, np.uint8)
    points, looks = detector.detectAndCompute(first, everywhere)
    others, their_looks = detector.detectAndCompute(second, everywhere)
    nothing = np.zeros((0, 2), np.float32)
    if looks is None or their_looks is None:
        return nothing, nothing
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(looks, their_looks)
    if not pairs:
        return nothing, nothing
    before = [points[pair.queryIdx].pt for pair in pairs]
    after = [others[pair.trainIdx].pt for pair in pairs]
    return np.array(before, np.float32), np.array(after, np.float32)


def _moved(homography: NDArray[np.float64], pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 2) pixels under a homography."""
    moved = cv2.perspectiveTransform(pixels.reshape(-1, 1, 2), homography)
    return np.asarray(moved, np.float32).reshape(-1, 2)
