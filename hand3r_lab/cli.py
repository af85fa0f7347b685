"""The ``hand3r-lab`` command: rendered data, training, evaluation, benchmark, reports. Not needed on a robot."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from hand3r_lab.commands import benchmark, data, evaluate, render, report, train
from hand3r_ros.commands.base import parse_command, run_command

VERBS = (render, train, evaluate, benchmark, report, data)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    return parse_command('hand3r-lab', __doc__ or '', VERBS, arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    return run_command('hand3r-lab', parse(arguments))


if __name__ == '__main__':
    sys.exit(main())
