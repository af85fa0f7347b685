"""Paths that come with service calls: only below one folder, so that a caller cannot write or read elsewhere."""

from __future__ import annotations

from pathlib import Path


class ConfinedPathError(ValueError):
    """The path is not one that may be used; the message says why."""


def confined_path(directory: str, requested: str, suffix: str, parameter: str) -> Path:
    """The file below ``directory`` that ``requested`` names; ``suffix`` is appended where it has none.

    Args:
        directory: may begin with ``~``; need not exist.
        requested: relative, as it came from outside.
        suffix: the only one allowed, with its dot.
        parameter: name of the parameter that holds the folder, for messages.

    Raises:
        ConfinedPathError: it leads out of the folder (also through links), is empty, or has another suffix.

    """
    root = Path(directory).expanduser().resolve()
    if not requested.strip() or '\0' in requested:
        raise ConfinedPathError(f'path is empty or holds a NUL; give a file name such as kitchen{suffix}')
    path = (root / requested).resolve()
    if not path.suffix:
        path = path.with_name(path.name + suffix).resolve()
    if not path.is_relative_to(root) or path == root:
        raise ConfinedPathError(f"path '{requested}' leads out of {root} (parameter {parameter})")
    if path.suffix.lower() != suffix:
        raise ConfinedPathError(f"path '{requested}' must end in {suffix}")
    return path
