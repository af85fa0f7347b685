"""Hands with landmarks: pose, shape and position are fitted to them instead of taken from the network.

The fit of the same hand in the image before is where the search begins, and what is known of its shape by then. A hand
that no pose explains keeps what the network says, with a score that shows it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand3r_ros.geometry import Intrinsics
from hand3r_ros.hand_model.keypoint_fitting import KeypointFitter
from hand3r_ros.hand_model.keypoint_kinematics import KeypointKinematics
from hand3r_ros.hand_model.keypoint_objective import HandFit, KeypointObservation
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.hand_model.mirror import mirror_points
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.online.placement import PlacedHand, place_fitted_hands
from hand3r_ros.online.results import HandLandmarks, HandResult

WORST_RESIDUAL = 0.07
"""Mean distance, as a share of the hand's size in the image, from which on landmarks are not those of a hand.
Photographed hands have 0.009 in the median and 0.035 at most."""

UNEXPLAINED = 0.5
"""Factor of the score of a hand whose landmarks are not explained."""


@dataclass(frozen=True, eq=False)
class SeenLandmarks:
    """Landmarks of one hand of this image and who it is."""

    landmarks: HandLandmarks | None
    side: HandSide  # as decided over time
    track_id: int  # of the hand before this image, -1 for a new one


@dataclass(frozen=True, eq=False)
class FittedHand:
    """A fit with its hand in the camera's frame."""

    fit: HandFit
    placed: PlacedHand


class LandmarkFitting:
    """Fits all hands of an image; keeps nothing between images."""

    def __init__(self, layer: HandLayer) -> None:
        self._layer = layer
        self._fitter = KeypointFitter(KeypointKinematics(layer.data))

    def fit(
        self, seen: list[SeenLandmarks], camera: Intrinsics, previous: tuple[HandResult, ...], seconds: float
    ) -> list[FittedHand | None]:
        """In the order given; None without landmarks, or where no hand explains them.

        Args:
            seen: the hands of this image.
            camera: of the source image.
            previous: hands of the image before.
            seconds: since then.

        """
        earlier = {(hand.track_id, hand.side): hand for hand in previous}
        fits = [
            None
            if hand.landmarks is None
            else self._fit(hand.landmarks, hand.side, camera, earlier.get((hand.track_id, hand.side)), seconds)
            for hand in seen
        ]
        found = [(hand.side, fit) for hand, fit in zip(seen, fits, strict=True) if fit is not None]
        placed = iter(place_fitted_hands([side for side, _ in found], [fit for _, fit in found], self._layer))
        return [None if fit is None else FittedHand(fit, next(placed)) for fit in fits]

    def _fit(
        self, landmarks: HandLandmarks, side: HandSide, camera: Intrinsics, earlier: HandResult | None, seconds: float
    ) -> HandFit | None:
        rays = (landmarks.pixels - (camera.cx, camera.cy)) / (camera.fx, camera.fy)
        metric = np.asarray(landmarks.points_metric, np.float64)
        if side == HandSide.LEFT:
            rays, metric = rays * (-1.0, 1.0), mirror_points(metric)
        observed = KeypointObservation(rays, metric, np.full(len(rays), landmarks.presence))
        if earlier is None:
            fit = self._fitter.fit(observed)
        else:
            fit = self._fitter.fit(observed, earlier.fit, earlier.unseen_seconds + seconds)
        return None if fit is None or fit.image_residual > WORST_RESIDUAL else fit

    def warm_up(self) -> None:
        """Computes once what the first fit would have to wait for."""
        rays = np.random.default_rng(0).normal(0.0, 0.1, (21, 2))
        self._fitter.fit(KeypointObservation(rays, np.column_stack([rays, rays[:, 0]]), np.ones(21)))
