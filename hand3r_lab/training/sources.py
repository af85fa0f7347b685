"""Where training batches come from: a folder (rendered data, DexYCB or HOI4D) or scenes that are drawn on the way."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from hand3r_lab.datasets import dexycb, hoi4d
from hand3r_lab.datasets.mano_annotations import AnnotationModel
from hand3r_lab.datasets.recognition import DEXYCB, PUBLIC_FORMATS, DataFormat, recognise
from hand3r_lab.datasets.samples import AnnotatedSequence, DataSetError, SkipLog
from hand3r_lab.training.annotated_batches import AnnotatedClipDataset, AnnotatedHandDataset
from hand3r_lab.training.clips import ClipFrame, with_intrinsics_dropout
from hand3r_lab.training.config import TrainingConfig
from hand3r_lab.training.datasets import ClipDataset, HandBatch, HandDataset
from hand3r_lab.training.detection_data import DetectionBatch, DetectionDataset
from hand3r_lab.training.device_cache import LARGE_ARRAYS
from hand3r_lab.training.processes import device_of
from hand3r_lab.training.rendered_check import RENDERED
from hand3r_lab.training.rendered_data import RenderedData
from hand3r_lab.training.stage import segments
from hand3r_lab.training.streamed_scenes import StreamedClips, StreamedHands, StreamedImages, StreamedScenes, is_stream
from hand3r_ros.hand_model.data import OPEN_HAND, HandModelData, load_mano, load_open_hand
from hand3r_ros.network.presets import preset

ALL_FORMATS: tuple[DataFormat, ...] = (RENDERED, *PUBLIC_FORMATS)
DEFAULT_SPLITS = {'DexYCB': 's0/train', 'HOI4D': 'train'}


class SkippingSource(Protocol):
    """Whatever keeps a record of what it could not use."""

    @property
    def skipped(self) -> SkipLog | None:
        """The record."""


class HandSource(Protocol):
    """Random hand crops with their truth."""

    skipped: SkipLog

    def __len__(self) -> int:
        """Hands, or frames that may have one."""

    def batch(self, size: int, generator: torch.Generator, augmentation: float = 1.0) -> HandBatch:
        """``size`` random hands."""

    def parameters(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Rotations [count, 16, 3, 3] and betas [count, 10] of random hands."""


class ClipSource(Protocol):
    """Random clips with their truth."""

    skipped: SkipLog

    def __len__(self) -> int:
        """Sequences."""

    def batch(self, size: int, generator: torch.Generator, augment: bool = True) -> list[ClipFrame]:
        """The time steps of ``size`` random clips."""


class ImageSource(Protocol):
    """Random images with the boxes of their hands."""

    skipped: SkipLog

    def __len__(self) -> int:
        """Images."""

    def batch(self, size: int, generator: torch.Generator, augment: bool = True) -> DetectionBatch:
        """``size`` random images."""


def hand_model_of(config: TrainingConfig) -> HandModelData:
    """The hand model that ``config.hand_model`` names: 'open_hand', or the file or folder of MANO_RIGHT.

    Raises:
        HandModelFileError: the file cannot be used.
    """
    return load_open_hand() if config.hand_model == OPEN_HAND else load_mano(config.hand_model)


def open_hands(config: TrainingConfig) -> HandSource:
    """Crops from the folder or stream ``config.data``.

    Raises:
        DataSetError: it is no data set, or does not go with the hand model or split of ``config``.
    """
    if is_stream(config.data):
        return StreamedHands(StreamedScenes.named_by(config))
    data_format = recognise(Path(config.data), ALL_FORMATS)
    if data_format is RENDERED:
        return HandDataset(_rendered(config, ('hand_crop',)))
    sequences, skipped, model = _annotated(config, data_format)
    return AnnotatedHandDataset(sequences, preset(config.preset), model.hand_model_id, skipped)


def open_clips(config: TrainingConfig, with_hands: bool = True) -> ClipSource:
    """Clips from the folder or stream ``config.data``.

    Without ``with_hands`` those of rendered folders have no hand crops, which stages that ignore hands need not read.

    Raises:
        DataSetError: it is no data set, or does not go with the hand model, split or ``reflect_clips`` of ``config``.
    """
    if is_stream(config.data):
        _refuse_back_and_forth(config, 'a stream draws clips of any length')
        _refuse_places(config, with_hands)
        return StreamedClips(StreamedScenes.named_by(config), config.clip_frames)
    data_format = recognise(Path(config.data), ALL_FORMATS)
    if data_format is RENDERED:
        names = LARGE_ARRAYS if with_hands else ('image', 'depth')
        data = _rendered(config, names)
        return ClipDataset(
            data,
            config.clip_frames,
            with_hands=with_hands,
            reflect_clips=config.reflect_clips,
            fixed_places=config.cuda_graphs,
        )
    _refuse_back_and_forth(config, f'sequences of {data_format.name} are long')
    _refuse_places(config, with_hands)
    sequences, skipped, _ = _annotated(config, data_format)
    return AnnotatedClipDataset(sequences, preset(config.preset), config.clip_frames, skipped)


def drawn_segments(clips: ClipSource, config: TrainingConfig, generator: torch.Generator) -> list[list[ClipFrame]]:
    """A random batch of clips, the camera hidden in a share of all batches, in pieces that gradients flow through."""
    clip = clips.batch(config.batch, generator)
    return segments(with_intrinsics_dropout(clip, config.intrinsics_dropout, generator), config.truncate_frames)


def open_images(config: TrainingConfig) -> ImageSource:
    """Images from the folder of rendered data or stream ``config.data``.

    Raises:
        DataSetError: it is damaged, or does not go with the hand model or split of ``config``.
        FileNotFoundError: it holds no rendered data.
    """
    if is_stream(config.data):
        return StreamedImages(StreamedScenes.named_by(config), config.smallest_visible)
    return DetectionDataset(_rendered(config, ('image',)), config.smallest_visible)


@contextmanager
def listed_skips(source: SkippingSource) -> Iterator[None]:
    """Lists on the standard error output, when training ends for whatever reason, what could not be used."""
    try:
        yield
    finally:
        if source.skipped is not None and (summary := source.skipped.summary()):
            print(summary, file=sys.stderr)


def _refuse_back_and_forth(config: TrainingConfig, reason: str) -> None:
    if config.reflect_clips:
        raise DataSetError(
            f'reflect_clips is for folders of `hand3r-lab render`; {config.data}: {reason}, leave it out'
        )


def _refuse_places(config: TrainingConfig, with_hands: bool) -> None:
    if with_hands and config.cuda_graphs:
        raise DataSetError(
            f'cuda_graphs=true in stage {config.stage} is for folders of `hand3r-lab render`, whose batches can all '
            f'have the same shapes; leave it out for {config.data}'
        )


def _rendered(config: TrainingConfig, names: Collection[str]) -> RenderedData:
    """Opens a folder; arrays ``names`` are the large ones that batches are made of."""
    if config.hand_model != OPEN_HAND:
        raise DataSetError(
            f'{config.data} was rendered with the open hand; hand_model={config.hand_model} does not fit'
        )
    if config.split:
        raise DataSetError(f'{config.data} is rendered data, a folder per split: leave split empty')
    data = RenderedData.open(Path(config.data))
    if config.hold_data:
        data.hold(names, device_of(config.device))
    return data


def _annotated(
    config: TrainingConfig, data_format: DataFormat
) -> tuple[list[AnnotatedSequence], SkipLog, AnnotationModel]:
    if config.hand_model == OPEN_HAND:
        raise DataSetError(
            f'{config.data} ({data_format.name}) is annotated with MANO: set hand_model to your MANO_RIGHT.pkl '
            f'(https://mano.is.tue.mpg.de); the open hand has other parameters'
        )
    model = AnnotationModel.load(config.hand_model)
    reader = dexycb if data_format is DEXYCB else hoi4d
    split = config.split or DEFAULT_SPLITS[data_format.name]
    opened, refused = reader.open_sequences(Path(config.data).expanduser(), split, model)
    skipped = SkipLog()
    for error in refused:
        skipped.add_corrupt(error)
    if not opened:
        raise DataSetError(f'{config.data}: nothing of the split {split!r} can be opened\n{skipped.summary()}')
    return list(opened), skipped, model
