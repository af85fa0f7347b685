"""``hand3r evaluate``: accuracy on rendered sequences that training never saw."""

from __future__ import annotations

import argparse
from pathlib import Path

from hand3r_ros.commands.base import Verbs


def add_parser(verbs: Verbs) -> None:
    """Declares the verb and its options."""
    parser = verbs.add_parser('evaluate', help='accuracy on rendered sequences that training never saw')
    parser.add_argument('--preset', default='tiny')
    parser.add_argument('--weights-dir', type=Path)
    parser.add_argument('--sequences', type=int, default=20)
    parser.add_argument('--frames', type=int, default=30)
    parser.add_argument(
        '--drift',
        action='store_true',
        help='camera drift for every state update, reset interval and pose source instead (try --frames 300)',
    )
    parser.add_argument('--out', type=Path, help='write the numbers as JSON')
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Prints the table."""
    arguments = (options.preset, options.weights_dir, options.sequences, options.frames, options.out)
    if options.drift:
        from hand3r_ros.evaluation.drift import evaluate_drift

        print(evaluate_drift(*arguments))
    else:
        from hand3r_ros.evaluation.rendered import evaluate_rendered

        print(evaluate_rendered(*arguments))
