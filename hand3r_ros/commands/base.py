"""What every verb of the ``hand3r`` command shares."""

from __future__ import annotations

import argparse
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
