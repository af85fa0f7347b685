"""The weights file at the end of training says what it is for and which camera pose is better."""

from __future__ import annotations

import dataclasses

import pytest

from hand3r_ros.network.checkpoints import read_weights_info
from hand3r_ros.training import fusion_stage
from hand3r_ros.training.config import TrainingConfig


@pytest.mark.parametrize('source', ['geometric', 'network'])
def test_the_header_recommends_the_configured_pose_source(tmp_path, monkeypatch, source):
    monkeypatch.setattr(fusion_stage, 'load_streams', lambda network, directory: None)
    monkeypatch.setattr(fusion_stage, 'ClipDataset', lambda data, frames: None)
    monkeypatch.setattr(fusion_stage.RenderedData, 'open', lambda path: None)
    monkeypatch.setattr(fusion_stage.TrainingLoop, 'run', lambda loop, step: None)
    weights = tmp_path / 'weights' / 'tiny.safetensors'
    config = dataclasses.replace(TrainingConfig('fusion', out=str(tmp_path)), pose_source=source)
    fusion_stage.train_fusion(config, weights)
    info = read_weights_info(weights)
    assert (info.preset, info.hand_model, info.pose_source) == ('tiny', 'open_hand', source)


def test_a_pose_source_that_weights_cannot_recommend_is_refused():
    with pytest.raises(ValueError, match="pose_source must be one of network, geometric, got 'tf'"):
        TrainingConfig('fusion').with_overrides(['pose_source=tf'])
