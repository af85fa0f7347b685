"""``hand3r-lab data check``: what a data set folder holds, and what of it is missing or corrupt."""

from __future__ import annotations

import argparse

from hand3r_ros.commands.base import Verbs, path_argument


def add_parser(verbs: Verbs) -> None:
    """Declares the verb and its options."""
    parser = verbs.add_parser('data', help='look at data sets')
    actions = parser.add_subparsers(dest='action', required=True)
    check = actions.add_parser(
        'check',
        help='what is complete, missing, corrupt',
        description='Recognises rendered data, DexYCB and HOI4D. Exit code: 0 complete, 3 something is missing, '
        '4 something is corrupt, 1 not a data set.',
    )
    check.add_argument('path', type=path_argument)
    check.add_argument('--deep', action='store_true', help='decode every file instead of looking at names and sizes')
    check.add_argument('--all', action='store_true', help='list every defect instead of the first 20 of a kind')
    check.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints the report and returns the exit code."""
    import sys

    from hand3r_lab.datasets.recognition import recognise
    from hand3r_lab.training.sources import ALL_FORMATS

    data_format = recognise(options.path, ALL_FORMATS)
    report = data_format.check(options.path.expanduser(), options.deep)
    print(report.text(sys.maxsize if options.all else 20))
    return int(report.exit_code)
