"""Training batches out of annotated sequences (DexYCB, HOI4D), read from disk when they are drawn.

Frames and labels that cannot be used are skipped, counted and replaced by other draws of the same generator, so a
resumed run repeats itself as long as the files stay the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hand3r_lab.datasets.mano_annotations import keypoints_of
from hand3r_lab.datasets.samples import (
    AnnotatedFrame,
    AnnotatedHand,
    AnnotatedSequence,
    CorruptSampleError,
    DataSetError,
    SkipLog,
)
from hand3r_lab.training.augmentation import CropMotion, jitter_colors
from hand3r_lab.training.clips import ClipFrame
from hand3r_lab.training.datasets import IMAGE_MEAN, IMAGE_STD, HandBatch
from hand3r_lab.training.detection_data import DetectionBatch
from hand3r_lab.training.rendered_data import CROP_MARGIN
from hand3r_ros.geometry import Intrinsics, invert_transform, project_points, quaternion_from_matrix, unproject_depth
from hand3r_ros.hand_model.joints import FINGERTIP_VERTICES
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.network.config import Hand3RConfig
from hand3r_ros.network.hand.crop import hand_crop
from hand3r_ros.network.hand.viewing_ray import ray_slopes_of_boxes
from hand3r_ros.network.types import HandBoxes
from hand3r_ros.online.preparation import ImageGeometry, nearest_depth, resize_and_crop

CLIP_SECONDS = 2.0
SMALLEST_INSIDE = 0.25  # share of keypoints that must lie inside the image
_VAIN_DRAWS = 200  # per sample, before giving up

_Reader: TypeAlias = Callable[[AnnotatedSequence, int, float], 'tuple[NDArray, ...] | None']
"""Sequence, frame and a number in 0..1 that chooses among its hands -> arrays, None where there is no hand."""


class AnnotatedHandDataset:
    """All labelled hands of some sequences.

    Args:
        sequences: where from.
        config: of the network, for sizes of crops.
        hand_model_id: what ``rotations`` and ``betas`` belong to.
        skipped: shared record of what could not be used.

    Raises:
        DataSetError: there is no frame at all.
    """

    def __init__(
        self, sequences: Sequence[AnnotatedSequence], config: Hand3RConfig, hand_model_id: str, skipped: SkipLog
    ) -> None:
        self.sequences = sequences
        self.config = config.hand
        self.hand_model_id = hand_model_id
        self.skipped = skipped
        self._ends = np.cumsum([len(sequence) for sequence in sequences])  # frames up to and including a sequence
        if not len(self):
            raise DataSetError('the chosen part of the data set has no sequence that can be opened')

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def batch(self, size: int, generator: torch.Generator, augmentation: float = 1.0) -> HandBatch:
        """``size`` random hands with colour and in-plane augmentation.

        Raises:
            DataSetError: hardly any draw gives a usable hand.
        """
        drawn = [self._draw(generator, self._crop) for _ in range(size)]
        wide, keypoints, rotations, betas, slopes = (
            torch.from_numpy(np.stack(values).astype(np.float32)) for values in zip(*drawn, strict=True)
        )
        motion = CropMotion.draw(size, generator, augmentation)
        crops = jitter_colors(motion.sample(wide, self.config.crop_size), generator)
        return HandBatch(
            (crops - IMAGE_MEAN) / IMAGE_STD,
            motion.turn_rotations(rotations),
            betas,
            motion.move_keypoints(keypoints),
            motion.turn_slopes(slopes),
        )

    def parameters(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Rotations [count, 16, 3, 3] and betas [count, 10] of random hands, without reading images."""
        drawn = [self._draw(generator, self._parameters) for _ in range(count)]
        rotations, betas = zip(*drawn, strict=True)
        return torch.from_numpy(np.stack(rotations)).float(), torch.from_numpy(np.stack(betas)).float()

    def _draw(self, generator: torch.Generator, read: _Reader) -> tuple[NDArray, ...]:
        for _ in range(_VAIN_DRAWS):
            flat = int(torch.randint(len(self), (), generator=generator))
            choice = float(torch.rand((), generator=generator))
            number = int(np.searchsorted(self._ends, flat, side='right'))
            sequence = self.sequences[number]
            index = flat - int(self._ends[number]) + len(sequence)
            try:
                values = read(sequence, index, choice)
            except CorruptSampleError as error:
                self.skipped.add_corrupt(error)
                continue
            if values is not None:
                return values
            self.skipped.add('no hand label, or hand outside of the image')
        raise DataSetError(f'{_VAIN_DRAWS} draws running gave no usable hand\n{self.skipped.summary()}')

    def _parameters(self, sequence: AnnotatedSequence, index: int, choice: float) -> tuple[NDArray, ...] | None:
        hands = sequence.hands(index)
        hand = hands[int(choice * len(hands))] if hands else None
        return None if hand is None else (hand.rotations, hand.betas)

    def _crop(self, sequence: AnnotatedSequence, index: int, choice: float) -> tuple[NDArray, ...] | None:
        frame = sequence.frame(index, with_depth=False)
        hands = usable_hands(frame)
        if not hands:
            return None
        hand = hands[int(choice * len(hands))]
        size = round(self.config.crop_size * CROP_MARGIN)
        pixels, keypoints = _wide_crop(frame, hand, self.config.crop_rescale * CROP_MARGIN, size)
        return pixels, keypoints * CROP_MARGIN, hand.rotations, hand.betas, _slopes(frame, hand)


class AnnotatedClipDataset:
    """Clips of frames of one sequence, in time order or reversed, with every hand.

    Args:
        sequences: where from; those without a camera path are left out.
        config: of the network, for sizes of images and crops.
        clip_frames: time steps per clip.
        skipped: shared record of what could not be used.

    Raises:
        DataSetError: no sequence has a camera path and enough frames.
    """

    def __init__(
        self, sequences: Sequence[AnnotatedSequence], config: Hand3RConfig, clip_frames: int, skipped: SkipLog
    ) -> None:
        self.sequences = [one for one in sequences if one.has_camera_path and len(one) >= clip_frames]
        self.config = config
        self.clip_frames = clip_frames
        self.skipped = skipped
        for _ in range(len(sequences) - len(self.sequences)):
            skipped.add('sequence without camera path or with too few frames')
        if not self.sequences:
            raise DataSetError(
                f'none of the {len(sequences)} sequences has a camera path and {clip_frames} frames or more'
            )

    def __len__(self) -> int:
        return len(self.sequences)

    def batch(self, size: int, generator: torch.Generator, augment: bool = True) -> list[ClipFrame]:
        """``clip_frames`` time steps of ``size`` random clips.

        Raises:
            DataSetError: hardly any draw gives a usable clip.
        """
        clips = [self._draw(generator) for _ in range(size)]
        images = torch.from_numpy(np.stack([[frame.image for frame in clip] for clip in clips]))
        images = images.permute(0, 1, 4, 2, 3).float() / 255.0  # [B, T, 3, H, W]
        if augment:
            images = jitter_colors(images, generator)
        poses = np.stack([_relative_poses(clip) for clip in clips])
        return [
            self._time_step([clip[t] for clip in clips], images[:, t], poses[:, t]) for t in range(self.clip_frames)
        ]

    def _draw(self, generator: torch.Generator) -> list[_ClipImage]:
        for _ in range(_VAIN_DRAWS):
            sequence = self.sequences[int(torch.randint(len(self.sequences), (), generator=generator))]
            indices = self._indices(sequence, generator)
            try:
                clip = [_ClipImage.read(sequence, int(index), self.config) for index in indices]
            except CorruptSampleError as error:
                self.skipped.add_corrupt(error)
                continue
            if any(frame.hands for frame in clip):
                return clip
            self.skipped.add('clip without a hand label')
        raise DataSetError(f'{_VAIN_DRAWS} draws running gave no usable clip\n{self.skipped.summary()}')

    def _indices(self, sequence: AnnotatedSequence, generator: torch.Generator) -> NDArray[np.intp]:
        window = min(len(sequence), max(self.clip_frames, round(CLIP_SECONDS * sequence.frame_rate)))
        start = int(torch.randint(len(sequence) - window + 1, (), generator=generator))
        order = torch.randperm(window, generator=generator)[: self.clip_frames].sort().values + start
        if bool(torch.rand((), generator=generator) < 0.5):
            order = order.flip(0)
        return order.numpy()

    def _time_step(self, frames: list[_ClipImage], images: Tensor, poses: NDArray) -> ClipFrame:
        points = torch.from_numpy(np.stack([frame.points for frame in frames]).astype(np.float32))
        hands = [(batch, hand) for batch, frame in enumerate(frames) for hand in frame.hands]
        boxes, wrists, keypoints = _hand_boxes(hands, self.config.hand.crop_size)
        camera_pose = torch.from_numpy(poses.astype(np.float32))
        images = images * 2.0 - 1.0
        return ClipFrame(
            images,
            points,
            points[..., 2] > 0.0,
            camera_pose,
            boxes,
            wrists,
            keypoints,
            intrinsics=torch.from_numpy(np.stack([frame.intrinsics for frame in frames]).astype(np.float32)),
            detection=_to_be_found(images, boxes),
        )


@dataclass(frozen=True, eq=False)
class _ClipHand:
    """What one hand of a clip contributes."""

    crop: NDArray[np.float32]  # (3, C, C) 0..1, right-looking
    box: NDArray[np.float64]  # (4,) px of the network's image
    is_right: bool
    wrist: NDArray[np.float64]  # (3,) m, camera frame
    keypoints: NDArray[np.float64]  # (21, 3) m, camera frame


@dataclass(frozen=True, eq=False)
class _ClipImage:
    """One frame at the network's resolution."""

    image: NDArray[np.uint8]  # (H, W, 3) RGB
    points: NDArray[np.float64]  # (H, W, 3) m, camera frame, 0 = unknown
    intrinsics: NDArray[np.float64]  # (4,) fx fy cx cy px
    T_world_camera: NDArray[np.float64]  # (4, 4)
    hands: tuple[_ClipHand, ...]

    @classmethod
    def read(cls, sequence: AnnotatedSequence, index: int, config: Hand3RConfig) -> _ClipImage:
        frame = sequence.frame(index)
        assert frame.depth is not None and frame.T_world_camera is not None
        height, width = frame.image.shape[:2]
        geometry = ImageGeometry.for_image(width, height, config.image_long_side)
        camera = geometry.intrinsics_to_network(frame.intrinsics)
        points = unproject_depth(nearest_depth(frame.depth, geometry), camera)
        numbers = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
        hands = tuple(_clip_hand(frame, hand, geometry, config) for hand in usable_hands(frame))
        return cls(resize_and_crop(frame.image, geometry), points, numbers, frame.T_world_camera, hands)


def usable_hands(frame: AnnotatedFrame) -> list[AnnotatedHand]:
    """Hands in front of the camera with enough keypoints inside the image."""
    limit = np.array([frame.intrinsics.width - 1.0, frame.intrinsics.height - 1.0])
    usable = []
    for hand in frame.hands:
        pixels = project_points(hand.keypoints_camera, frame.intrinsics)
        inside = ((pixels >= 0.0) & (pixels <= limit)).all(-1)  # NaN, behind the camera, is not inside
        if hand.vertices_camera[:, 2].min() > 0.0 and inside.mean() >= SMALLEST_INSIDE:
            usable.append(hand)
    return usable


def hand_box(hand: AnnotatedHand, intrinsics: Intrinsics) -> NDArray[np.float64]:
    """(4,) x0, y0, x1, y1: bounds of the projected mesh, clipped to the image, px."""
    pixels = project_points(hand.vertices_camera, intrinsics)
    limit = np.array([intrinsics.width - 1.0, intrinsics.height - 1.0])
    return np.concatenate([pixels.min(0).clip(0.0, limit - 1.0), pixels.max(0).clip([1.0, 1.0], limit)])


def _wide_crop(
    frame: AnnotatedFrame, hand: AnnotatedHand, rescale: float, size: int
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Right-looking crop (3, size, size) in 0..1 and the network's 21 keypoints (21, 2) in its units, centre 0."""
    is_right = hand.side == HandSide.RIGHT
    crop = hand_crop(frame.image, hand_box(hand, frame.intrinsics), is_right, rescale, size)
    pixels = crop.pixels * IMAGE_STD.numpy() + IMAGE_MEAN.numpy()
    keypoints = (project_points(_network_keypoints(hand), frame.intrinsics) - crop.center) / crop.size
    if not is_right:
        keypoints[:, 0] *= -1.0
    return pixels.clip(0.0, 1.0).astype(np.float32), keypoints


def _slopes(frame: AnnotatedFrame, hand: AnnotatedHand) -> NDArray[np.float64]:
    """(2,) x / z and y / z of the line of sight through the middle of the box, right-looking."""
    camera = frame.intrinsics
    box = torch.from_numpy(hand_box(hand, camera))
    numbers = torch.tensor([camera.fx, camera.fy, camera.cx, camera.cy], dtype=box.dtype)
    slopes = ray_slopes_of_boxes(box[None], numbers[None], torch.tensor([hand.side == HandSide.RIGHT]))
    return slopes[0].numpy()


def _network_keypoints(hand: AnnotatedHand) -> NDArray[np.float64]:
    """(21, 3) m, camera frame. The network's fingertips are other vertices than the data set's."""
    return keypoints_of(hand.joints_camera, hand.vertices_camera, FINGERTIP_VERTICES)


def _clip_hand(frame: AnnotatedFrame, hand: AnnotatedHand, geometry: ImageGeometry, config: Hand3RConfig) -> _ClipHand:
    crop, _ = _wide_crop(frame, hand, config.hand.crop_rescale, config.hand.crop_size)
    box = geometry.boxes_to_network(hand_box(hand, frame.intrinsics))
    return _ClipHand(crop, box, hand.side == HandSide.RIGHT, hand.wrist_camera, _network_keypoints(hand))


def _hand_boxes(hands: list[tuple[int, _ClipHand]], crop_size: int) -> tuple[HandBoxes, Tensor, Tensor]:
    """Boxes, wrists [N, 3] and keypoints [N, 21, 3] in metres."""
    if not hands:
        return HandBoxes.empty(crop_size), torch.zeros(0, 3), torch.zeros(0, 21, 3)
    crops = torch.from_numpy(np.stack([hand.crop for _, hand in hands]))
    boxes = HandBoxes(
        (crops - IMAGE_MEAN) / IMAGE_STD,
        torch.from_numpy(np.stack([hand.box for _, hand in hands]).astype(np.float32)),
        torch.tensor([hand.is_right for _, hand in hands]),
        torch.tensor([batch for batch, _ in hands], dtype=torch.int64),
    )
    wrists, keypoints = (
        torch.from_numpy(np.stack(values).astype(np.float32))
        for values in ([hand.wrist for _, hand in hands], [hand.keypoints for _, hand in hands])
    )
    return boxes, wrists, keypoints


def _to_be_found(images: Tensor, hands: HandBoxes) -> DetectionBatch:
    """What a detection head should find: the largest hand of either side, the parts of the boxes inside the image."""
    height, width = images.shape[2:]
    limit = images.new_tensor([width - 1.0, height - 1.0] * 2)
    boxes, present = torch.zeros(len(images), 2, 4), torch.zeros(len(images), 2, dtype=torch.bool)
    areas = torch.zeros(len(images), 2)
    for box, is_right, batch in zip(hands.boxes, hands.is_right, hands.batch_index, strict=True):
        inside = torch.minimum(box.clamp(min=0.0), limit)
        area = (inside[2:] - inside[:2]).clamp(min=0.0).prod()
        if area > areas[batch, int(is_right)]:
            where = (batch, int(is_right))
            boxes[where], present[where], areas[where] = inside, True, area
    return DetectionBatch(images, boxes, present, torch.zeros_like(present))


def _relative_poses(clip: list[_ClipImage]) -> NDArray[np.float64]:
    """(T, 7) camera poses in the first camera of the clip, quaternion w first and not negative."""
    T_world_camera = np.stack([frame.T_world_camera for frame in clip])
    T_first_camera = invert_transform(T_world_camera[:1]) @ T_world_camera
    quaternion = np.roll(quaternion_from_matrix(T_first_camera[:, :3, :3]), 1, axis=-1)
    return np.concatenate([T_first_camera[:, :3, 3], quaternion], axis=-1)
