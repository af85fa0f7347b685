"""Clips seen in a mirror: left hands become right hands, and every scene counts twice.

Hand crops, rotations and shapes are stored for a right-looking hand, so they stay as they are.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from hand3r_lab.training.clips import ClipFrame
from hand3r_lab.training.detection_data import DetectionBatch
from hand3r_ros.device_constants import constant
from hand3r_ros.network.types import HandBoxes


def mirrored(frame: ClipFrame, flags: Tensor) -> ClipFrame:
    """The time step with the clips marked in ``flags`` [B] mirrored left to right, the camera frames' x axes too."""
    width = frame.image.shape[-1]
    ofhand = flags[frame.hands.batch_index]
    image = _chosen(flags, frame.image.flip(-1), frame.image)
    return ClipFrame(
        image=image,
        points=_chosen(flags, _x_negated(frame.points.flip(2)), frame.points),
        valid=_chosen(flags, frame.valid.flip(2), frame.valid),
        camera_pose=_chosen(flags, _mirrored_pose(frame.camera_pose), frame.camera_pose),
        hands=_mirrored_hands(frame.hands, ofhand, width),
        hand_wrist=_chosen(ofhand, _x_negated(frame.hand_wrist), frame.hand_wrist),
        hand_keypoints=_chosen(ofhand, _x_negated(frame.hand_keypoints), frame.hand_keypoints),
        intrinsics=_mirrored_intrinsics(frame.intrinsics, flags, width),
        T_table_camera=_mirrored_table(frame.T_table_camera, flags),
        detection=_mirrored_detection(frame.detection, flags, image, width),
    )


def _chosen(flags: Tensor, changed: Tensor, kept: Tensor) -> Tensor:
    return torch.where(flags.to(kept.device).reshape(-1, *(1,) * (kept.dim() - 1)), changed, kept)


def _x_negated(points: Tensor) -> Tensor:
    """[..., 3] seen in a mirror."""
    return points * constant([-1.0, 1.0, 1.0], points)


def _mirrored_pose(pose: Tensor) -> Tensor:
    """[B, 7] tx ty tz qw qx qy qz: a mirrored turn keeps its axis along x and reverses the others."""
    return pose * constant([-1.0, 1.0, 1.0, 1.0, 1.0, -1.0, -1.0], pose)


def _mirrored_hands(hands: HandBoxes, flags: Tensor, width: int) -> HandBoxes:
    return dataclasses.replace(
        hands, boxes=_chosen(flags, _mirrored_boxes(hands.boxes, width), hands.boxes), is_right=hands.is_right ^ flags
    )


def _mirrored_boxes(boxes: Tensor, width: int) -> Tensor:
    """[..., 4] x1, y1, x2, y2."""
    x1, y1, x2, y2 = boxes.unbind(-1)
    return torch.stack([width - 1.0 - x2, y1, width - 1.0 - x1, y2], dim=-1)


def _mirrored_intrinsics(intrinsics: Tensor | None, flags: Tensor, width: int) -> Tensor | None:
    if intrinsics is None:
        return None
    fx, fy, cx, cy = intrinsics.unbind(-1)
    return torch.stack([fx, fy, torch.where(flags, width - 1.0 - cx, cx), cy], dim=-1)


def _mirrored_table(T_table_camera: Tensor | None, flags: Tensor) -> Tensor | None:
    if T_table_camera is None:
        return None
    mirror = constant([-1.0, 1.0, 1.0], T_table_camera)
    return _chosen(flags, T_table_camera * mirror[:, None] * torch.cat([mirror, mirror.new_ones(1)]), T_table_camera)


def _mirrored_detection(
    detection: DetectionBatch | None, flags: Tensor, image: Tensor, width: int
) -> DetectionBatch | None:
    """With the hands of either side in the slots of the other one."""
    if detection is None:
        return None
    return DetectionBatch(
        image,
        _chosen(flags, _mirrored_boxes(detection.boxes, width).flip(1), detection.boxes),
        _chosen(flags, detection.present.flip(1), detection.present),
        _chosen(flags, detection.ignored.flip(1), detection.ignored),
    )
