"""What every verb of the ``hand3r`` command shares."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

Verbs: TypeAlias = 'argparse._SubParsersAction[argparse.ArgumentParser]'


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
