"""The two network sizes: 'full' for the public checkpoints, 'tiny' for the shipped weights."""

from __future__ import annotations

import dataclasses

from hand3r_ros.network.config import Hand3RConfig
from hand3r_ros.network.detection.config import DetectionHeadConfig
from hand3r_ros.network.hand.config import HandConfig
from hand3r_ros.network.prompt import PromptConfig
from hand3r_ros.network.scene.config import SceneConfig, StemConfig


def preset(name: str) -> Hand3RConfig:
    """Configuration of that name.

    Raises:
        ValueError: there is no such preset; the message lists them.

    """
    if name not in PRESETS:
        raise ValueError(f'preset must be one of {sorted(PRESETS)}, got {name!r}')
    return PRESETS[name]


def with_detection_head(name: str) -> Hand3RConfig:
    """The preset of that name with its hand detection head, for weights that have one.

    Raises:
        ValueError: there is no such preset.

    """
    return dataclasses.replace(preset(name), detection=DETECTION_HEADS[name])


FULL = Hand3RConfig()
"""CUT3R 512 DPT and HaMeR; every default of the configuration classes."""

TINY = Hand3RConfig(
    scene=SceneConfig(
        encoder_width=192,
        encoder_depth=6,
        encoder_heads=6,
        stem=StemConfig(quarter_width=48, eighth_width=96, blocks=2),
        decoder_width=128,
        decoder_depth=4,
        decoder_heads=4,
        state_size=64,
        state_heads=4,
        memory_slots=32,
        memory_heads=4,
        memory_depth=1,
        memory_mlp_ratio=1,
        head='pyramid',
        pyramid_widths=(128, 64, 48),
        world_head=False,
        rgb_head=False,
        ray_map_depth=0,
        self_points='camera',
        initial_depth=0.8,
    ),
    hand=HandConfig(
        crop_size=128,
        crop_rescale=1.3,
        used_width=96,
        patch_size=16,
        stem=StemConfig(quarter_width=48, eighth_width=96, blocks=2),
        width=160,
        depth=4,
        heads=5,
        mlp_width=640,
        head_width=256,
        head_depth=3,
        head_heads=4,
        head_dim=32,
        head_mlp_width=1024,
        query='keypoints',
        orientation='line_of_sight',
        initial_camera=(6.0, 0.0, 0.0),
    ),
    prompt=PromptConfig(
        hand_width=160,
        scene_width=192,
        decoder_width=128,
        hidden_width=384,
        translation_hidden_width=256,
        box_code=True,
        translation='correction',
    ),
    image_long_side=224,
)
"""Small enough to train and to run on a CPU. The world and colour heads and ray maps are left out: its training does
not use them."""

PRESETS = {'full': FULL, 'tiny': TINY}

DETECTION_HEADS = {
    'full': DetectionHeadConfig(stem_widths=(32, 64, 128), width=128, blocks=4),
    'tiny': DetectionHeadConfig(),
}
"""Presets come without a head, because one that was not trained would be worse than none; see ``Hand3RConfig``."""
