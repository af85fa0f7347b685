"""``hand3r evaluate``: accuracy on rendered sequences that training never saw, or on a public data set."""

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
    _add_outputs(parser)
    _add_data(parser)
    parser.set_defaults(run=run)


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group('what else is measured and written')
    group.add_argument(
        '--ablations', action='store_true', help='also without prompts, without f_s and without recurrent state'
    )
    group.add_argument('--csv', type=Path, help='write the table as CSV')
    group.add_argument('--plots', type=Path, metavar='FOLDER', help='draw errors by occlusion, time, distance (PNG)')
    group.add_argument('--tables', action='store_true', help="print the paper's tables with our row beside them")


def _add_data(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group('public data sets')
    group.add_argument('--data', type=Path, help='folder of DexYCB or HOI4D, instead of the rendered test set')
    group.add_argument('--split', help="'s0/test', 's1/test', ... of DexYCB, 'test' or 'val' of HOI4D, or 'all'")
    group.add_argument('--mano', type=Path, help='MANO_RIGHT.pkl or its folder; default: beside the weights')


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
        print(_accuracy(options))


def _accuracy(options: argparse.Namespace) -> str:
    from hand3r_ros.evaluation.outputs import Outputs

    outputs = Outputs(csv=options.csv, plots=options.plots, tables=options.tables)
    arguments = (options.preset, options.weights_dir, options.sequences, options.frames, options.out)
    if options.data is None:
        from hand3r_ros.evaluation.rendered import evaluate_rendered

        return evaluate_rendered(*arguments, ablations=options.ablations, outputs=outputs)
    from hand3r_ros.evaluation.annotated import evaluate_data_set

    return evaluate_data_set(
        options.data, options.split, options.mano, *arguments, ablations=options.ablations, outputs=outputs
    )
