"""Rendered scenes that are drawn when they are needed and then forgotten: training data without end and without files.

``data: rendered://train`` draws scenes of a split in the processes that make batches. Which scenes a batch shows
follows from its generator alone, and a scene is byte for byte the one that ``hand3r-lab render`` stores for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from hand3r_lab.datasets.samples import DataSetError, SkipLog
from hand3r_lab.scenes.sequence import Sequence
from hand3r_lab.scenes.splits import SEEDS_PER_SPLIT, SPLITS, sequence_seed
from hand3r_lab.training.clips import ClipFrame
from hand3r_lab.training.config import TrainingConfig
from hand3r_lab.training.datasets import ClipDataset, HandBatch, HandDataset
from hand3r_lab.training.detection_data import DetectionBatch, DetectionDataset
from hand3r_lab.training.rendered_data import RenderedData, RenderedDataLayout
from hand3r_lab.training.rendering import camera_rotations, draw_sequence, scene_config
from hand3r_ros.hand_model.data import OPEN_HAND
from hand3r_ros.network.config import Hand3RConfig
from hand3r_ros.network.presets import preset

SCHEME = 'rendered://'
SCENE_FRAMES = 8  # of scenes for hands and images
SAMPLES_PER_SCENE = 8  # hands or images drawn from one of them
_VAIN_DRAWS = 20  # batches of scenes without a hand, before giving up

_Drawn = TypeVar('_Drawn')


def is_stream(data: str) -> bool:
    """Whether ``TrainingConfig.data`` names scenes to draw instead of a folder."""
    return data.startswith(SCHEME)


@dataclass(frozen=True)
class StreamedScenes:
    """All scenes of a split, in the sizes of a network."""

    split: str  # 'train', 'validation' or 'test'
    config: Hand3RConfig

    @classmethod
    def named_by(cls, config: TrainingConfig) -> StreamedScenes:
        """The scenes that ``config.data`` names.

        Raises:
            DataSetError: there is no such split, or the hand model or ``split`` does not go with rendered scenes.

        """
        split = config.data.removeprefix(SCHEME)
        if split not in SPLITS:
            raise DataSetError(
                f'data={config.data} names no split of rendered scenes: use {", ".join(SCHEME + one for one in SPLITS)}'
            )
        if config.hand_model != OPEN_HAND:
            raise DataSetError(
                f'{config.data} is drawn with the open hand; hand_model={config.hand_model} does not fit'
            )
        if config.split:
            raise DataSetError(f'{config.data} names its split: leave split={config.split} empty')
        return cls(split, preset(config.preset))

    def numbers(self, count: int, generator: torch.Generator) -> list[int]:
        """Random numbers of sequences, as ``sequence_seed`` takes them."""
        return torch.randint(SEEDS_PER_SPLIT, (count,), generator=generator).tolist()

    def layout(self, sequences: int, frames: int) -> RenderedDataLayout:
        """Of so many sequences."""
        return RenderedDataLayout.for_network(self.config, self.split, sequences, frames)

    def draw(self, sequences: int, frames: int, generator: torch.Generator) -> RenderedData:
        """Random scenes, held in memory."""
        data = RenderedData.in_memory(SCHEME + self.split, self.layout(sequences, frames))
        for row, number in enumerate(self.numbers(sequences, generator)):
            draw_sequence(data, row, number)
        return data


class StreamedClips:
    """Every clip is a scene of its own."""

    def __init__(self, scenes: StreamedScenes, clip_frames: int, smallest_visible: float = 0.25) -> None:
        self.scenes = scenes
        self.clip_frames = clip_frames
        self.smallest_visible = smallest_visible
        self.skipped = SkipLog()

    def __len__(self) -> int:
        return SEEDS_PER_SPLIT

    def batch(self, size: int, generator: torch.Generator, augment: bool = True) -> list[ClipFrame]:
        """``clip_frames`` time steps of ``size`` new scenes, in time order or reversed."""
        data = self.scenes.draw(size, self.clip_frames, generator)
        return ClipDataset(data, self.clip_frames, self.smallest_visible, every_row=True).batch(
            size, generator, augment
        )


class StreamedHands:
    """Visible hands of new scenes."""

    def __init__(self, scenes: StreamedScenes, smallest_visible: float = 0.25) -> None:
        self.scenes = scenes
        self.smallest_visible = smallest_visible
        self.skipped = SkipLog()

    def __len__(self) -> int:
        return SEEDS_PER_SPLIT * SCENE_FRAMES

    def batch(self, size: int, generator: torch.Generator, augmentation: float = 1.0) -> HandBatch:
        """``size`` random hands with colour and in-plane augmentation."""
        hands = self._until_some(lambda: self._hands(size, generator))
        return hands.batch(size, generator, augmentation)

    def parameters(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Rotations [count, 16, 3, 3] and betas [count, 10] of random hands, hidden ones too; nothing is drawn."""
        rotations: list[np.ndarray] = []
        betas: list[np.ndarray] = []
        while len(rotations) < count:
            planned = self._until_some(lambda: self._planned(generator))
            for hand_rotations, hand_betas in planned:
                rotations.extend(hand_rotations)
                betas.extend([hand_betas] * len(hand_rotations))
        return (
            torch.from_numpy(np.stack(rotations[:count])).float(),
            torch.from_numpy(np.stack(betas[:count])).float(),
        )

    def _hands(self, size: int, generator: torch.Generator) -> HandDataset | None:
        data = self.scenes.draw(math.ceil(size / SAMPLES_PER_SCENE), SCENE_FRAMES, generator)
        seen = data.arrays['hand_valid'] & (data.arrays['hand_visible'] >= self.smallest_visible)
        return HandDataset(data, self.smallest_visible) if seen.any() else None

    def _planned(self, generator: torch.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
        """Rotations [T, 16, 3, 3] and betas [10] of the hands of a random scene."""
        (number,) = self.scenes.numbers(1, generator)
        config = scene_config(self.scenes.layout(1, SCENE_FRAMES), number)
        sequence = Sequence(sequence_seed(self.scenes.split, number), config)
        return [(camera_rotations(sequence, hand.motion), hand.motion.betas) for hand in sequence.hands]

    def _until_some(self, draw: Callable[[], _Drawn | None]) -> _Drawn:
        for _ in range(_VAIN_DRAWS):
            if drawn := draw():
                return drawn
            self.skipped.add('scenes without a visible hand')
        raise DataSetError(f'{SCHEME}{self.scenes.split}: {_VAIN_DRAWS} draws running gave no visible hand')


class StreamedImages:
    """Frames of new scenes, with and without hands."""

    def __init__(self, scenes: StreamedScenes, smallest_visible: float = 0.25) -> None:
        self.scenes = scenes
        self.smallest_visible = smallest_visible
        self.skipped = SkipLog()

    def __len__(self) -> int:
        return SEEDS_PER_SPLIT * SCENE_FRAMES

    def batch(self, size: int, generator: torch.Generator, augment: bool = True) -> DetectionBatch:
        """``size`` random frames."""
        data = self.scenes.draw(math.ceil(size / SAMPLES_PER_SCENE), SCENE_FRAMES, generator)
        return DetectionDataset(data, self.smallest_visible).batch(size, generator, augment)
