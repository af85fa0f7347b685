"""The weights file at the end of training says what it is for and which camera pose is better."""

from __future__ import annotations

import pytest

from hand3r_lab.training.config import TrainingConfig
from hand3r_lab.training.fusion_stage import save_fusion
from hand3r_ros.network.checkpoints import read_weights_info
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset


@pytest.mark.parametrize('source', ['geometric', 'network'])
def test_the_header_recommends_the_configured_pose_source(tmp_path, source):
    weights = tmp_path / 'weights' / 'tiny.safetensors'
    config = TrainingConfig('fusion').with_values({'pose_source': source})
    save_fusion(Hand3R(preset('tiny')), config, weights)
    info = read_weights_info(weights)
    assert (info.preset, info.hand_model, info.pose_source) == ('tiny', 'open_hand', source)


def test_a_pose_source_that_weights_cannot_recommend_is_refused():
    with pytest.raises(ValueError, match="pose_source must be one of network, geometric, got 'tf'"):
        TrainingConfig('fusion').with_overrides(['pose_source=tf'])
