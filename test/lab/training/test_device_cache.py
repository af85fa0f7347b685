"""Rendered data in the memory of a device: the same batches as from files, damage found while it is copied."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rendered_noise import label

from hand3r_lab.datasets.samples import DataSetError
from hand3r_lab.training.config import TrainingConfig
from hand3r_lab.training.datasets import ClipDataset, HandDataset
from hand3r_lab.training.detection_data import DetectionDataset
from hand3r_lab.training.device_cache import LARGE_ARRAYS
from hand3r_lab.training.rendered_data import RenderedData, RenderedDataLayout
from hand3r_lab.training.sources import open_clips
from hand3r_lab.training.tensor_tree import as_plain

ROWS, FRAMES, UNFINISHED, CPU = 5, 3, 1, torch.device('cpu')
SOURCES: list[Callable[[RenderedData], Any]] = [HandDataset, DetectionDataset, lambda data: ClipDataset(data, 2)]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Sequences of noise with one hand each; one of them was never finished."""
    data = RenderedData.create(tmp_path / 'rendered', RenderedDataLayout('train', ROWS, FRAMES, 16, 32, 8, 1.3))
    arrays, rng = data.arrays, np.random.default_rng(0)
    for name in ('image', 'hand_crop'):
        arrays[name][:] = rng.integers(0, 255, arrays[name].shape)
    arrays['depth'][:] = rng.uniform(0.5, 2.0, arrays['depth'].shape)
    label(data)
    arrays['done'][UNFINISHED] = False
    return data.directory


def opened(directory: Path, held: bool) -> RenderedData:
    data = RenderedData.open(directory)
    if held:
        data.hold(LARGE_ARRAYS, CPU)
    return data


def leaves(value: Any) -> list[torch.Tensor]:
    plain = as_plain(value)
    if isinstance(plain, torch.Tensor):
        return [plain]
    parts = plain.values() if isinstance(plain, dict) else plain if isinstance(plain, list) else ()
    return [leaf for part in parts for leaf in leaves(part)]


@pytest.mark.parametrize('source', SOURCES, ids=['hands', 'images', 'clips'])
def test_held_data_gives_the_batches_of_the_files(directory: Path, source: Callable[[RenderedData], Any]) -> None:
    batches = [source(opened(directory, held)).batch(6, torch.Generator().manual_seed(3)) for held in (False, True)]
    stored, held = (leaves(batch) for batch in batches)
    assert len(stored) == len(held) > 3
    assert all(torch.equal(one, other) for one, other in zip(stored, held, strict=True))


@pytest.mark.parametrize(('name', 'value'), [('depth', np.nan), ('depth', -1.0), ('image', 0.0)])
def test_damage_in_held_rows_is_skipped_and_counted(directory: Path, name: str, value: float) -> None:
    written = RenderedData.open(directory, writable=True)
    written.arrays[name][2] = value
    clips = ClipDataset(opened(directory, held=True), FRAMES)
    batch = clips.batch(60, torch.Generator().manual_seed(0), augment=False)
    assert all(bool(frame.points.isfinite().all()) and bool((frame.image > -1.0).any()) for frame in batch)
    assert f'{name}.npy, sequence 2' in clips.skipped.summary()


def test_clips_without_hands_are_the_same_but_for_their_hands(directory: Path) -> None:
    with_hands, without = (
        open_clips(TrainingConfig('scene', data=str(directory), clip_frames=2), wanted).batch(
            4, torch.Generator().manual_seed(1)
        )[0]
        for wanted in (True, False)
    )
    assert len(with_hands.hand_wrist) == 4
    assert len(without.hand_wrist) == len(without.hands.crops) == 0
    assert torch.equal(with_hands.image, without.image)
    assert with_hands.detection is not None
    assert without.detection is not None
    assert torch.equal(with_hands.detection.boxes, without.detection.boxes)


def test_held_data_is_asked_for_in_the_configuration(directory: Path) -> None:
    config = TrainingConfig('scene', data=str(directory), clip_frames=2, device='cpu', hold_data=True)
    clips = open_clips(config, with_hands=False)
    assert isinstance(clips, ClipDataset)
    assert clips.data.held is not None
    assert clips.data.held.names == {'image', 'depth'}
    with pytest.raises(ValueError, match='workers=0'):
        dataclasses.replace(config, workers=2)


def test_too_little_memory_is_said_in_gigabytes(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError('CUDA out of memory')

    monkeypatch.setattr(torch, 'empty', full)
    with pytest.raises(DataSetError, match=r'hold_data=true needs 0\.0 GB on cpu for 4 sequences'):
        opened(directory, held=True)
