"""``hand3r train``: runs or resumes one training stage."""

from __future__ import annotations

import argparse
from pathlib import Path

from hand3r_ros.commands.base import Verbs


def add_parser(verbs: Verbs) -> None:
    """Declares the verb and its options."""
    parser = verbs.add_parser('train', help='run or resume one training stage')
    parser.add_argument('stage', choices=['scene', 'hand', 'fusion', 'detector'])
    parser.add_argument('overrides', nargs='*', metavar='NAME=VALUE', help='fields of TrainingConfig')
    parser.add_argument(
        '--weights',
        type=Path,
        help='fusion: where to write the finished network (safetensors); detector: the file that gets the head',
    )
    parser.add_argument('--output', type=Path, help='detector: write here instead of into --weights')
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Trains to the end, from the newest checkpoint of the stage if there is one."""
    import torch

    from hand3r_ros.training.config import TrainingConfig

    config = TrainingConfig(options.stage).with_overrides(options.overrides)
    torch.set_num_threads(config.threads)
    if config.stage == 'hand':
        from hand3r_ros.training.hand_stage import train_hand

        train_hand(config)
    elif config.stage == 'scene':
        from hand3r_ros.training.scene_stage import train_scene

        train_scene(config)
    elif config.stage == 'detector':
        from hand3r_ros.training.detector_stage import train_detector

        if options.weights is None:
            raise ValueError('stage detector needs finished weights: give --weights weights/tiny.safetensors')
        train_detector(config, options.weights, options.output)
    else:
        from hand3r_ros.training.fusion_stage import train_fusion

        train_fusion(config, options.weights)
