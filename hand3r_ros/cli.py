"""The ``hand3r`` command: reconstructs recordings, converts and lists weights."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from hand3r_ros.commands import convert, run, weights
from hand3r_ros.commands.base import parse_command, run_command

VERBS = (run, weights, convert)
MOVED = ('render', 'train', 'evaluate', 'benchmark', 'data')
"""Verbs that are now those of ``hand3r-lab``."""


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    return parse_command('hand3r', __doc__ or '', VERBS, arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given and given[0] in MOVED:
        print(f'hand3r {given[0]} is now: hand3r-lab {given[0]}', file=sys.stderr)
        return 2
    return run_command('hand3r', parse(given))


if __name__ == '__main__':
    sys.exit(main())
