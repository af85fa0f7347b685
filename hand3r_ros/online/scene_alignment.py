"""The distance at which a hand's visible surface lies on the predicted scene points.

A hand that is right but for its distance differs from the scene by one and the same amount wherever it is seen. What
hides it lies in front by any amount, what shows beside it lies behind by any amount. So the differences between scene
and hand are a mixture, and the offset of the hand is a matter of likelihood, weighed against what the apparent size
says (``likeliest_offset``). Where too little of the scene supports any offset, the apparent size stands and the
result says why.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hand3r_ros.geometry import Intrinsics, project_points
from hand3r_ros.online.config import PlacementConfig
from hand3r_ros.online.hand_mask import NEAREST_DEPTH, mesh_depth

FloatArray = NDArray[np.floating]

SIZE_UNCERTAINTY = 0.1
"""Relative standard deviation of a distance from apparent size: hands differ in size by some 7 %, the network's scale
adds 5 %, imperfect poses the rest (docs/evaluation.md)."""

_STEPS = 3
_LARGE_STEP = 0.05
"""Fraction of the distance; after a smaller step the hand covers the same pixels as before, and one look will do."""

_MOST_SAMPLES = 64
"""Along the longer side of the hand in the image; a larger hand is sampled more coarsely."""

_SURFACE_ERROR = (0.01, 0.01)
"""Metres, and fraction of the distance: how far the predicted hand's surface and the predicted scene differ where both
show the hand. Fingers are wrong by about a centimetre, pointmaps bend by about a percent."""

_ON_HAND = 0.35
"""Share of the pixels that show the hand, as a rule of thumb for hands that hold things."""

_IN_FRONT, _BEHIND = 0.6 / 0.33, 0.05 / 2.0
"""Shares of those that show something else, over the range (m) in which it lies. What hides a hand is near it."""

_INDEPENDENT_SAMPLES = 10.0
"""Neighbouring pixels err alike; so many at most count as separate witnesses."""

_BINS_PER_ERROR = 3
_REACH = 8.0
"""Surface errors beyond which a difference is an outlier for certain."""


@dataclass(frozen=True)
class Alignment:
    """A wrist position and what it rests on."""

    wrist: FloatArray  # (3,) m in the camera frame
    deviation: float  # m along the line of sight, one standard deviation, if the scene's own scale is right
    refused: str = ''  # why the scene was not used; empty where it was

    @property
    def on_scene(self) -> bool:
        """Whether the scene decided the distance."""
        return not self.refused


@dataclass(frozen=True)
class SurfaceOffset:
    """How far the scene lies behind a hand's visible surface."""

    value: float  # m
    deviation: float  # m
    agreement: float  # 0..1, the share of the differences that support it


def align_to_scene(
    wrist: FloatArray,
    vertices: FloatArray,
    keypoints: FloatArray,
    faces: NDArray[np.int64],
    depth: FloatArray,
    intrinsics: Intrinsics,
    config: PlacementConfig,
) -> Alignment:
    """Moves a hand along its line of sight until its visible surface lies on the scene's points.

    Args:
        wrist: (3,) metres in the camera frame: where the apparent size puts the hand.
        vertices: (V, 3) metres relative to the wrist, camera axes.
        keypoints: (K, 3) metres relative to the wrist, camera axes: what the crop camera was fitted to.
        faces: (F, 3).
        depth: (h, w) metres along z, of the predicted scene; values that are not finite or not positive do not count.
        intrinsics: of ``depth``.
        config: when to distrust the scene.

    """
    # However wrong the size is, the crop camera shows the middle of the keypoints where it is: its line of sight stays.
    # The middle of the vertices lies 3 cm beside it: through that one a hand would move sideways with the distance.
    middle = keypoints.mean(axis=0)
    distance = float((wrist + middle)[2])
    doubt = SIZE_UNCERTAINTY * distance
    moved, deviation = wrist, doubt
    for _ in range(_STEPS):
        differences, pixels_each = surface_differences(vertices + moved, faces, depth, intrinsics)
        if len(differences) * pixels_each < config.min_scene_points:
            return Alignment(wrist, doubt, f'only {len(differences) * pixels_each} scene points lie on the hand')
        centre = moved + middle
        limits = (
            distance / config.max_depth_correction - centre[2],
            distance * config.max_depth_correction - centre[2],
        )
        error = float(np.hypot(_SURFACE_ERROR[0], _SURFACE_ERROR[1] * centre[2]))
        offset = likeliest_offset(differences, error, distance - centre[2], doubt, limits)
        if offset.agreement < config.min_agreement:
            return Alignment(wrist, doubt, f'only {offset.agreement:.0%} of the scene points agree on a distance')
        moved = moved + centre * (offset.value / centre[2])
        deviation = offset.deviation
        if abs(offset.value) < _LARGE_STEP * centre[2]:
            break
    return Alignment(moved, deviation)


def surface_differences(
    vertices_camera: FloatArray, faces: NDArray[np.int64], depth: FloatArray, intrinsics: Intrinsics
) -> tuple[FloatArray, int]:
    """Scene depth minus hand depth (S,) in metres where the hand would be seen, and the pixels each stands for.

    Pixels at the hand's outline are left out unless little else is left: there the scene mixes two surfaces.
    """
    found = _window(vertices_camera, intrinsics)
    if found is None:
        return np.zeros(0), 1
    left, top, right, bottom, step = found
    scene = depth[top:bottom:step, left:right:step]
    small = Intrinsics(
        intrinsics.fx / step,
        intrinsics.fy / step,
        (intrinsics.cx - left) / step,
        (intrinsics.cy - top) / step,
        scene.shape[1],
        scene.shape[0],
    )
    surface = mesh_depth(vertices_camera, faces, small)
    covered = np.isfinite(surface)
    usable = covered & np.isfinite(scene) & (scene > 0.0)
    clear = usable & _inside(covered)
    chosen = clear if np.count_nonzero(clear) >= 0.25 * np.count_nonzero(usable) else usable
    return (scene[chosen] - surface[chosen]).astype(float), step * step


def likeliest_offset(
    differences: FloatArray, error: float, expected: float, doubt: float, limits: tuple[float, float]
) -> SurfaceOffset:
    """The offset that explains the differences best.

    Each difference shows the hand (normal around the offset), something that hides it (anything below) or something
    beside it (anything above). An occluder is a common sight right in front of a hand; a background right behind it,
    inside of its outline, is not. That is why a surface that is nearer than another one with as many pixels loses.

    Args:
        differences: (S,) metres, scene depth minus mesh depth; S > 0.
        error: metres, standard deviation of a difference that shows the hand.
        expected: metres, the offset that the apparent size speaks for.
        doubt: metres, its standard deviation.
        limits: metres, least and largest offset.

    """
    bin_size = error / _BINS_PER_ERROR
    reach = round(_REACH * _BINS_PER_ERROR)
    first, last = int(np.ceil(limits[0] / bin_size)), int(np.floor(limits[1] / bin_size))
    offsets = np.arange(first, last + 1) * bin_size  # (M,)
    bins = np.rint(np.clip(differences, -1e3, 1e3) / bin_size).astype(np.int64) - (first - reach)
    counts = np.bincount(bins.clip(0, len(offsets) + 2 * reach - 1), minlength=len(offsets) + 2 * reach)
    residuals = np.arange(-(len(offsets) - 1) - reach, len(offsets) + reach) * bin_size
    log_likelihood = np.log(_mixture(residuals, error))
    witnesses = min(1.0, _INDEPENDENT_SAMPLES / len(differences))
    score = witnesses * np.correlate(log_likelihood, counts.astype(float), 'valid')[::-1]
    score -= 0.5 * ((offsets - expected) / doubt) ** 2
    best = offsets[np.argmax(score)]
    near = np.abs(differences - best) <= 2.0 * error
    if not near.any():
        return SurfaceOffset(float(best), doubt, 0.0)
    belief = np.exp(score - score.max())
    value = float(np.median(differences[near]))
    deviation = float(np.sqrt((belief * (offsets - value) ** 2).sum() / belief.sum()))
    return SurfaceOffset(value, deviation, float(near.mean()))


def _mixture(residuals: FloatArray, error: float) -> FloatArray:
    """Probability density of a difference that lies ``residuals`` behind the hand's surface."""
    hand = np.exp(-0.5 * (residuals / error) ** 2) / (error * np.sqrt(2.0 * np.pi))
    return _ON_HAND * hand + np.where(residuals < 0.0, _IN_FRONT, _BEHIND)


def _window(vertices_camera: FloatArray, intrinsics: Intrinsics) -> tuple[int, int, int, int, int] | None:
    """left, top, right, bottom of the hand inside the image with a margin, and the step of sampling; None: outside."""
    pixels = project_points(vertices_camera[vertices_camera[:, 2] > NEAREST_DEPTH], intrinsics)
    if not len(pixels):
        return None
    size = np.array([intrinsics.width, intrinsics.height])
    low, high = np.clip(pixels.min(axis=0), 0.0, size), np.clip(pixels.max(axis=0) + 1.0, 0.0, size)
    if (high - low < 2.0).any():
        return None
    step = max(1, int(np.ceil((high - low).max() / _MOST_SAMPLES)))
    (left, top) = np.maximum(np.floor(low).astype(int) - step, 0)
    (right, bottom) = np.minimum(np.ceil(high).astype(int) + step, size)
    return int(left), int(top), int(right), int(bottom), step


def _inside(covered: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """True where a pixel and all its neighbours are covered; the border of the picture is no outline."""
    window = np.ones((3, 3), np.uint8)
    return cv2.erode(covered.astype(np.uint8), window, borderType=cv2.BORDER_REPLICATE).astype(bool)
