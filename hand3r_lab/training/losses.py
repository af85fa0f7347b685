"""Losses of the scene stream (CUT3R's, which Hand3R retains) and of the hand stream (paper eqs. 7 and 8).

All take and return torch tensors; lengths are metres.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hand3r_ros.hand_model.layer import HandMesh

SMALLEST_SCALE = 1e-3  # of a normalisation factor, so that an all-but-empty clip cannot blow up
NEAREST = 1e-3  # m, of depths that are compared by their ratio
OUTLINE_STEPS = (1, 2, 4, 8)  # px


def scene_scale(points: list[Tensor], confidences: list[Tensor], valid: list[Tensor]) -> Tensor:
    """[B] confidence-weighted mean distance of true points over the views of a clip (CUT3R's metric normalisation).

    The predicted confidence weights the true distances too, as max(log conf, 1e-3), without gradient.
    """
    weight_sum: Tensor | float = 0.0
    distance_sum: Tensor | float = 0.0
    for point, confidence, mask in zip(points, confidences, valid, strict=True):
        weight = confidence.detach().log().clamp(min=1e-3) * mask
        weight_sum = weight_sum + weight.sum(dim=(1, 2))
        distance_sum = distance_sum + (weight * point.norm(dim=-1)).sum(dim=(1, 2))
    scale = torch.as_tensor(distance_sum) / torch.as_tensor(weight_sum).clamp(min=1e-9)
    return scale.clamp(min=SMALLEST_SCALE)


def pointmap_loss(
    predicted: Tensor, confidence: Tensor, truth: Tensor, valid: Tensor, scale: Tensor, alpha: float
) -> Tensor:
    """Confidence-weighted regression of one view: mean of conf * |p - g| / scale - alpha * log conf.

    ``predicted`` and ``truth`` are [B, H, W, 3], ``confidence`` and ``valid`` [B, H, W], ``scale`` [B].
    """
    distance = (predicted - truth).norm(dim=-1) / scale[:, None, None]
    terms = confidence * distance - alpha * confidence.log()
    return _mean_where(valid, terms)


@dataclass(frozen=True)
class PointMap:
    """One predicted map of points and what is true."""

    predicted: Tensor  # [B, H, W, 3] m
    confidence: Tensor  # [B, H, W] >= 1
    truth: Tensor  # [B, H, W, 3] m, in the same frame
    valid: Tensor  # [B, H, W] bool


def pointmaps_loss(maps: list[PointMap], scale: Tensor, alpha: float) -> Tensor:
    """Twice the mean over maps, as CUT3R counts the maps in the own and in the first camera of every view."""
    losses = [pointmap_loss(one.predicted, one.confidence, one.truth, one.valid, scale, alpha) for one in maps]
    return 2.0 * torch.stack(losses).mean()


def depth_loss(predicted: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Mean difference of the logarithms of depths [B, H, W] in metres: near things count as much as far ones.

    Distances between points, as CUT3R compares them, are mostly those of the walls; a hand's are hardly noticed.
    """
    difference = (predicted.clamp(min=NEAREST).log() - truth.clamp(min=NEAREST).log()).abs()
    return _mean_where(valid, difference)


def relative_depth_loss(predicted: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Mean of |depth - truth| / truth over [B, H, W] in metres, the AbsRel of the evaluation.

    Too far costs more than too near by the same factor, so a hand does not give way to the table behind it.
    """
    return _mean_where(valid, (predicted - truth).abs() / truth.clamp(min=NEAREST))


def depth_gradient_loss(predicted: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Mean error of the steps of log depth between pixels 1, 2, 4 and 8 apart, rows and columns of [B, H, W] metres.

    It counts where a thing ends: an arm that is drawn as a soft lump costs little in ``depth_loss``. Matching of depth
    gradients as in MegaDepth (Li and Snavely 2018), with L1.
    """
    difference = predicted.clamp(min=NEAREST).log() - truth.clamp(min=NEAREST).log()
    errors = []
    for step in OUTLINE_STEPS:
        for axis in (1, 2):
            apart = min(step, difference.shape[axis])  # of small maps nothing is left to compare
            length = difference.shape[axis] - apart
            first, here = (values.narrow(axis, 0, length) for values in (difference, valid))
            further, there = (values.narrow(axis, apart, length) for values in (difference, valid))
            errors.append(_mean_where(here & there, (further - first).abs()))
    return torch.stack(errors).mean()


def _mean_where(valid: Tensor, values: Tensor) -> Tensor:
    """Zero where nothing is valid; without asking the device, which a GPU would have to wait for."""
    return torch.where(valid, values, 0.0).sum() / valid.sum().clamp(min=1)


def camera_pose_loss(predicted: Tensor, truth: Tensor, scale: Tensor) -> Tensor:
    """|t - t*| / scale + |q - q*|, mean over [B] poses of 7 numbers (translation, quaternion w first and >= 0)."""
    translation = (predicted[:, :3] - truth[:, :3]).norm(dim=-1) / scale
    rotation = (predicted[:, 3:] - truth[:, 3:]).norm(dim=-1)
    return (translation + rotation).mean()


def focal_loss(guessed: Tensor | None, truth: Tensor | None, like: Tensor) -> Tensor:
    """Mean difference of the logarithms of focal lengths of intrinsics [B, 4]; zero where either is not there."""
    if guessed is None or truth is None:
        return like * 0.0
    return (guessed[:, :2].log() - truth[:, :2].log()).abs().mean()


def hand_shape_loss(predicted: HandMesh, truth: HandMesh) -> Tensor:
    """Paper eq. 7: root-relative keypoints and vertices; L1 instead of squared, which tolerates hidden fingers."""
    keypoints = (predicted.keypoints - truth.keypoints).abs().mean()
    vertices = (predicted.vertices - truth.vertices).abs().mean()
    return keypoints + vertices


def reprojection_loss(predicted: Tensor, truth: Tensor) -> Tensor:
    """Mean L1 distance of keypoints [N, 21, 2] in crop units."""
    return (predicted - truth).abs().mean()


def translation_loss(predicted: Tensor, truth: Tensor, present: Tensor) -> Tensor:
    """Paper eq. 8, root translation: mean distance [N, 3] plus the relative depth error, of hands that are there [N].

    The second term keeps near hands, whose errors are small in metres but large in the image, from being ignored.
    """
    distance = (predicted - truth).norm(dim=-1)
    depth = (predicted[:, 2] - truth[:, 2]).abs() / truth[:, 2].clamp(min=0.1)
    return _mean_where(present, distance + 0.2 * depth)


def absolute_loss(predicted: Tensor, truth: Tensor, present: Tensor) -> Tensor:
    """Paper eq. 8, absolute joints: mean distance of keypoints [N, 21, 3] in the camera frame of hands there [N]."""
    return _mean_where(present, (predicted - truth).norm(dim=-1).mean(-1))


def image_loss(predicted: Tensor, truth: Tensor, present: Tensor) -> Tensor:
    """Paper eq. 8, 2D: mean L1 distance of the projections of keypoints [N, 21, 3], in units of the focal length.

    Of hands that are there [N].

    Needs no intrinsics: it compares viewing directions, which is what a projection shows.
    """
    nearest = 0.05  # m: keypoints nearer than this, or behind the camera, have no usable projection

    def projected(points: Tensor) -> Tensor:
        return points[..., :2] / points[..., 2:].clamp(min=nearest)

    in_front = (truth[..., 2] > nearest) & present[:, None]
    distance = (projected(predicted) - projected(truth)).abs().mean(-1)
    return _mean_where(in_front, distance)
