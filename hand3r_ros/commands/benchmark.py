"""``hand3r benchmark``: speed and memory of network, online pipeline and node messages."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from hand3r_ros.commands.base import Verbs


def add_parser(verbs: Verbs) -> None:
    """Declares the verb and its options."""
    parser = verbs.add_parser('benchmark', help='speed and memory of network, online pipeline and node messages')
    parser.add_argument('--preset', default='tiny')
    parser.add_argument('--weights-dir', type=Path)
    parser.add_argument('--frames', type=int, default=200)
    parser.add_argument('--threads', type=int, default=os.cpu_count() or 1)
    parser.add_argument('--out', type=Path, help='write the numbers as JSON')
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Prints the table."""
    from hand3r_ros.benchmark import run_benchmark

    print(run_benchmark(options.preset, options.weights_dir, options.frames, options.threads, options.out))
