"""Shared code of the subcommands of ``hand3r`` and ``hand3r-lab``."""

from __future__ import annotations

import argparse
import io
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

from hand3r_ros import __version__

Verbs: TypeAlias = 'argparse._SubParsersAction[argparse.ArgumentParser]'


class Verb(Protocol):
    """A module that declares one verb."""

    def add_parser(self, verbs: Verbs, /) -> None:
        """Declares the verb, its options and ``run``."""
        ...


def parse_command(
    program: str, description: str, verbs: Sequence[Verb], arguments: Sequence[str] | None
) -> argparse.Namespace:
    """The options; NAME=VALUE overrides may stand anywhere among them, which argparse alone does not allow."""
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument('--version', action='version', version=__version__)
    parsers = parser.add_subparsers(dest='verb', required=True)
    for verb in verbs:
        verb.add_parser(parsers)
    options, rest = parser.parse_known_args(arguments)
    if rest and not (hasattr(options, 'overrides') and all('=' in text and text[0] != '-' for text in rest)):
        parser.error(f'unrecognized arguments: {" ".join(rest)}')
    if rest:
        options.overrides = [*options.overrides, *rest]
    return options


def run_command(program: str, options: argparse.Namespace) -> int:
    """The exit code of a verb; errors a user can mend are one line, without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of files may be no text of the terminal's encoding
            stream.reconfigure(errors='backslashreplace')
    try:
        return int(options.run(options) or 0)  # a verb may return an exit status
    except (ValueError, OSError, RuntimeError) as error:
        print(f'{program} {options.verb}: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def path_argument(text: str) -> Path:
    """The path of an option, for ``type=``: a leading ``~`` is the home folder, which no shell sees in ``--out=~/x``.

    Raises:
        argparse.ArgumentTypeError: it is empty, or begins with ``~`` and the name of no user.

    """
    if not text:
        raise argparse.ArgumentTypeError('the path is empty')
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise argparse.ArgumentTypeError(f"'{text}' begins with ~ and the name of no user; ./~... is a file") from None


def number_argument(lowest: float, highest: float = math.inf) -> Callable[[str], float]:
    """For ``type=``: a finite number between two bounds, both included."""

    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"'{text}' is not a number") from None
        if not lowest <= value <= highest or math.isinf(value):
            bounds = f'at least {lowest:g}' if math.isinf(highest) else f'{lowest:g} to {highest:g}'
            raise argparse.ArgumentTypeError(f'must be {bounds}, got {text}')
        return value

    return number
