"""Scenes drawn on the way: a batch follows from its generator alone, and the scenes are those that are stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hand3r_lab.datasets.samples import DataSetError
from hand3r_lab.training import streamed_scenes
from hand3r_lab.training.clips import ClipFrame
from hand3r_lab.training.config import TrainingConfig
from hand3r_lab.training.datasets import ClipDataset
from hand3r_lab.training.fused_head_stage import fused_head_stage
from hand3r_lab.training.loop import TrainingLoop
from hand3r_lab.training.rendered_data import RenderedData, RenderedDataLayout
from hand3r_lab.training.rendering import RenderingJob, camera_rotations, draw_sequence, render_row, scene_config
from hand3r_lab.training.sources import open_clips, open_hands, open_images
from hand3r_lab.training.stage import Outcome, ParameterGroup, Stage
from hand3r_lab.training.streamed_scenes import StreamedClips, StreamedScenes, is_stream
from hand3r_lab.training.tensor_tree import as_plain
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def settings(stage: str = 'scene', **changes: object) -> TrainingConfig:
    return TrainingConfig(stage, data='rendered://train').with_values(changes)


class NumberedScenes(StreamedScenes):
    """Scenes 0, 1, ... instead of random ones."""

    def numbers(self, count: int, generator: torch.Generator) -> list[int]:
        return list(range(count))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scenes for hands and images of two frames, and so fast to draw."""
    monkeypatch.setattr(streamed_scenes, 'SCENE_FRAMES', 2)


def test_drawn_scenes_equal_the_stored_ones_byte_for_byte(tmp_path: Path) -> None:
    layout = RenderedDataLayout.for_network(preset('tiny'), 'train', 2, 2)
    stored = RenderedData.create(tmp_path, layout)
    for row in range(2):
        render_row(RenderingJob(tmp_path, row))
    scenes = NumberedScenes('train', preset('tiny'))
    drawn = scenes.draw(2, 2, seeded())
    assert drawn.layout == layout
    for name, array in stored.arrays.items():
        assert drawn.arrays[name].dtype == array.dtype
        assert drawn.arrays[name].tobytes() == array.tobytes(), name
    streamed = StreamedClips(scenes, 2).batch(2, seeded())
    kept = ClipDataset(stored, 2, every_row=True).batch(2, seeded())
    assert_same(streamed, kept)
    assert stored.arrays['hand_valid'].any()


def assert_same(first: object, second: object) -> None:
    """Equal nestings of tensors."""
    first, second = as_plain(first), as_plain(second)
    assert type(first) is type(second)
    if isinstance(first, torch.Tensor):
        assert torch.equal(first, second)
        return
    if isinstance(first, (dict, list)):
        assert len(first) == len(second)
        for key in first if isinstance(first, dict) else range(len(first)):
            assert_same(first[key], second[key])
        return
    assert first == second


@pytest.mark.usefixtures('small')
@pytest.mark.parametrize('open_source', [open_clips, open_hands, open_images])
def test_a_batch_follows_from_its_generator(open_source) -> None:
    config = settings(clip_frames=2)
    first, again, other = (open_source(config).batch(2, seeded(seed)) for seed in (0, 0, 1))
    assert_same(first, again)
    with pytest.raises(AssertionError):
        assert_same(first, other)
    assert len(open_source(config)) >= 10**8


def test_planned_hands_are_those_that_are_drawn() -> None:
    """Their rotations are in the camera's axes, of right-looking hands."""
    data = RenderedData.in_memory('two', RenderedDataLayout.for_network(preset('tiny'), 'train', 1, 2))
    draw_sequence(data, 0, 1)
    sequence = streamed_scenes.Sequence(1, scene_config(data.layout, 1))
    checked = 0
    for hand in sequence.hands:
        rotations = camera_rotations(sequence, hand.motion)
        for frame in np.flatnonzero(data.arrays['hand_valid'][0, :, int(hand.motion.side)]):
            stored = data.arrays['hand_rotations'][0, frame, int(hand.motion.side)]
            np.testing.assert_allclose(stored, rotations[frame], atol=1e-6)
            checked += 1
    assert checked >= 2
    rotations, betas = open_hands(settings('hand')).parameters(20, seeded())
    assert rotations.shape == (20, 16, 3, 3) and betas.shape == (20, 10)
    torch.testing.assert_close(rotations @ rotations.mT, torch.eye(3).expand(20, 16, 3, 3), atol=1e-5, rtol=0.0)
    assert len(torch.unique(betas[:, 0])) > 1


class DepthObjective(nn.Module):
    """A linear map that has to learn the depth of a pixel from its colour."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(3, 1)

    def forward(self, clip: list[ClipFrame], memory: None) -> Outcome:
        depth = self.map(clip[0].image.movedim(1, -1))[..., 0]
        return Outcome({'total': (depth - clip[0].points[..., 2]).square().mean()})


def test_training_does_not_depend_on_workers(tmp_path: Path) -> None:
    results = []
    for workers in (0, 2):
        config = settings(
            steps=3, batch=1, clip_frames=1, workers=workers, out=str(tmp_path / str(workers)), device='cpu'
        )
        clips = open_clips(config)
        torch.manual_seed(0)
        objective = DepthObjective()
        groups = [ParameterGroup(list(objective.parameters()), 0.1)]
        stage = Stage(objective, objective, groups, lambda generator, clips=clips: [clips.batch(1, generator)])
        TrainingLoop(config, stage).run()
        results.append(objective.state_dict())
    assert_same(results[0], results[1])


@pytest.mark.parametrize('open_source', [open_clips, open_hands, open_images])
@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'data': 'rendered://training'}, r'data=rendered://training names no split.*rendered://train, '),
        ({'data': 'rendered://'}, 'names no split'),
        ({'hand_model': 'MANO_RIGHT.pkl'}, r'rendered://train is drawn with the open hand; hand_model=MANO_RIGHT\.pkl'),
        ({'split': 'train'}, 'names its split: leave split=train empty'),
    ],
)
def test_what_does_not_go_with_streamed_scenes_is_refused(open_source, changes: dict[str, str], message: str) -> None:
    with pytest.raises(DataSetError, match=message):
        open_source(settings(**changes))


def test_folders_are_no_streams() -> None:
    assert is_stream('rendered://train')
    assert not is_stream('data/rendered')


def test_a_stage_that_needs_stored_scenes_says_so() -> None:
    with pytest.raises(DataSetError, match='fused_head learns from stored scenes, data=rendered://train is none'):
        fused_head_stage(settings('fused_head'), Hand3R(preset('tiny')))


@pytest.mark.usefixtures('small')
def test_splits_without_a_visible_hand_end_with_an_error() -> None:
    hands = streamed_scenes.StreamedHands(StreamedScenes.named_by(settings('hand')), smallest_visible=2.0)
    with pytest.raises(DataSetError, match='20 draws running gave no visible hand'):
        hands.batch(1, seeded())
    assert hands.skipped.counts['scenes without a visible hand'] == 20


def test_streams_refuse_to_walk_back_and_forth():
    with pytest.raises(DataSetError, match=r'reflect_clips .*rendered://train: a stream draws clips of any length'):
        open_clips(settings(reflect_clips=True))
