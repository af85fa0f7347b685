"""Batches for the training stages, drawn at random from pre-rendered data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hand3r_ros.datasets.samples import SkipLog
from hand3r_ros.geometry import invert_transform, quaternion_from_matrix
from hand3r_ros.network.types import HandBoxes
from hand3r_ros.training.augmentation import CropMotion, jitter_colors
from hand3r_ros.training.rendered_data import RenderedData

IMAGE_MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
IMAGE_STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]


@dataclass(frozen=True)
class HandBatch:
    """Right-looking hand crops and their truth."""

    crops: Tensor  # [N, 3, C, C] normalised
    rotations: Tensor  # [N, 16, 3, 3]
    betas: Tensor  # [N, 10]
    keypoints_crop: Tensor  # [N, 21, 2] crop units


@dataclass(frozen=True)
class ClipFrame:
    """One time step of a batch of clips."""

    image: Tensor  # [B, 3, H, W] in [-1, 1]
    points: Tensor  # [B, H, W, 3] m, camera frame
    valid: Tensor  # [B, H, W] bool
    camera_pose: Tensor  # [B, 7] tx ty tz qw qx qy qz, in the first camera of the clip
    hands: HandBoxes
    hand_wrist: Tensor  # [N, 3] m, camera frame
    hand_keypoints: Tensor  # [N, 21, 3] m, camera frame


class HandDataset:
    """All visible hands of a data set as one flat list."""

    def __init__(self, data: RenderedData, smallest_visible: float = 0.25) -> None:
        arrays = data.arrays
        usable = arrays['hand_valid'] & (arrays['hand_visible'] >= smallest_visible) & arrays['done'][:, None, None]
        self.index: NDArray[np.intp] = np.argwhere(usable)  # (M, 3) sequence, frame, slot
        self.data = data
        self.skipped = SkipLog()
        if not len(self.index):
            raise ValueError(f'{data.directory} has no visible hand: render more sequences')

    def __len__(self) -> int:
        return len(self.index)

    def batch(self, size: int, generator: torch.Generator, augmentation: float = 1.0) -> HandBatch:
        """``size`` random hands with colour and in-plane augmentation."""
        rows = self.index[torch.randint(len(self.index), (size,), generator=generator).numpy()]
        where = tuple(rows[np.argsort(rows[:, 0])].T)
        stored = torch.from_numpy(self.data.arrays['hand_crop'][where]).permute(0, 3, 1, 2).float() / 255.0
        motion = CropMotion.draw(size, generator, augmentation)
        crops = jitter_colors(motion.sample(stored, self.data.layout.crop), generator)
        keypoints = torch.from_numpy(self.data.arrays['hand_keypoints_crop'][where])
        return HandBatch(
            (crops - IMAGE_MEAN) / IMAGE_STD,
            motion.turn_rotations(torch.from_numpy(self.data.arrays['hand_rotations'][where])),
            torch.from_numpy(self.data.arrays['hand_betas'][where]),
            motion.move_keypoints(keypoints),
        )

    def parameters(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Rotations [count, 16, 3, 3] and betas [count, 10] of random hands."""
        where = tuple(self.index[torch.randint(len(self.index), (count,), generator=generator).numpy()].T)
        arrays = self.data.arrays
        return torch.from_numpy(arrays['hand_rotations'][where]), torch.from_numpy(arrays['hand_betas'][where])


class ClipDataset:
    """Clips of consecutive or skipped frames with their hands."""

    def __init__(self, data: RenderedData, clip_frames: int, smallest_visible: float = 0.25) -> None:
        self.data = data
        self.clip_frames = min(clip_frames, data.layout.frames)
        self.smallest_visible = smallest_visible
        self.rows = data.finished_rows()
        self.skipped = SkipLog()
        if not len(self.rows):
            raise ValueError(f'{data.directory} has no finished sequence: render it first')

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, size: int, generator: torch.Generator, augment: bool = True) -> list[ClipFrame]:
        """``clip_frames`` time steps of ``size`` random clips, in time order or reversed."""
        chosen = self.rows[torch.randint(len(self.rows), (size,), generator=generator).numpy()]
        rows = np.sort(chosen)
        frames = np.stack([self._frames(generator) for _ in rows])  # (B, T)
        images = torch.from_numpy(self.data.arrays['image'][rows[:, None], frames]).permute(0, 1, 4, 2, 3).float() / 255
        if augment:
            images = jitter_colors(images, generator)
        poses = self._relative_poses(rows, frames)
        return [self._frame(rows, frames[:, t], images[:, t], poses[:, t]) for t in range(self.clip_frames)]

    def _frames(self, generator: torch.Generator) -> NDArray[np.intp]:
        order = torch.randperm(self.data.layout.frames, generator=generator)[: self.clip_frames].sort().values
        if bool(torch.rand((), generator=generator) < 0.5):
            order = order.flip(0)
        return order.numpy()

    def _relative_poses(self, rows: NDArray, frames: NDArray) -> NDArray[np.float32]:
        """(B, T, 7) in the first camera of each clip, quaternion w first and not negative."""
        T_world_camera = self.data.arrays['T_world_camera'][rows[:, None], frames].astype(float)
        T_first_camera = invert_transform(T_world_camera[:, :1]) @ T_world_camera
        quaternion = np.roll(quaternion_from_matrix(T_first_camera[..., :3, :3]), 1, axis=-1)
        return np.concatenate([T_first_camera[..., :3, 3], quaternion], axis=-1).astype(np.float32)

    def _frame(self, rows: NDArray, frames: NDArray, images: Tensor, poses: NDArray) -> ClipFrame:
        arrays = self.data.arrays
        depth = torch.from_numpy(arrays['depth'][rows, frames].astype(np.float32))
        fx, fy, cx, cy = torch.from_numpy(np.array(arrays['intrinsics'][rows]))[:, :, None, None].unbind(1)
        v, u = torch.meshgrid(torch.arange(depth.shape[1]), torch.arange(depth.shape[2]), indexing='ij')
        points = torch.stack([(u - cx) / fx * depth, (v - cy) / fy * depth, depth], dim=-1)
        hands, wrist, keypoints = self._hands(rows, frames)
        return ClipFrame(images * 2.0 - 1.0, points, depth > 0.0, torch.from_numpy(poses), hands, wrist, keypoints)

    def _hands(self, rows: NDArray, frames: NDArray) -> tuple[HandBoxes, Tensor, Tensor]:
        arrays = self.data.arrays
        usable = arrays['hand_valid'][rows, frames] & (arrays['hand_visible'][rows, frames] >= self.smallest_visible)
        batch, slot = np.nonzero(usable)
        where = (rows[batch], frames[batch], slot)
        stored = torch.from_numpy(arrays['hand_crop'][where]).permute(0, 3, 1, 2).float() / 255.0
        border = (self.data.layout.stored_crop - self.data.layout.crop) // 2
        crops = stored[:, :, border : border + self.data.layout.crop, border : border + self.data.layout.crop]
        boxes = HandBoxes(
            (crops - IMAGE_MEAN) / IMAGE_STD,
            torch.from_numpy(arrays['hand_box'][where]),
            torch.from_numpy(slot == 1),
            torch.from_numpy(batch.astype(np.int64)),
        )
        return boxes, torch.from_numpy(arrays['hand_wrist'][where]), torch.from_numpy(arrays['hand_keypoints'][where])
