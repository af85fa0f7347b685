"""``hand3r-lab benchmark``: speed and memory of network, online pipeline and node messages."""

from __future__ import annotations

import argparse
import os

from hand3r_ros.commands.base import Verbs, path_argument


def add_parser(verbs: Verbs) -> None:
    """Declares the verb and its options."""
    parser = verbs.add_parser('benchmark', help='speed and memory of network, online pipeline and node messages')
    parser.add_argument('--preset', default='tiny', choices=('tiny', 'full'))
    parser.add_argument('--weights-dir', type=path_argument)
    parser.add_argument(
        '--random-weights',
        action='store_true',
        help='measure the bare network without any weights files; the full preset is always measured so',
    )
    parser.add_argument('--frames', type=int, help='default: 200, with random weights 3')
    parser.add_argument('--threads', type=int, default=os.cpu_count() or 1)
    parser.add_argument('--size', type=image_size, metavar='WxH', help='of the scene image; default 4:3')
    parser.add_argument('--no-original', action='store_true', help='leave out the published way of computing')
    parser.add_argument('--device', default='cpu', choices=('cpu', 'cuda'))
    parser.add_argument('--out', type=path_argument, help='write the numbers as JSON')
    parser.set_defaults(run=run)


def image_size(text: str) -> tuple[int, int]:
    """Height and width from 'WIDTHxHEIGHT', both multiples of 16."""
    try:
        width, height = (int(side) for side in text.lower().split('x'))
    except ValueError:
        raise argparse.ArgumentTypeError(f'expected WIDTHxHEIGHT such as 512x384, got {text!r}') from None
    if min(width, height) < 16 or width % 16 or height % 16:
        raise argparse.ArgumentTypeError(f'width and height must be multiples of 16, got {text!r}')
    return height, width


def run(options: argparse.Namespace) -> None:
    """Prints the table."""
    from hand3r_lab.benchmark.report import BenchmarkOptions, run_benchmark

    random_weights = options.random_weights or options.preset == 'full'
    print(
        run_benchmark(
            BenchmarkOptions(
                preset=options.preset,
                weights_dir=options.weights_dir,
                random_weights=random_weights,
                frames=options.frames or (3 if random_weights else 200),
                threads=options.threads,
                image_size=options.size,
                original=not options.no_original,
                device=options.device,
            ),
            options.out,
        )
    )
