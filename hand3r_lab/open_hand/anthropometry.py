"""Shape space: random hands of plausible proportions, their principal components, and the joint regressor.

The spreads are of the order that anthropometric surveys of adults report (hand length and breadth vary by about 5 to 7
percent between people); no measured hand went into them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from hand3r_lab.open_hand.source import SourceHand
from hand3r_ros.hand_model.joints import JOINT_PARENTS, NUM_BETAS, NUM_JOINTS

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ShapeSpread:
    """Standard deviations of the logarithm of each scale."""

    size: float = 0.07  # the whole hand
    finger_length: float = 0.045  # all fingers together
    one_finger_length: float = 0.03
    one_bone_length: float = 0.015
    girth: float = 0.07  # all fingers together, and half of it the palm's thickness
    one_finger_girth: float = 0.03
    one_bone_girth: float = 0.012
    palm_length: float = 0.035
    palm_thickness: float = 0.06
    palm_width: float = 0.045


def bone_directions(hand: SourceHand) -> FloatArray:
    """(16, 3) unit vectors from each joint to the next one of its finger; the wrist's points to the middle finger."""
    directions = hand.bone_frames[:, :, 2].copy()
    for joint in range(1, NUM_JOINTS):
        if joint % 3 != 0:
            directions[joint] = hand.joints[joint + 1] - hand.joints[joint]
    directions[0] = hand.joints[4] - hand.joints[0]
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


def random_shapes(
    hand: SourceHand, count: int, rng: np.random.Generator, spread: ShapeSpread | None = None
) -> tuple[FloatArray, FloatArray]:
    """Vertices (count, V, 3) and joints (count, 16, 3) of random hands at rest with the wrist joint where it was."""
    spread = spread or ShapeSpread()
    directions = bone_directions(hand)
    shapes = [_random_shape(hand, directions, rng, spread) for _ in range(count)]
    return np.stack([vertices for vertices, _ in shapes]), np.stack([joints for _, joints in shapes])


def _random_shape(
    hand: SourceHand, directions: FloatArray, rng: np.random.Generator, spread: ShapeSpread
) -> tuple[FloatArray, FloatArray]:
    scales = _bone_scales(directions, rng, spread)
    joints = hand.joints.copy()
    for joint in range(1, NUM_JOINTS):
        parent = JOINT_PARENTS[joint]
        joints[joint] = joints[parent] + scales[parent] @ (hand.joints[joint] - hand.joints[parent])
    from_joints = hand.vertices[None] - hand.joints[:, None]  # (16, V, 3)
    moved = joints[:, None] + np.einsum('jab,jvb->jva', scales, from_joints)
    vertices = np.einsum('vj,jva->va', hand.weights, moved)
    wrist, size = hand.joints[0], np.exp(rng.normal(0.0, spread.size))
    return wrist + size * (vertices - wrist), wrist + size * (joints - wrist)


def _bone_scales(directions: FloatArray, rng: np.random.Generator, spread: ShapeSpread) -> FloatArray:
    """(16, 3, 3) stretches: along and across each finger bone; length, thickness and width of the palm."""
    length, girth = rng.normal(0.0, spread.finger_length), rng.normal(0.0, spread.girth)
    finger_length = length + rng.normal(0.0, spread.one_finger_length, 5)
    finger_girth = girth + rng.normal(0.0, spread.one_finger_girth, 5)
    scales = np.empty((NUM_JOINTS, 3, 3))
    palm = [
        rng.normal(0.0, spread.palm_length),
        rng.normal(0.0, spread.palm_thickness) + 0.5 * girth,
        rng.normal(0.0, spread.palm_width) + 0.3 * girth,
    ]
    scales[0] = np.diag(np.exp(palm))
    for joint in range(1, NUM_JOINTS):
        finger = (joint - 1) // 3
        along = np.exp(finger_length[finger] + rng.normal(0.0, spread.one_bone_length))
        across = np.exp(finger_girth[finger] + rng.normal(0.0, spread.one_bone_girth))
        projection = np.outer(directions[joint], directions[joint])
        scales[joint] = along * projection + across * (np.eye(3) - projection)
    return scales


@dataclass(frozen=True)
class ShapeSpace:
    """Mean hand, one offset field per beta of unit variance, and how much of the variance they explain."""

    template: FloatArray  # (V, 3)
    shapedirs: FloatArray  # (V, 3, 10)
    explained: float


def shape_space(vertices: FloatArray) -> ShapeSpace:
    """Principal components of hands (count, V, 3); signs are fixed so that positive betas enlarge the hand."""
    count = len(vertices)
    template = vertices.mean(0)
    _, singular, components = np.linalg.svd((vertices - template).reshape(count, -1), full_matrices=False)
    components = components[:NUM_BETAS] * (singular[:NUM_BETAS, None] / np.sqrt(count))
    growth = components @ (template - template.mean(0)).ravel()
    components *= np.where(growth < 0.0, -1.0, 1.0)[:, None]
    shapedirs = components.reshape(NUM_BETAS, -1, 3).transpose(1, 2, 0)
    explained = float((singular[:NUM_BETAS] ** 2).sum() / (singular**2).sum())
    return ShapeSpace(template, shapedirs, explained)


def fit_joint_regressor(
    hand: SourceHand, vertices: FloatArray, joints: FloatArray, shapes: int = 12
) -> tuple[FloatArray, FloatArray]:
    """(16, V) non-negative weights with rows summing to 1, by least squares, and the errors in metres over all shapes.

    Each joint may use the vertices nearest to it and those where its weights meet its parent's.
    """
    regressor = np.zeros((NUM_JOINTS, vertices.shape[1]))
    chosen = np.linspace(0, len(vertices) - 1, shapes).astype(int)
    mean_vertices, mean_joints = vertices.mean(0), joints.mean(0)
    for joint in range(NUM_JOINTS):
        near = np.argsort(np.linalg.norm(mean_vertices - mean_joints[joint], axis=1), kind='stable')[:48]
        parent = JOINT_PARENTS[joint]
        if parent >= 0:
            shared = np.minimum(hand.weights[:, joint], hand.weights[:, parent])
            near = np.union1d(near, np.argsort(-shared, kind='stable')[:24])
        equations = [mean_vertices[near].T, *(vertices[shape, near].T for shape in chosen)]
        targets = [mean_joints[joint], *(joints[shape, joint] for shape in chosen)]
        matrix = np.vstack([*equations, 10.0 * np.ones((1, len(near)))])
        solution, _ = nnls(matrix, np.concatenate([*targets, [10.0]]), maxiter=20000)
        regressor[joint, near] = solution / solution.sum()
    errors = np.linalg.norm(np.einsum('jv,svk->sjk', regressor, vertices) - joints, axis=2)
    return regressor, errors
