"""Lifting: the MANO head learns joint angles from keypoints without images.

A hand's pose follows from its keypoints, whatever the image. A head that starts from keypoints can learn that from any
number of hands at almost no cost, while the image encoder is still being trained.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hand3r_lab.training.augmentation import normal, uniform
from hand3r_ros.device_constants import constant
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.network.crop_translation import ASPECT
from hand3r_ros.network.hand.keypoint_head import DEPTH_UNIT

LARGEST_NOISE = 0.1  # standard deviation, in half crops and ``DEPTH_UNIT``
HALF_CROP = 0.5


@dataclass(frozen=True)
class LiftingTask:
    """Right-looking hands: keypoints as the keypoint head would predict them, and the ground truth."""

    keypoints: Tensor  # [N, 21, 3] x, y in crop units, z in metres from the wrist; with errors
    keypoints_crop: Tensor  # [N, 21, 2] crop units, true
    rotations: Tensor  # [N, 16, 3, 3]
    betas: Tensor  # [N, 10]


def lifting_task(
    rotations: Tensor, betas: Tensor, layer: HandLayer, rescale: float, generator: torch.Generator
) -> LiftingTask:
    """Hands turned at random about the line of sight, in crops like those of boxes around them.

    Args:
        rotations: [N, 16, 3, 3] right-looking.
        betas: [N, 10].
        layer: the hand model.
        rescale: side of the crop's context around a tight box.
        generator: decides turns, places in the crop and errors.

    """
    count = len(rotations)
    device = rotations.device
    turn = uniform((count,), -torch.pi, torch.pi, generator).to(device)
    cos, sin, zero, one = turn.cos(), turn.sin(), torch.zeros_like(turn), torch.ones_like(turn)
    about_view = torch.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], -1).unflatten(-1, (3, 3))
    rotations = torch.cat([(about_view @ rotations[:, 0])[:, None], rotations[:, 1:]], dim=1)
    hand = layer(rotations, betas, torch.ones(count, dtype=torch.bool, device=device))
    low, high = hand.vertices[..., :2].amin(1), hand.vertices[..., :2].amax(1)
    extent = high - low
    context = uniform((count,), 0.8, 1.25, generator).to(device)
    side = rescale * torch.maximum(extent[:, 1], extent[:, 0] * ASPECT) * context
    shift = uniform((count, 2), -0.08, 0.08, generator).to(device)
    in_crop = (hand.keypoints[..., :2] - ((low + high) / 2.0)[:, None]) / side[:, None, None] + shift[:, None]
    truth = torch.cat([in_crop, hand.keypoints[..., 2:]], dim=-1)
    noise = normal(truth.shape, device, generator) * uniform((count, 1, 1), 0.0, LARGEST_NOISE, generator).to(device)
    noisy = truth + noise * constant([HALF_CROP, HALF_CROP, DEPTH_UNIT], truth)
    return LiftingTask(noisy, in_crop, rotations, betas)
