"""Inputs and outputs of the network: plain frozen containers of tensors.

B is the batch, N the number of hands over the whole batch, H x W the scene image (multiples of the patch size).
Lengths are metres, the camera frame has optical axes, the network's world is the first camera's optical frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class SceneState:
    """The recurrent memory of the scene stream; constant in size, passed in and returned by every step."""

    tokens: Tensor  # [B, S, D] state tokens
    positions: Tensor  # [B, S, 2] integer (row, column) of each state token
    memory: Tensor  # [B, M, 2D] pose memory
    initial_tokens: Tensor  # [B, S, D] what a reset restores
    initial_memory: Tensor  # [B, M, 2D] what a reset restores
    started: bool = False  # False until the first frame was processed (its pose token is a learned constant)
    fresh: Tensor | None = None  # [B] bool, the next frame is the first since the start or a reset; None: none is


@dataclass(frozen=True)
class Frame:
    """One time step of the scene stream."""

    image: Tensor  # [B, 3, H, W] in [-1, 1]
    update: Tensor | None = None  # [B] bool, False leaves state and memory as they were; None: all True
    reset: Tensor | None = None  # [B] bool, True restores the initial state after this frame; None: all False
    ray_map: Tensor | None = None  # [B, H, W, 6] known camera: centre and CUT3R's ray vector, in the world frame
    has_image: Tensor | None = None  # [B] bool, False ignores the image and never updates; None: all True
    has_ray_map: Tensor | None = None  # [B] bool, False ignores the ray map; None: all True where ray_map is given
    state_update: str | None = None  # 'cut3r' or 'ttt3r', see scene/state_update.py; None: as SceneConfig says
    intrinsics: Tensor | None = None  # [B, 4] fx fy cx cy px, for networks that take them; None: not known
    mark_missing: bool = False  # add learned tokens for a missing image or ray map, as CUT3R's offline entry point


@dataclass(frozen=True)
class HandBoxes:
    """The hands to look at in one time step, over all images of the batch."""

    crops: Tensor  # [N, 3, C, C] ImageNet-normalised square crops, left hands mirrored to look right
    boxes: Tensor  # [N, 4] x1, y1, x2, y2 in pixels of Frame.image, tight around the hand
    is_right: Tensor  # [N] bool
    batch_index: Tensor  # [N] int64, which image of the batch
    # [N] bool, False for a place that is kept free and whose outputs mean nothing; then all images have equally many
    # places, one image after the other, and no step depends on how many hands there are. None: all are hands
    present: Tensor | None = None

    @classmethod
    def empty(cls, crop_size: int, device: torch.device | str = 'cpu') -> HandBoxes:
        """Boxes of zero hands."""
        return cls(
            torch.zeros(0, 3, crop_size, crop_size, device=device),
            torch.zeros(0, 4, device=device),
            torch.zeros(0, dtype=torch.bool, device=device),
            torch.zeros(0, dtype=torch.int64, device=device),
        )


@dataclass(frozen=True)
class ScenePrediction:
    """Outputs of the scene stream for one time step."""

    points_self: Tensor  # [B, H, W, 3] m, this camera's optical frame
    confidence_self: Tensor  # [B, H, W] >= 1
    camera_pose: Tensor  # [B, 7] tx ty tz qw qx qy qz, camera to world
    image_tokens: Tensor  # [B, L, E] encoder tokens F_s (paper eq. 1)
    decoded_tokens: Tensor  # [B, L, D] image tokens after the decoder F'_s (eq. 5)
    points_world: Tensor | None = None  # [B, H, W, 3] m, world frame; only when asked for
    confidence_world: Tensor | None = None  # [B, H, W]
    rgb: Tensor | None = None  # [B, H, W, 3] in (-1, 1); only when asked for
    pose_token: Tensor | None = None  # [B, D] decoded token that camera_pose was read from
    guessed_intrinsics: Tensor | None = None  # [B, 4] fx fy cx cy px, by networks that take intrinsics
    intrinsics: Tensor | None = None  # [B, 4] the camera the points belong to: the given one, else the guessed one


@dataclass(frozen=True)
class HandPrediction:
    """Outputs of the hand stream; rotations, betas and crop camera describe the mirrored hand for left hands."""

    rotations: Tensor  # [N, 16, 3, 3] in MANO order, right-looking, the first, of the whole hand, in camera axes
    betas: Tensor  # [N, 10]
    crop_camera: Tensor  # [N, 3] s, tx, ty of HaMeR's weak-perspective crop camera, right-looking
    translation: Tensor | None  # [N, 3] m, wrist joint in the camera frame (not mirrored); None without that head
    slopes: Tensor | None = None  # [N, 2] x / z, y / z of the lines of sight against which the crop camera sees the
    # hands, right-looking; None: along the optical axis, as HaMeR


@dataclass(frozen=True)
class Prediction:
    """Everything one ``Hand3R.step`` returns besides the new state."""

    scene: ScenePrediction
    hands: HandPrediction
