"""``hand3r-lab train``: runs or resumes one training stage."""

from __future__ import annotations

import argparse

from hand3r_ros.commands.base import Verbs, path_argument


def add_parser(verbs: Verbs) -> None:
    """Declares the verb and its options."""
    parser = verbs.add_parser(
        'train',
        help='run or resume one training stage',
        epilog='Several GPUs: torchrun --nproc-per-node N -m hand3r_ros.cli train STAGE ...',
    )
    parser.add_argument('stage', choices=['scene', 'hand', 'fusion', 'detector', 'fused_head'])
    parser.add_argument('overrides', nargs='*', metavar='NAME=VALUE', help='fields of TrainingConfig, after --config')
    parser.add_argument('--config', type=path_argument, help='YAML file of fields of TrainingConfig')
    parser.add_argument(
        '--weights',
        type=path_argument,
        help='fusion: where to write the finished network (safetensors); detector: the file that gets the head; '
        'fused_head: the file whose tokens the head reads',
    )
    parser.add_argument(
        '--output',
        type=path_argument,
        help='detector: write here instead of into --weights; fused_head: where to write the head',
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Trains to the end, from the newest checkpoint of the stage if there is one."""
    from hand3r_lab.training.config import TrainingConfig
    from hand3r_lab.training.run import run_training

    start = TrainingConfig(options.stage)
    if options.config is not None:
        start = TrainingConfig.load(options.config, options.stage)
    run_training(start.with_overrides(options.overrides), options.weights, options.output)
