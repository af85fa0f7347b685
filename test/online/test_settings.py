"""Settings that change while frames come."""

from __future__ import annotations

from dataclasses import replace

import pytest
from session_helpers import send
from truth_network import TruthNetwork, make_reconstructor, play

from hand3r_ros.online.config import DetectionConfig, MapConfig, PlacementConfig


def test_settings_can_change_between_frames(two_hands):
    reconstructor = make_reconstructor()
    play(reconstructor, two_hands[:2])
    reconstructor.reconfigure(replace(reconstructor.config, max_hands=1))
    result = send(reconstructor, two_hands[2], 2)
    assert (len(result.hands), result.session_id) == (1, 1)
    reconstructor.reconfigure(replace(reconstructor.config, detection=DetectionConfig('topic', min_score=0.95)))
    assert send(reconstructor, two_hands[3], 3).seen_hands == ()
    reconstructor.reconfigure(replace(reconstructor.config, map=MapConfig(voxel_size=0.05)))
    assert (reconstructor.session_id, len(reconstructor.map)) == (1, 0)
    reconstructor.reconfigure(replace(reconstructor.config, pose_source='geometric'))
    assert send(reconstructor, two_hands[4], 4).session_id == 2
    assert 'pose_source' in reconstructor.reset_reason
    reconstructor.reconfigure(replace(reconstructor.config, map=MapConfig(voxel_size=0.05, min_confidence=1e3)))
    points = len(reconstructor.map)
    assert send(reconstructor, two_hands[5], 5).frame_index == 1
    assert len(reconstructor.map) == points > 0


def test_settings_that_need_other_weights_are_refused_and_nothing_changes(two_hands):
    reconstructor = make_reconstructor()
    old = reconstructor.config
    with pytest.raises(ValueError, match='preset, device cannot change while running'):
        reconstructor.reconfigure(replace(old, preset='full', device='cuda', max_hands=7))
    assert reconstructor.config is old
    fixed = make_reconstructor(TruthNetwork(fusion=False))
    with pytest.raises(ValueError, match='no translation head'):
        fixed.reconfigure(replace(fixed.config, placement=PlacementConfig(translation='network')))
