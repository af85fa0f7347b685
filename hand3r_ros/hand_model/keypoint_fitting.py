"""Fits a MANO-format hand to 21 image landmarks and their metric shape: pose, shape coefficients and position.

Levenberg-Marquardt in anatomical angles on the cost of ``keypoint_objective``. Every step is projected into the joint
limits, so no result lies outside them.

Everything is right-looking: mirror the image landmarks of a left hand (x -> -x of lines of sight) before, and the
result after.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hand3r_ros.hand_model.joints import NUM_BETAS
from hand3r_ros.hand_model.keypoint_kinematics import FLEXION, KeypointKinematics
from hand3r_ros.hand_model.keypoint_objective import (
    ANGLES,
    DEPTH,
    HIGHEST_ANGLES,
    LOWEST_ANGLES,
    NEAREST,
    NUM_UNKNOWNS,
    FitConfig,
    FitObjective,
    HandFit,
    KeypointObservation,
    Linearisation,
    Unknowns,
    angle_prior,
    image_residual_of,
    landmarks_of,
    limited_angles,
)

FloatArray = NDArray[np.float64]

PALM = (0, 1, 5, 9, 13, 17)


class KeypointFitter:
    """Fits one hand at a time; keeps nothing: the fit of the image before is passed in."""

    def __init__(self, kinematics: KeypointKinematics, config: FitConfig | None = None) -> None:
        self._kinematics = kinematics
        self._config = config or FitConfig()

    def fit(
        self, observed: KeypointObservation, previous: HandFit | None = None, seconds: float = 0.0
    ) -> HandFit | None:
        """The hand that explains the observation best; None where no hand in front of the camera does.

        Args:
            observed: of one image.
            previous: the fit of the same hand in an earlier image; it is where the search begins.
            seconds: between both images.

        """
        config = self._config
        problem = FitObjective.make(observed, config, previous, seconds)
        if problem is None:
            return None
        best: Linearisation | None = None
        for start, iterations in self._starts(problem, previous):
            found = self._minimise(problem, start, iterations)
            if best is None or found.cost < best.cost:
                best = found
            if image_residual_of(problem, best.posed, best.unknowns) <= config.explained:
                break
        return None if best is None else self._result(problem, best, previous)

    def _starts(self, problem: FitObjective, previous: HandFit | None) -> Iterator[tuple[Unknowns, int]]:
        """Where to begin and with how many steps; later ones are for hands that are not explained yet."""
        if previous is not None:
            yield _continued(problem, previous), self._config.warm_iterations
        usual = limited_angles(angle_prior().mean)
        for closing in (0.0, 0.7, -0.4):
            angles = usual.copy()
            angles[FLEXION] += closing
            start = self._start(problem, limited_angles(angles))
            if start is not None:
                yield start, self._config.iterations

    def _start(self, problem: FitObjective, angles: FloatArray) -> Unknowns | None:
        """A hand with these angles, turned and moved so that its palm fits."""
        betas = problem.shape_mean.copy()
        posed = self._kinematics.pose(np.eye(3), angles, betas)
        palm = list(PALM)
        if problem.metric is not None:
            orientation = _kabsch(posed.points[palm], (problem.metric @ problem.sight.T)[palm])
        else:
            orientation = _orientation_from_image(posed.points[palm], problem.rays[palm])
        points = posed.points @ orientation.T
        size = np.linalg.norm(points[:, :2] - points[:, :2].mean(0))
        seen_size = np.linalg.norm(problem.rays - problem.rays.mean(0))
        if seen_size <= 0.0 or not np.isfinite(seen_size):
            return None
        depth = float(np.clip(size / seen_size, 2.0 * NEAREST, 20.0))
        place = np.append(problem.rays.mean(0), 1.0) * depth - points.mean(0)
        place[2] = max(place[2], NEAREST - points[:, 2].min() + 1e-3)
        return Unknowns(orientation, place, angles, betas, 0.0)

    def _minimise(self, problem: FitObjective, unknowns: Unknowns, iterations: int) -> Linearisation:
        state = self._evaluate(problem, unknowns)
        damping = 1e-3
        for _ in range(iterations):
            gradient, hessian = state.gradient, state.hessian
            diagonal = np.diag(hessian)
            improved = None
            for _ in range(5):
                step = _bounded_step(hessian + np.diag(damping * diagonal), gradient, state.unknowns.angles)
                candidate = self._evaluate(problem, state.unknowns.moved(step))
                if candidate.cost < state.cost:
                    improved = candidate
                    break
                damping *= 6.0
            if improved is None:
                break
            settled = state.cost - improved.cost < self._config.tolerance * state.cost
            state, damping = improved, max(damping * 0.2, 1e-7)
            if settled:
                break
        return state

    def _evaluate(self, problem: FitObjective, unknowns: Unknowns) -> Linearisation:
        posed = self._kinematics.pose(unknowns.orientation, unknowns.angles, unknowns.betas)
        return problem.linearise(posed, unknowns)

    def _result(self, problem: FitObjective, state: Linearisation, previous: HandFit | None) -> HandFit | None:
        unknowns = state.unknowns
        keypoints = state.posed.points + unknowns.place
        if not np.isfinite(keypoints).all() or keypoints[:, 2].min() < NEAREST:
            return None
        config = self._config
        old = previous.shape_information if previous is not None else np.zeros((NUM_BETAS, NUM_BETAS))
        information = old + problem.shape_evidence(state)
        largest = np.trace(information) / (NUM_BETAS * config.largest_shape_count / config.beta**2)
        landmarks = landmarks_of(state.posed, unknowns)
        distance = np.linalg.norm(landmarks[:, :2] / landmarks[:, 2:] - problem.rays, axis=1)
        return HandFit(
            orientation=unknowns.orientation,
            wrist=unknowns.place,
            angles=unknowns.angles,
            betas=unknowns.betas,
            local_rotations=self._kinematics.local_rotations(unknowns.angles),
            keypoints=keypoints,
            image_residual=image_residual_of(problem, state.posed, unknowns),
            keypoint_agreement=1.0 / (1.0 + (distance / (config.outlier * problem.image_deviation)) ** 2),
            distance_deviation=_distance_deviation(state),
            shape_information=information / max(1.0, largest),
        )


def _distance_deviation(state: Linearisation) -> float:
    """Standard deviation of the wrist's depth, everything else being unknown too, in metres."""
    unit = np.zeros(NUM_UNKNOWNS)
    unit[DEPTH] = 1.0
    return float(np.sqrt(max(0.0, np.linalg.solve(state.hessian, unit)[DEPTH])))


def _bounded_step(matrix: FloatArray, gradient: FloatArray, angles: FloatArray) -> FloatArray:
    """The step that solves the damped normal equations; angles at a limit that would be pushed through it rest."""
    resting = ((angles <= LOWEST_ANGLES + 1e-9) & (gradient[ANGLES] > 0.0)) | (
        (angles >= HIGHEST_ANGLES - 1e-9) & (gradient[ANGLES] < 0.0)
    )
    step = np.zeros(NUM_UNKNOWNS)
    free = np.ones(NUM_UNKNOWNS, bool)
    free[ANGLES] = ~resting
    if free.all():
        return -np.linalg.solve(matrix, gradient)
    step[free] = -np.linalg.solve(matrix[np.ix_(free, free)], gradient[free])
    return step


def _continued(problem: FitObjective, previous: HandFit) -> Unknowns:
    """The previous fit, moved so that its middle is where the keypoints are now."""
    shift = problem.rays.mean(0) - (previous.keypoints[:, :2] / previous.keypoints[:, 2:]).mean(0)
    place = previous.wrist + np.append(shift, 0.0) * previous.keypoints[:, 2].mean()
    return Unknowns(previous.orientation, place, previous.angles, previous.betas, 0.0)


def _kabsch(source: FloatArray, target: FloatArray) -> FloatArray:
    """(3, 3) rotation that takes centred points to others best."""
    u, _, vt = np.linalg.svd((source - source.mean(0)).T @ (target - target.mean(0)))
    sign = np.sign(np.linalg.det(vt.T @ u.T))
    return np.asarray(vt.T @ np.diag([1.0, 1.0, sign]) @ u.T)


def _orientation_from_image(palm: FloatArray, rays: FloatArray) -> FloatArray:
    """Orientation of a palm from its image alone: of both mirror images the one whose thumb side is right."""
    flat = np.column_stack([rays - rays.mean(0), np.zeros(len(rays))])
    scale = np.linalg.norm(palm - palm.mean(0)) / max(float(np.linalg.norm(flat)), 1e-9)
    return _kabsch(palm, flat * scale)
