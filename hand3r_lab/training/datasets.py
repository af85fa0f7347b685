"""Batches for the training stages, drawn at random from pre-rendered data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hand3r_lab.datasets.samples import DataSetError, SkipLog
from hand3r_lab.training.augmentation import CropMotion, jitter_colors
from hand3r_lab.training.clip_mirror import mirrored
from hand3r_lab.training.clips import ClipFrame
from hand3r_lab.training.detection_data import DetectionBatch
from hand3r_lab.training.rendered_data import RenderedData
from hand3r_lab.training.rendered_rows import CLIP_ARRAYS, HAND_ARRAYS, SoundRows
from hand3r_ros.geometry import invert_transform, quaternion_from_matrix
from hand3r_ros.network.hand.viewing_ray import ray_slopes_of_boxes
from hand3r_ros.network.types import HandBoxes

IMAGE_MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
IMAGE_STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
MIRROR_PROBABILITY = 0.5


def normalised(crops: Tensor) -> Tensor:
    """Crops [N, 3, C, C] in 0..1 as the hand stream takes them."""
    return (crops - IMAGE_MEAN.to(crops.device)) / IMAGE_STD.to(crops.device)


def points_of_depth(depth: Tensor, intrinsics: Tensor) -> Tensor:
    """Points [B, H, W, 3] in the camera frame of depths [B, H, W] along the optical axis; intrinsics [B, 4]."""
    fx, fy, cx, cy = intrinsics[:, :, None, None].unbind(1)
    rows, columns = (torch.arange(side, device=depth.device) for side in depth.shape[1:])
    v, u = torch.meshgrid(rows, columns, indexing='ij')
    return torch.stack([(u - cx) / fx * depth, (v - cy) / fy * depth, depth], dim=-1)


@dataclass(frozen=True)
class HandBatch:
    """Right-looking hand crops and their truth."""

    crops: Tensor  # [N, 3, C, C] normalised
    rotations: Tensor  # [N, 16, 3, 3] the first in camera axes
    betas: Tensor  # [N, 10]
    keypoints_crop: Tensor  # [N, 21, 2] crop units
    slopes: Tensor  # [N, 2] x / z, y / z of the line of sight through the middle of the box


class HandDataset:
    """All visible hands of a data set as one flat list."""

    def __init__(self, data: RenderedData, smallest_visible: float = 0.25) -> None:
        arrays = data.arrays
        usable = arrays['hand_valid'] & (arrays['hand_visible'] >= smallest_visible) & arrays['done'][:, None, None]
        self.index: NDArray[np.intp] = np.argwhere(usable)  # (M, 3) sequence, frame, slot
        self.data = data
        self.skipped = SkipLog()
        self._sound = SoundRows(data, HAND_ARRAYS, self.skipped)
        if not len(self.index):
            raise ValueError(f'{data.directory} has no visible hand: render more sequences')

    def __len__(self) -> int:
        return len(self.index)

    def batch(self, size: int, generator: torch.Generator, augmentation: float = 1.0) -> HandBatch:
        """``size`` random hands with colour and in-plane augmentation."""
        rows = self.index[self._sound.draw(self.index[:, 0], size, generator)]
        where = tuple(rows[np.argsort(rows[:, 0])].T)
        stored = self.data.take('hand_crop', where).permute(0, 3, 1, 2).float() / 255.0
        motion = CropMotion.draw(size, generator, augmentation)
        crops = jitter_colors(motion.sample(stored, self.data.layout.crop), generator)
        keypoints = torch.from_numpy(self.data.arrays['hand_keypoints_crop'][where])
        return HandBatch(
            normalised(crops),
            motion.turn_rotations(torch.from_numpy(self.data.arrays['hand_rotations'][where])),
            torch.from_numpy(self.data.arrays['hand_betas'][where]),
            motion.move_keypoints(keypoints),
            motion.turn_slopes(self._slopes(where)),
        )

    def _slopes(self, where: tuple[NDArray[np.intp], ...]) -> Tensor:
        boxes = torch.from_numpy(self.data.arrays['hand_box'][where])
        intrinsics = torch.from_numpy(np.array(self.data.arrays['intrinsics'][where[0]]))
        return ray_slopes_of_boxes(boxes, intrinsics, torch.from_numpy(where[2] == 1))

    def parameters(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Rotations [count, 16, 3, 3] and betas [count, 10] of random hands."""
        where = tuple(self.index[self._sound.draw(self.index[:, 0], count, generator)].T)
        arrays = self.data.arrays
        return torch.from_numpy(arrays['hand_rotations'][where]), torch.from_numpy(arrays['hand_betas'][where])


class ClipDataset:
    """Clips of consecutive or skipped frames with their hands."""

    def __init__(
        self,
        data: RenderedData,
        clip_frames: int,
        smallest_visible: float = 0.25,
        every_row: bool = False,
        with_hands: bool = True,
        reflect_clips: bool = False,
        fixed_places: bool = False,
    ) -> None:
        """Clips of ``data``.

        Args:
            data: rendered sequences.
            clip_frames: time steps per clip.
            smallest_visible: share of a hand that must be visible for it to count.
            every_row: a batch is one clip of every sequence, instead of clips of random sequences.
            with_hands: whether the time steps have hand crops; without them a batch is made faster.
            reflect_clips: clips longer than the sequences turn round at their ends, instead of being refused.
            fixed_places: every image has a place for either hand, so that all batches have the same shapes.

        Raises:
            DataSetError: the sequences are shorter than a clip.
            ValueError: no sequence is finished.

        """
        if clip_frames > data.layout.frames and not reflect_clips:
            raise DataSetError(
                f'clip_frames is {clip_frames}, but the sequences in {data.directory} have {data.layout.frames} '
                f'frames: lower clip_frames, render longer ones (`hand3r-lab render --frames {clip_frames}`) or set '
                f'reflect_clips=true'
            )
        self.data = data
        self.clip_frames = clip_frames
        self.smallest_visible = smallest_visible
        self.rows = data.finished_rows()
        self.skipped = SkipLog()
        self._every_row = every_row
        self._with_hands = with_hands
        self._fixed_places = fixed_places and with_hands
        self._sound = SoundRows(data, CLIP_ARRAYS, self.skipped)
        if not len(self.rows):
            raise ValueError(f'{data.directory} has no finished sequence: render it first')

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, size: int, generator: torch.Generator, augment: bool = True) -> list[ClipFrame]:
        """``clip_frames`` time steps of ``size`` random clips, in time order or reversed."""
        rows = self.rows if self._every_row else np.sort(self.rows[self._sound.draw(self.rows, size, generator)])
        frames = self._frames(len(rows), generator)
        images = self.data.take('image', (rows[:, None], frames)).permute(0, 1, 4, 2, 3).float() / 255
        if augment:
            images = jitter_colors(images, generator)
        poses = self._relative_poses(rows, frames)
        clip = [self._frame(rows, frames[:, t], images[:, t], poses[:, t]) for t in range(self.clip_frames)]
        if augment:
            flags = torch.rand((size,), generator=generator) < MIRROR_PROBABILITY
            clip = [mirrored(frame, flags) for frame in clip]
        return clip

    def _frames(self, clips: int, generator: torch.Generator) -> NDArray[np.intp]:
        """(B, T) which frames each clip is made of."""
        frames = self.data.layout.frames
        if self.clip_frames > frames:
            starts = torch.randint(2 * frames, (clips,), generator=generator).tolist()
            return np.stack([frames_on_the_way(frames, self.clip_frames, start) for start in starts])
        chosen = torch.rand((clips, frames), generator=generator).argsort(dim=1)[:, : self.clip_frames]
        order = chosen.sort(dim=1).values
        backwards = torch.rand((clips, 1), generator=generator) < 0.5
        return torch.where(backwards, order.flip(1), order).numpy()

    def _relative_poses(self, rows: NDArray, frames: NDArray) -> NDArray[np.float32]:
        """(B, T, 7) in the first camera of each clip, quaternion w first and not negative."""
        T_world_camera = self.data.arrays['T_world_camera'][rows[:, None], frames].astype(float)
        T_first_camera = invert_transform(T_world_camera[:, :1]) @ T_world_camera
        quaternion = np.roll(quaternion_from_matrix(T_first_camera[..., :3, :3]), 1, axis=-1)
        return np.concatenate([T_first_camera[..., :3, 3], quaternion], axis=-1).astype(np.float32)

    def _frame(self, rows: NDArray, frames: NDArray, images: Tensor, poses: NDArray) -> ClipFrame:
        arrays = self.data.arrays
        depth = self.data.take('depth', (rows, frames)).float()
        intrinsics = torch.from_numpy(np.array(arrays['intrinsics'][rows]))
        hands, wrist, keypoints = self._hands(rows, frames)
        images = images * 2.0 - 1.0
        return ClipFrame(
            images,
            points_of_depth(depth, intrinsics.to(depth.device)),
            depth > 0.0,
            torch.from_numpy(poses),
            hands,
            wrist,
            keypoints,
            intrinsics=intrinsics,
            T_table_camera=self._table_poses(rows, frames),
            detection=self._detection(rows, frames, images),
        )

    def _table_poses(self, rows: NDArray, frames: NDArray) -> Tensor:
        T_table_camera = np.array(self.data.arrays['T_world_camera'][rows, frames][:, :3])
        T_table_camera[:, 2, 3] -= self.data.arrays['table_height'][rows]
        return torch.from_numpy(T_table_camera)

    def _detection(self, rows: NDArray, frames: NDArray, images: Tensor) -> DetectionBatch:
        arrays = self.data.arrays
        valid, visible = arrays['hand_valid'][rows, frames], arrays['hand_visible'][rows, frames]
        present = valid & (visible >= self.smallest_visible)
        boxes = torch.from_numpy(arrays['hand_box'][rows, frames])
        return DetectionBatch(images, boxes, torch.from_numpy(present), torch.from_numpy(valid & ~present))

    def _hands(self, rows: NDArray, frames: NDArray) -> tuple[HandBoxes, Tensor, Tensor]:
        arrays = self.data.arrays
        usable = arrays['hand_valid'][rows, frames] & (arrays['hand_visible'][rows, frames] >= self.smallest_visible)
        usable = usable & self._with_hands
        batch, slot = np.nonzero(np.ones_like(usable) if self._fixed_places else usable)
        where = (rows[batch], frames[batch], slot)
        stored = self.data.take('hand_crop', where).permute(0, 3, 1, 2).float() / 255.0
        border = (self.data.layout.stored_crop - self.data.layout.crop) // 2
        crops = stored[:, :, border : border + self.data.layout.crop, border : border + self.data.layout.crop]
        boxes = HandBoxes(
            normalised(crops),
            torch.from_numpy(arrays['hand_box'][where]),
            torch.from_numpy(slot == 1),
            torch.from_numpy(batch.astype(np.int64)),
            torch.from_numpy(usable[batch, slot]) if self._fixed_places else None,
        )
        return boxes, torch.from_numpy(arrays['hand_wrist'][where]), torch.from_numpy(arrays['hand_keypoints'][where])


def frames_on_the_way(frames: int, steps: int, start: int) -> NDArray[np.intp]:
    """Indices of ``steps`` frames on the way 0, 1 ... frames - 1 ... 1, 0, 1 ... from its step ``start``."""
    period = max(2 * (frames - 1), 1)
    place = (start + np.arange(steps)) % period
    return np.minimum(place, period - place)
