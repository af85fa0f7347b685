"""The ``hand3r`` command: run on recordings, weights, training data, training, evaluation, benchmark."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from hand3r_ros import __version__
from hand3r_ros.commands import benchmark, convert, data, evaluate, render, run, train, weights

COMMANDS = (run, weights, convert, render, train, evaluate, benchmark, data)


def build_parser() -> argparse.ArgumentParser:
    """All verbs and their options."""
    parser = argparse.ArgumentParser(prog='hand3r', description=__doc__)
    parser.add_argument('--version', action='version', version=__version__)
    verbs = parser.add_subparsers(dest='verb', required=True)
    for command in COMMANDS:
        command.add_parser(verbs)
    return parser


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options; NAME=VALUE overrides may stand anywhere among them, which argparse alone does not allow."""
    parser = build_parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and not (hasattr(options, 'overrides') and all('=' in text and text[0] != '-' for text in rest)):
        parser.error(f'unrecognized arguments: {" ".join(rest)}')
    if rest:
        options.overrides = [*options.overrides, *rest]
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; errors a user can mend are one line, without a traceback."""
    options = parse(arguments)
    try:
        return int(options.run(options) or 0)  # a verb may return an exit status
    except (ValueError, OSError, RuntimeError) as error:
        print(f'hand3r {options.verb}: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == '__main__':
    sys.exit(main())
