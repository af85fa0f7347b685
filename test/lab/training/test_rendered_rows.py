"""Damaged rendered data: files are named at opening, rows are skipped, counted and listed when they are drawn."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from rendered_noise import label

from hand3r_lab.datasets.samples import DataSetError
from hand3r_lab.training.datasets import ClipDataset, HandDataset, frames_on_the_way
from hand3r_lab.training.detection_data import DetectionDataset
from hand3r_lab.training.rendered_data import RenderedData, RenderedDataLayout

ROWS, FRAMES = 4, 3


@pytest.fixture
def data(tmp_path: Path) -> RenderedData:
    """Small sequences of noise with one hand each; the betas say which row they belong to."""
    data = RenderedData.create(tmp_path / 'rendered', RenderedDataLayout('train', ROWS, FRAMES, 16, 32, 8, 1.3))
    arrays = data.arrays
    arrays['image'][:] = np.random.default_rng(0).integers(0, 255, arrays['image'].shape)
    arrays['depth'][:] = 1.0
    label(data)
    arrays['hand_betas'][:] = np.arange(ROWS)[:, None, None, None]
    return data


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def damaged(data: RenderedData, name: str, row: int, value: float) -> RenderedData:
    data.arrays[name][row, -1] = value
    return data


@pytest.mark.parametrize(
    ('name', 'value', 'reason'),
    [
        ('depth', np.nan, 'values that are not finite'),
        ('depth', np.inf, 'values that are not finite'),
        ('depth', -1.0, 'negative'),
        ('T_world_camera', np.nan, 'values that are not finite'),
        ('T_world_camera', 0.5, 'no rotations'),
        ('hand_rotations', 0.5, 'no rotations'),
        ('hand_wrist', np.nan, 'values that are not finite'),
    ],
)
def test_clips_of_damaged_rows_are_replaced_counted_and_listed(
    data: RenderedData, name: str, value: float, reason: str
) -> None:
    data.arrays['table_height'][:] = np.arange(ROWS)
    clips = ClipDataset(damaged(data, name, 2, value), FRAMES)
    drawn = clips.batch(40, seeded(), augment=False)
    heights = torch.unique(-drawn[0].T_table_camera[:, 2, 3])  # type: ignore[index]
    assert heights.tolist() == [0.0, 1.0, 3.0]
    assert all(torch.isfinite(frame.points).all() for frame in drawn)
    assert clips.skipped.corrupt == {f'{data.directory}/{name}.npy, sequence 2': reason}
    assert clips.skipped.counts.total() >= 5
    again = ClipDataset(data, FRAMES).batch(40, seeded(), augment=False)
    assert torch.equal(again[0].image, drawn[0].image)


def test_hands_and_images_of_damaged_rows_are_replaced(data: RenderedData) -> None:
    hands = HandDataset(damaged(data, 'hand_betas', 1, np.nan))
    assert torch.unique(hands.batch(40, seeded()).betas).tolist() == [0.0, 2.0, 3.0]
    assert torch.unique(hands.parameters(40, seeded())[1]).tolist() == [0.0, 2.0, 3.0]
    assert 'hand_betas.npy, sequence 1' in hands.skipped.summary()
    images = DetectionDataset(damaged(data, 'hand_box', 3, np.nan))
    assert torch.isfinite(images.batch(60, seeded()).boxes).all()
    assert 'hand_box.npy, sequence 3' in images.skipped.summary()


def test_sound_rows_are_drawn_as_ever(data: RenderedData) -> None:
    """Runs that are continued see the data they would have seen."""
    data.arrays['table_height'][:] = np.arange(ROWS)
    expected = torch.randint(ROWS, (6,), generator=seeded()).sort().values
    frame = ClipDataset(data, FRAMES).batch(6, seeded(), augment=False)[0]
    assert (-frame.T_table_camera[:, 2, 3]).tolist() == expected.tolist()  # type: ignore[index]


def test_no_sound_row_at_all_is_an_error(data: RenderedData) -> None:
    data.arrays['depth'][:] = np.nan
    with pytest.raises(DataSetError, match=r'rendered: 200 draws running gave no sound sequence; render again'):
        ClipDataset(data, FRAMES).batch(1, seeded())


def test_clips_longer_than_the_sequences_are_refused(data: RenderedData) -> None:
    with pytest.raises(DataSetError, match=r'clip_frames is 4, but the sequences in .*rendered have 3 frames'):
        ClipDataset(data, 4)


def test_clips_that_walk_back_and_forth_may_be_longer(data: RenderedData) -> None:
    clip = ClipDataset(data, 7, reflect_clips=True).batch(4, seeded(), augment=False)
    images = torch.stack([frame.image for frame in clip])  # 0 1 2 1 0 1 2 of the sequence, from anywhere
    assert torch.equal(images[:3], images[4:])
    assert not any(torch.equal(images[step, clip], images[step + 1, clip]) for step in range(6) for clip in range(4))


@pytest.mark.parametrize('start', range(4))
def test_the_walk_turns_round_at_the_ends(start: int) -> None:
    way = [0, 1, 2, 1, 0, 1, 2, 1, 0]
    assert frames_on_the_way(3, 5, start).tolist() == way[start : start + 5]
    assert frames_on_the_way(1, 3, start).tolist() == [0, 0, 0]


def test_a_truncated_array_is_named_and_left_as_it_is(data: RenderedData) -> None:
    path = data.directory / 'depth.npy'
    path.write_bytes(path.read_bytes()[:-100])
    size = path.stat().st_size
    for writable in (False, True):
        with pytest.raises(DataSetError, match=r'depth\.npy is damaged .*: render again'):
            RenderedData.open(data.directory, writable=writable)
    assert path.stat().st_size == size


def test_arrays_of_an_older_version_are_named(data: RenderedData) -> None:
    np.save(data.directory / 'hand_box.npy', np.zeros((ROWS, 3)))
    with pytest.raises(DataSetError, match=r'hand_box\.npy is float64 \(4, 3\).*another version: render again'):
        RenderedData.open(data.directory)
    (data.directory / 'table_height.npy').unlink()
    with pytest.raises(DataSetError, match=r'table_height\.npy is missing: .* rendered with an older version.*render'):
        RenderedData.open(data.directory)


@pytest.mark.parametrize('content', ['{', '[]', '{"frames": 3}', 'rescale', 'frames'])
def test_a_bad_layout_is_named(data: RenderedData, content: str) -> None:
    path = data.directory / 'layout.json'
    changed = {**json.loads(path.read_text()), content: 'many'}
    path.write_text(json.dumps(changed) if content.isalpha() else content)
    with pytest.raises(DataSetError, match=r'layout\.json is no layout of rendered data'):
        RenderedData.open(data.directory)
