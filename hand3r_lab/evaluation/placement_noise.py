"""Ground truth, disturbed the way the published networks err: what hands are placed from when placement is measured.

How much noise, and why: HaMeR (arXiv 2312.05251) reports a PA-MPJPE of 6.0 mm on FreiHAND and 7.7 mm on HO-3D, and on
hands in the wild about half of the keypoints within 5 % of the box. Its author calls 4 cm of absolute error reasonable
with the true focal length. CUT3R (arXiv 2501.12387) reports metric depth of indoor video with a mean relative error
near 0.1, most of which is one common scale per video.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hand3r_lab.scenes.sequence import HandTruth
from hand3r_ros.geometry import Intrinsics, project_points, unproject_depth
from hand3r_ros.hand_model.joints import NUM_BETAS, NUM_JOINTS
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.hand_model.mirror import mirror_rotations
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.network.hand.crop import HandCrop, crop_square
from hand3r_ros.network.types import HandPrediction

Array = NDArray[np.float64]

_EDGE = 0.05
"""Relative step of depth within a pixel's neighbourhood that counts as an outline."""

_DRIFT_CELLS = (4, 3)
"""Columns and rows of independent drift; between them it is smooth."""


@dataclass(frozen=True)
class HandNoise:
    """Standard deviations of a hand network's errors."""

    orientation_degrees: float = 3.0
    """About each axis of the global orientation."""
    joint_degrees: float = 6.0
    """About each axis of each finger joint; with the other values a PA-MPJPE of about 7 mm."""
    betas: float = 0.6
    """Of each shape coefficient. The first of the open hand is its size, 7 % per unit: an error of 4 % in size, which
    a single crop cannot show."""
    camera_scale: float = 0.05
    """Of the crop camera's scale, relative."""
    camera_shift: float = 0.01
    """Of the crop camera's shift along each axis, as a fraction of the crop: 2.7 % of a square box."""
    size_error: float = 0.0
    """Not random: every hand is predicted larger by this fraction, through its shape coefficients."""


@dataclass(frozen=True)
class PointmapNoise:
    """Errors of a predicted pointmap."""

    scale: float = 0.03
    """Standard deviation of one factor per frame."""
    drift: float = 0.02
    """Standard deviation of a factor that varies smoothly over the image."""
    grain: float = 0.005
    """Standard deviation of a factor per pixel."""
    sideways: float = 0.01
    """Standard deviation of a smooth shift of the points along x and along y, as a fraction of their depth."""
    bleed: float = 1.5
    """Pixels over which near and far surfaces run into each other at outlines; 0: sharp."""


EXACT_HANDS = HandNoise(0.0, 0.0, 0.0, 0.0, 0.0)
EXACT_POINTS = PointmapNoise(0.0, 0.0, 0.0, 0.0, 0.0)


def disturbed_hands(
    hands: Sequence[HandTruth],
    camera: Intrinsics,
    layer: HandLayer,
    noise: HandNoise,
    rng: np.random.Generator,
    crop_size: int = 256,
) -> tuple[HandPrediction, list[HandCrop]]:
    """What a hand network with this noise would say about hands, without a translation head.

    The crop camera is the one under which the *disturbed* hand covers the true keypoints best, plus noise, since that
    is what HaMeR's reprojection loss trains it for: a hand that is predicted too large still looks right in the
    image, and is therefore put too far away.

    Args:
        hands: true hands of one image.
        camera: of the source image.
        layer: the hand model of the truth.
        noise: standard deviations.
        rng: the only source of chance.
        crop_size: side of the (empty) crops in pixels.

    """
    rotations = np.stack([_right_looking(hand) for hand in hands])
    rotations = np.concatenate(
        [
            _turned(rotations[:, :1], noise.orientation_degrees, rng),
            _turned(rotations[:, 1:], noise.joint_degrees, rng),
        ],
        axis=1,
    )
    betas = np.stack([hand.betas for hand in hands]) + noise.betas * rng.standard_normal((len(hands), NUM_BETAS))
    betas = betas + noise.size_error * size_direction(layer)
    points = _right_looking_keypoints(rotations, betas, layer)
    squares = [crop_square(hand.box) for hand in hands]
    cameras = np.stack(
        [fitted_crop_camera(points[i], _crop_keypoints(hand, camera, *squares[i])) for i, hand in enumerate(hands)]
    )
    cameras[:, 0] *= np.exp(noise.camera_scale * rng.standard_normal(len(hands)))
    cameras[:, 1:] += noise.camera_shift * rng.standard_normal((len(hands), 2)) / (cameras[:, :1] / 2.0)
    empty = np.zeros((3, crop_size, crop_size), np.float32)
    prediction = HandPrediction(
        torch.from_numpy(rotations).float(), torch.from_numpy(betas).float(), torch.from_numpy(cameras).float(), None
    )
    return prediction, [HandCrop(empty, center, size) for center, size in squares]


def disturbed_points(
    depth: NDArray[np.floating], camera: Intrinsics, noise: PointmapNoise, rng: np.random.Generator
) -> NDArray[np.float32]:
    """(h, w, 3) metres, the pointmap that a network with this noise would predict; depth 0 (nothing) stays 0.

    Args:
        depth: (h, w) metres, true.
        camera: of ``depth``.
        noise: standard deviations.
        rng: the only source of chance.

    """
    if noise == EXACT_POINTS:
        return unproject_depth(depth, camera).astype(np.float32)
    shape = depth.shape
    factor = noise.scale * rng.standard_normal() + noise.drift * _smooth_field(shape, rng)
    factor = factor + noise.grain * rng.standard_normal(shape)
    points = unproject_depth(_bled(depth.astype(np.float32), noise.bleed) * np.exp(factor), camera)
    for axis in (0, 1):
        shift = noise.sideways * _smooth_field(shape, rng) + noise.grain * rng.standard_normal(shape)
        points[..., axis] += shift * points[..., 2]
    return points.astype(np.float32)


def fitted_crop_camera(points: Array, in_crop: Array) -> Array:
    """Crop camera (s, tx, ty) that projects points (P, 3) nearest to crop-normalised pixels (P, 2).

    Least squares under the scaled orthographic projection that HaMeR's camera comes down to.
    """
    middle, seen = points[:, :2].mean(axis=0), in_crop.mean(axis=0)
    from_middle = points[:, :2] - middle
    half_scale = float((from_middle * (in_crop - seen)).sum() / (from_middle**2).sum())
    half_scale = max(half_scale, 1e-3)
    return np.concatenate([[2.0 * half_scale], seen / half_scale - middle])


def size_direction(layer: HandLayer) -> Array:
    """(10,) shape coefficients that make the mean hand larger by its own size (linearly), by the shortest way."""
    betas = torch.zeros(1 + NUM_BETAS, NUM_BETAS)
    betas[1:] = torch.eye(NUM_BETAS)
    flat = torch.eye(3).expand(len(betas), NUM_JOINTS, 3, 3)
    with torch.inference_mode():
        keypoints = layer(flat, betas, torch.ones(len(betas), dtype=torch.bool)).keypoints
    lengths = keypoints.norm(dim=-1).mean(dim=-1).double().numpy()
    gradient = lengths[1:] / lengths[0] - 1.0
    return gradient / (gradient @ gradient)


def _right_looking(hand: HandTruth) -> Array:
    return hand.rotations if hand.side == HandSide.RIGHT else mirror_rotations(hand.rotations)


def _turned(rotations: Array, degrees: float, rng: np.random.Generator) -> Array:
    """Rotations (..., 3, 3) after small random turns."""
    turns = Rotation.from_rotvec(np.deg2rad(degrees) * rng.standard_normal((rotations[..., 0, 0].size, 3)))
    return rotations @ turns.as_matrix().reshape(rotations.shape)


def _right_looking_keypoints(rotations: Array, betas: Array, layer: HandLayer) -> Array:
    """(N, 21, 3) keypoints relative to the model's origin, as HaMeR's crop camera counts them."""
    right = torch.ones(len(rotations), dtype=torch.bool)
    with torch.inference_mode():
        mesh = layer(torch.from_numpy(rotations).float(), torch.from_numpy(betas).float(), right)
    return (mesh.keypoints + mesh.rest_root[:, None]).double().numpy()


def _crop_keypoints(hand: HandTruth, camera: Intrinsics, center: NDArray[np.float32], size: float) -> Array:
    """(21, 2) true keypoints in the crop, -0.5 .. 0.5, mirrored for a left hand."""
    in_crop = (project_points(hand.keypoints_camera, camera) - center) / size
    return in_crop if hand.side == HandSide.RIGHT else in_crop * [-1.0, 1.0]


def _smooth_field(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """(h, w) values of about unit variance that change slowly."""
    cells = rng.standard_normal((_DRIFT_CELLS[1], _DRIFT_CELLS[0])).astype(np.float32)
    return np.asarray(cv2.resize(cells, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC))


def _bled(depth: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Surfaces mixed with their neighbours where they end."""
    if sigma <= 0.0:
        return depth
    window = np.ones((3, 3), np.uint8)
    side = 2 * round(2.0 * sigma) + 1
    nearest, farthest = cv2.erode(depth, window), cv2.dilate(depth, window)
    outline = cv2.dilate((farthest - nearest > _EDGE * np.maximum(nearest, 1e-3)).astype(np.uint8), window)
    blurred = cv2.GaussianBlur(depth, (side, side), sigma)
    return np.where((outline > 0) & (depth > 0.0), blurred, depth)
