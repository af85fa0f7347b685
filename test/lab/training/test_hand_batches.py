"""Batches of rendered hands: what their numbers say is what their crops show."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from hand3r_lab.training.config import TrainingConfig
from hand3r_lab.training.datasets import HandBatch
from hand3r_lab.training.hand_stage import as_shown
from hand3r_lab.training.streamed_scenes import StreamedHands, StreamedScenes
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.network.presets import preset

HANDS = 32


def unlikeness(hands: HandBatch) -> Tensor:
    """[N] crop units, how far the posed hand, seen from far away along the axis, is from the crop's keypoints.

    Sizes and places are fitted first: they are what the crop camera says, not the orientation.
    """
    right = torch.ones(len(hands.rotations), dtype=torch.bool)
    posed = HandLayer(load_open_hand())(hands.rotations, hands.betas, right).keypoints[..., :2]
    posed, seen = (points - points.mean(1, keepdim=True) for points in (posed, hands.keypoints_crop))
    size = (posed * seen).sum((1, 2)) / posed.square().sum((1, 2))
    return (size[:, None, None] * posed - seen).square().sum(-1).mean(1).sqrt()


def test_crops_show_hands_as_they_are_turned_against_the_line_of_sight() -> None:
    """Left hands, which are mirrored, and augmented ones too."""
    config = TrainingConfig('hand', data='rendered://train')
    drawn = StreamedHands(StreamedScenes.named_by(config)).batch(HANDS, torch.Generator().manual_seed(2))
    seen = preset('tiny').hand
    cases = {
        'along': as_shown(drawn, seen),
        'wrong way': as_shown(dataclasses.replace(drawn, slopes=-drawn.slopes), seen),
        'in camera': as_shown(drawn, dataclasses.replace(seen, orientation='camera')),
    }
    torch.testing.assert_close(cases['in camera'].rotations, drawn.rotations)
    # Medians: boxes end at the border of the image, so of hands that are cut off they have another middle.
    found = {name: float(unlikeness(hands).median()) for name, hands in cases.items()}
    assert found['along'] < 0.02
    assert found['along'] < 0.6 * found['in camera'] < 0.6 * found['wrong way']
