"""One time step of a batch of clips, whatever data set it comes from."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hand3r_lab.training.detection_data import DetectionBatch
from hand3r_ros.network.types import HandBoxes


@dataclass(frozen=True)
class ClipFrame:
    """Images and what is true of them; what a data set does not know is None."""

    image: Tensor  # [B, 3, H, W] in [-1, 1]
    points: Tensor  # [B, H, W, 3] m, camera frame
    valid: Tensor  # [B, H, W] bool
    camera_pose: Tensor  # [B, 7] tx ty tz qw qx qy qz, in the first camera of the clip
    hands: HandBoxes
    hand_wrist: Tensor  # [N, 3] m, camera frame
    hand_keypoints: Tensor  # [N, 21, 3] m, camera frame
    intrinsics: Tensor | None = None  # [B, 4] fx fy cx cy px
    T_table_camera: Tensor | None = None  # [B, 3, 4] in the table's frame: x right, y forward from its edge, z up, m
    detection: DetectionBatch | None = None  # the same images with the hands that are to be found
    intrinsics_known: bool = True  # whether the network is given ``intrinsics``; else it estimates them


def with_intrinsics_dropout(clip: Sequence[ClipFrame], share: float, generator: torch.Generator) -> list[ClipFrame]:
    """The clip, in a ``share`` of all draws without intrinsics for the network."""
    known = bool(torch.rand((), generator=generator) >= share)
    return [dataclasses.replace(frame, intrinsics_known=known) for frame in clip]
