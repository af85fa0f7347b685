"""The ``hand3r`` command: render training data, train, evaluate, benchmark."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from hand3r_ros import __version__


def build_parser() -> argparse.ArgumentParser:
    """All verbs and their options."""
    parser = argparse.ArgumentParser(prog='hand3r', description=__doc__)
    parser.add_argument('--version', action='version', version=__version__)
    verbs = parser.add_subparsers(dest='verb', required=True)

    render = verbs.add_parser('render', help='draw training data')
    render.add_argument('directory', type=Path)
    render.add_argument('--split', choices=['train', 'validation', 'test'], default='train')
    render.add_argument('--sequences', type=int, default=2000)
    render.add_argument('--frames', type=int, default=8)
    render.add_argument('--processes', type=int, default=os.cpu_count() or 1)
    render.add_argument('--preset', default='tiny')

    train = verbs.add_parser('train', help='run or resume one training stage')
    train.add_argument('stage', choices=['scene', 'hand', 'fusion'])
    train.add_argument('overrides', nargs='*', metavar='NAME=VALUE', help='fields of TrainingConfig')
    train.add_argument('--weights', type=Path, help='fusion: where to write the finished network (safetensors)')

    evaluate = verbs.add_parser('evaluate', help='accuracy on rendered sequences that training never saw')
    evaluate.add_argument('--preset', default='tiny')
    evaluate.add_argument('--weights-dir', type=Path)
    evaluate.add_argument('--sequences', type=int, default=20)
    evaluate.add_argument('--frames', type=int, default=30)
    evaluate.add_argument('--out', type=Path, help='write the numbers as JSON')

    benchmark = verbs.add_parser('benchmark', help='speed and memory of network, online pipeline and node messages')
    benchmark.add_argument('--preset', default='tiny')
    benchmark.add_argument('--weights-dir', type=Path)
    benchmark.add_argument('--frames', type=int, default=200)
    benchmark.add_argument('--threads', type=int, default=os.cpu_count() or 1)
    benchmark.add_argument('--out', type=Path, help='write the numbers as JSON')
    return parser


def run_render(options: argparse.Namespace) -> None:
    """``hand3r render``."""
    from hand3r_ros.network.presets import preset
    from hand3r_ros.training.rendered_data import RenderedDataLayout
    from hand3r_ros.training.rendering import render_dataset

    config = preset(options.preset)
    width = config.image_long_side
    height = round(width * 3 / 4) // 16 * 16
    layout = RenderedDataLayout(
        options.split, options.sequences, options.frames, height, width, config.hand.crop_size, config.hand.crop_rescale
    )
    render_dataset(options.directory, layout, options.processes)


def run_train(options: argparse.Namespace) -> None:
    """``hand3r train``."""
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
    else:
        from hand3r_ros.training.fusion_stage import train_fusion

        train_fusion(config, options.weights)


def run_evaluate(options: argparse.Namespace) -> None:
    """``hand3r evaluate``."""
    from hand3r_ros.evaluation.rendered import evaluate_rendered

    print(evaluate_rendered(options.preset, options.weights_dir, options.sequences, options.frames, options.out))


def run_benchmark(options: argparse.Namespace) -> None:
    """``hand3r benchmark``."""
    from hand3r_ros.benchmark import run_benchmark as benchmark

    print(benchmark(options.preset, options.weights_dir, options.frames, options.threads, options.out))


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; errors a user can mend are one line, without a traceback."""
    options = build_parser().parse_args(arguments)
    verbs = {'render': run_render, 'train': run_train, 'evaluate': run_evaluate, 'benchmark': run_benchmark}
    try:
        verbs[options.verb](options)
    except (ValueError, FileNotFoundError, RuntimeError) as error:
        print(f'hand3r {options.verb}: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main())
