"""The cost of fitting a hand: pose, shape and position against 21 observed landmarks, and its derivatives.

Costs are squared errors in standard deviations: of landmarks in the image through the true camera, of metric landmarks
up to a scale, of angles and shape from what is usual, and from what they were in the image before. Landmarks that do
not agree with the rest count less (Cauchy weights).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hand3r_ros.hand_model.articulation import FLEXION_LIMITS, SPREAD_LIMITS, TWIST_LIMITS, Articulation
from hand3r_ros.hand_model.joints import NUM_BETAS
from hand3r_ros.hand_model.keypoint_kinematics import (
    FLEXION,
    NUM_ANGLES,
    SPREAD,
    TWIST,
    PosedKeypoints,
    cross_matrices,
)
from hand3r_ros.hand_model.pose_prior import sample_articulations

FloatArray = NDArray[np.float64]

NUM_KEYPOINTS = 21
LOWEST_ANGLES = np.concatenate([FLEXION_LIMITS[..., 0].ravel(), SPREAD_LIMITS[:, 0], TWIST_LIMITS[:, 0]])
HIGHEST_ANGLES = np.concatenate([FLEXION_LIMITS[..., 1].ravel(), SPREAD_LIMITS[:, 1], TWIST_LIMITS[:, 1]])

_ROTATION, _PLACE = slice(0, 3), slice(3, 6)
DEPTH = 5
ANGLES = slice(6, 6 + NUM_ANGLES)
BETAS = slice(ANGLES.stop, ANGLES.stop + NUM_BETAS)
_SCALE = BETAS.stop
NUM_UNKNOWNS = _SCALE + 1

_PALM_OFFSETS_MM = {
    0: (-5, -3, 1),
    1: (7.5, -1.5, -2),
    5: (-5, 0, -2.5),
    9: (-2, -2, -1),
    13: (-2, 1, 0),
    17: (-2, 3, 1.5),
}
LANDMARK_OFFSETS = np.zeros((NUM_KEYPOINTS, 3))
LANDMARK_OFFSETS[list(_PALM_OFFSETS_MM)] = 1e-3 * np.array(list(_PALM_OFFSETS_MM.values()))
"""(21, 3) m, model axes: where MediaPipe's network marks landmarks, from the keypoints of the hand model.

Only those of the palm differ by more than noise; they turn with the wrist. Means of what explains 134 photographed and
167 rendered hands best."""

NEAREST = 0.05  # m, depth below which no keypoint is believed


@dataclass(frozen=True)
class FitConfig:
    """Standard deviations of what is observed and assumed."""

    image: float = 0.005  # of an image keypoint, as a share of the hand's size in the image
    metric: float = 0.005  # m, of a metric keypoint
    scale: float = 0.1  # of the logarithm of the metric keypoints' scale
    prior: float = 1.0  # weight of how hands are usually posed
    beta: float = 0.6  # of a shape coefficient around 0
    angle_speed: float = 3.0  # rad/s, of an angle from one image to the next
    outlier: float = 3.0  # standard deviations from which on a keypoint counts less
    largest_shape_count: float = 60.0  # images after which the shape of a track settles no further
    explained: float = 0.02  # image residual (share of the hand's size) from which on another start is tried
    iterations: int = 20
    warm_iterations: int = 5
    tolerance: float = 1e-3  # relative decrease of the cost at which the fit has converged


@dataclass(frozen=True, eq=False)
class KeypointObservation:
    """What is seen of one hand, right-looking."""

    rays: FloatArray  # (21, 2) lines of sight x / z, y / z of the image keypoints, OpenPose order
    points_metric: FloatArray | None  # (21, 3) m, from any origin, axes of the line of sight; None: unknown
    confidence: FloatArray  # (21,) 0..1 how far each keypoint is to be trusted


@dataclass(frozen=True, eq=False)
class HandFit:
    """A fitted hand, right-looking, in the camera's optical axes."""

    orientation: FloatArray  # (3, 3)
    wrist: FloatArray  # (3,) m
    angles: FloatArray  # (25,) rad, within the joint limits
    betas: FloatArray  # (10,)
    local_rotations: FloatArray  # (15, 3, 3) joints 1..15, MANO order
    keypoints: FloatArray  # (21, 3) m
    image_residual: float  # root mean square of the image keypoints' distances, as a share of the hand's size
    keypoint_agreement: FloatArray  # (21,) 0..1, how well each observed keypoint agrees with the fitted hand
    distance_deviation: float = 0.0  # m, standard deviation of the wrist along the optical axis
    shape_information: FloatArray = field(default_factory=lambda: np.zeros((NUM_BETAS, NUM_BETAS)))
    """(10, 10) inverse covariance of the shape from all images of the track so far."""

    def check(self) -> None:
        """Raises ValueError for values that no fit has, where they come from elsewhere."""
        for name in (part.name for part in fields(self)):
            if not np.isfinite(getattr(self, name)).all():
                raise ValueError(f'{name} of a fitted hand is not finite')
        if self.keypoints[:, 2].min() < NEAREST:
            raise ValueError('a fitted hand lies behind the camera')
        if np.linalg.eigvalsh(self.shape_information).min() < -1e-3:
            raise ValueError('shape_information of a fitted hand is no inverse covariance')


@dataclass(frozen=True, eq=False)
class Unknowns:
    """What is searched for: 42 numbers, with the orientation as a matrix."""

    orientation: FloatArray  # (3, 3)
    place: FloatArray  # (3,) wrist, m
    angles: FloatArray  # (25,)
    betas: FloatArray  # (10,)
    log_scale: float  # of the metric keypoints

    def moved(self, step: FloatArray) -> Unknowns:
        """After a step (42,); angles stay within the joint limits."""
        angles = limited_angles(self.angles + step[ANGLES])
        place = self.place + step[_PLACE]
        turn = Rotation.from_rotvec(step[_ROTATION]).as_matrix()
        return Unknowns(
            turn @ self.orientation, place, angles, self.betas + step[BETAS], self.log_scale + float(step[_SCALE])
        )


@dataclass(frozen=True, eq=False)
class Linearisation:
    """Cost, gradient and Gauss-Newton matrix at one place."""

    unknowns: Unknowns
    posed: PosedKeypoints
    cost: float
    gradient: FloatArray  # (42,)
    hessian: FloatArray  # (42, 42) Gauss-Newton
    evidence: FloatArray  # (10, 10) part of the shape block that the image and the metric keypoints give


@dataclass(frozen=True, eq=False)
class FitObjective:
    """One observation with everything that does not change during the search."""

    config: FitConfig
    rays: FloatArray  # (21, 2)
    metric: FloatArray | None  # (21, 3) centred
    sight: FloatArray  # (3, 3) camera axes from axes of the line of sight
    confidence: FloatArray  # (21,)
    image_deviation: float  # of x / z
    size: float  # of the hand, in x / z
    angle_mean: FloatArray  # (25,)
    angle_precision: FloatArray  # (25, 25) 1 / rad^2
    shape_mean: FloatArray  # (10,)
    shape_precision: FloatArray  # (10, 10)

    @staticmethod
    def make(
        observed: KeypointObservation, config: FitConfig, previous: HandFit | None, seconds: float
    ) -> FitObjective | None:
        """The objective of one image, ``seconds`` after ``previous``; None for what cannot be a hand."""
        rays = np.asarray(observed.rays, float)
        if not np.isfinite(rays).all():
            return None
        size = float(np.linalg.norm(rays.max(0) - rays.min(0)))
        if size <= 0.0:
            return None
        metric = observed.points_metric
        if metric is not None:
            if not np.isfinite(metric).all():
                return None
            metric = metric - metric.mean(0)
        prior = angle_prior()
        angle_mean, precision = prior.mean, prior.precision * config.prior
        shape_mean, shape_precision = np.zeros(NUM_BETAS), np.eye(NUM_BETAS) / config.beta**2
        if previous is not None:
            moving = 1.0 / (config.angle_speed * max(seconds, 1e-3)) ** 2
            total = precision + moving * np.eye(NUM_ANGLES)
            angle_mean = np.linalg.solve(total, precision @ prior.mean + moving * previous.angles)
            precision = total
            # The prior is part of what is remembered, so it is not counted twice.
            shape_precision = shape_precision + previous.shape_information
            shape_mean = np.linalg.solve(shape_precision, previous.shape_information @ previous.betas)
        return FitObjective(
            config=config,
            rays=rays,
            metric=metric,
            sight=sight_rotation(rays.mean(0)),
            confidence=np.clip(np.asarray(observed.confidence, float), 0.0, 1.0),
            image_deviation=config.image * size,
            size=size,
            angle_mean=angle_mean,
            angle_precision=precision,
            shape_mean=shape_mean,
            shape_precision=shape_precision,
        )

    def linearise(self, posed: PosedKeypoints, unknowns: Unknowns) -> Linearisation:
        """Cost and derivatives; the cost is infinite where a landmark would lie behind the camera."""
        relative_points = posed.points + LANDMARK_OFFSETS @ unknowns.orientation.T
        points = relative_points + unknowns.place
        depth = points[:, 2]
        if not np.isfinite(points).all() or depth.min() < NEAREST:
            return Linearisation(
                unknowns, posed, np.inf, np.zeros(NUM_UNKNOWNS), np.eye(NUM_UNKNOWNS), np.zeros((10, 10))
            )
        by_unknown = np.zeros((NUM_KEYPOINTS, 3, NUM_UNKNOWNS))
        by_unknown[..., _ROTATION] = -cross_matrices(relative_points)
        by_unknown[..., ANGLES] = posed.by_angle
        by_unknown[..., BETAS] = posed.by_beta

        relative = by_unknown - by_unknown.mean(0) if self.metric is not None else None
        by_unknown[:, (0, 1, 2), (3, 4, 5)] = 1.0
        seen = points[:, :2] / depth[:, None]
        error = (seen - self.rays) / self.image_deviation
        jacobian = (by_unknown[:, :2] - seen[..., None] * by_unknown[:, 2:]) / (depth * self.image_deviation)[
            :, None, None
        ]
        square = (error**2).sum(1)
        cost, weight = _cauchy(square, self.config.outlier)
        cost, weight = cost * self.confidence, weight * self.confidence
        total = float(cost.sum())
        flat = (jacobian * np.sqrt(weight)[:, None, None]).reshape(-1, NUM_UNKNOWNS)
        error = (error * np.sqrt(weight)[:, None]).ravel()
        hessian, gradient = flat.T @ flat, flat.T @ error

        if self.metric is not None and relative is not None:
            scale = np.exp(unknowns.log_scale)
            target = scale * self.metric @ self.sight.T
            difference = (relative_points - relative_points.mean(0) - target) / self.config.metric
            relative[..., _SCALE] = -target
            relative = relative / self.config.metric
            square = (difference**2).sum(1)
            cost, weight = _cauchy(square, self.config.outlier)
            cost, weight = cost * self.confidence, weight * self.confidence
            total += float(cost.sum())
            flat = (relative * np.sqrt(weight)[:, None, None]).reshape(-1, NUM_UNKNOWNS)
            difference = (difference * np.sqrt(weight)[:, None]).ravel()
            hessian, gradient = hessian + flat.T @ flat, gradient + flat.T @ difference
        evidence = hessian[BETAS, BETAS].copy()

        off = unknowns.angles - self.angle_mean
        pull = self.angle_precision @ off
        total += float(off @ pull)
        hessian[ANGLES, ANGLES] += self.angle_precision
        gradient[ANGLES] += pull
        shape = unknowns.betas - self.shape_mean
        total += float(shape @ self.shape_precision @ shape)
        hessian[BETAS, BETAS] += self.shape_precision
        gradient[BETAS] += self.shape_precision @ shape
        precision = 1.0 / self.config.scale**2
        total += precision * unknowns.log_scale**2
        hessian[_SCALE, _SCALE] += precision
        gradient[_SCALE] += precision * unknowns.log_scale
        return Linearisation(unknowns, posed, total, gradient, hessian, evidence)

    def shape_evidence(self, state: Linearisation) -> FloatArray:
        """What this image says about the shape when everything else is unknown too (Schur complement)."""
        others = np.r_[0 : BETAS.start, _SCALE]
        cross = state.hessian[np.ix_(np.arange(BETAS.start, BETAS.stop), others)]
        block = state.hessian[np.ix_(others, others)]
        information = state.evidence - cross @ np.linalg.solve(block, cross.T)
        values, vectors = np.linalg.eigh((information + information.T) / 2.0)
        return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)


def limited_angles(angles: FloatArray) -> FloatArray:
    """The nearest angles (25,) within the joint limits; see ``Articulation.limited``."""
    limited = Articulation(
        angles[FLEXION].reshape(1, 5, 3), angles[SPREAD].reshape(1, 5), angles[TWIST].reshape(1, 5)
    ).limited()
    return np.concatenate([limited.flexion.ravel(), limited.spread.ravel(), limited.twist.ravel()])


def sight_rotation(ray: FloatArray) -> FloatArray:
    """(3, 3) the smallest rotation that takes the optical axis to the line of sight x / z, y / z (2,)."""
    x, y, z = np.append(ray, 1.0) / np.sqrt(1.0 + float(ray @ ray))
    cross = np.array([[0.0, 0.0, x], [0.0, 0.0, y], [-x, -y, 0.0]])
    return np.asarray(np.eye(3) + cross + cross @ cross / (1.0 + z))


@dataclass(frozen=True, eq=False)
class AnglePrior:
    """How hands are usually posed: a normal distribution of the angles."""

    mean: FloatArray  # (25,)
    precision: FloatArray  # (25, 25)


@lru_cache(maxsize=1)
def angle_prior() -> AnglePrior:
    """Mean and covariance of sampled poses, wider than these by a tenth of a radian in every direction."""
    sampled = sample_articulations(np.random.default_rng(0), 2000)
    angles = np.concatenate([sampled.flexion.reshape(-1, 15), sampled.spread, sampled.twist], axis=1)
    covariance = np.cov(angles.T) + 0.1**2 * np.eye(NUM_ANGLES)
    return AnglePrior(angles.mean(0), np.linalg.inv(covariance))


def _cauchy(square: FloatArray, scale: float) -> tuple[FloatArray, FloatArray]:
    """Costs and weights of squared errors in standard deviations."""
    ratio = square / scale**2
    return scale**2 * np.log1p(ratio), 1.0 / (1.0 + ratio)


def image_residual_of(problem: FitObjective, posed: PosedKeypoints, unknowns: Unknowns) -> float:
    """Root mean square of the landmarks' distances in the image, as a share of the hand's size."""
    points = landmarks_of(posed, unknowns)
    if points[:, 2].min() < NEAREST:
        return float('inf')
    off = ((points[:, :2] / points[:, 2:] - problem.rays) ** 2).sum(1)
    return float(np.sqrt(off.mean()) / problem.size)


def landmarks_of(posed: PosedKeypoints, unknowns: Unknowns) -> FloatArray:
    """(21, 3) m, camera axes: where the fitted hand has what is marked in images."""
    return posed.points + LANDMARK_OFFSETS @ unknowns.orientation.T + unknowns.place
