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
    parser.add_argument(
        '--placement',
        action='store_true',
        help='placement of hands without a translation head instead: scene alignment against the crop camera alone',
    )
    parser.add_argument('--detection', action='store_true', help="the network's own hand detection head instead")
    parser.add_argument('--out', type=Path, help='write the numbers as JSON')
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Prints the table."""
    if options.placement:
        from hand3r_ros.evaluation.placement import evaluate_placement

        print(evaluate_placement(options.sequences, options.frames, options.out))
        return
    arguments = (options.preset, options.weights_dir, options.sequences, options.frames, options.out)
    if options.detection:
        from hand3r_ros.evaluation.detection import evaluate_detection

        print(evaluate_detection(*arguments))
    elif options.drift:
        from hand3r_ros.evaluation.drift import evaluate_drift

        print(evaluate_drift(*arguments))
    else:
        from hand3r_ros.evaluation.rendered import evaluate_rendered

        print(evaluate_rendered(*arguments))
