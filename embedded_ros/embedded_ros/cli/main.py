"""The parser of the command ``ros2`` and its errors."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import embedded_ros

from . import bag, launching, lifecycle, param, service, topic
from .errors import CommandError

COMMANDS = (bag, launching, lifecycle, param, service, topic)


class Parser(argparse.ArgumentParser):
    """An argument parser that says what this subset is when a command or verb is unknown."""

    def error(self, message: str) -> NoReturn:
        """Show usage and reason, then exit."""
        self.print_usage(sys.stderr)
        hint = ' (embedded_ros has a subset of the ros2 command)' if 'invalid choice' in message else ''
        self.exit(2, f'{self.prog}: error: {message}{hint}\n')


def build_parser() -> argparse.ArgumentParser:
    """Return the parser with all commands."""
    parser = Parser(prog='ros2', description='The ros2 command, the subset that embedded_ros has.')
    commands = parser.add_subparsers(metavar='COMMAND', required=True, parser_class=Parser)
    for module in COMMANDS:
        module.add_commands(commands)
    return parser


def _end(number: int, frame: Any) -> NoReturn:
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    embedded_ros.install()
    options = build_parser().parse_args(arguments)
    # Explicitly: a shell starts background commands with SIGINT ignored.
    signal.signal(signal.SIGINT, _end)
    signal.signal(signal.SIGTERM, _end)
    try:
        return options.run(options) or 0
    except CommandError as error:
        print(f'ros2: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # The reader (head, grep -q) has enough. Without this Python complains when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
