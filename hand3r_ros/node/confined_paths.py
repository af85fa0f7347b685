"""Paths from service calls: confined to one folder, so that a caller cannot write or read elsewhere."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from hand3r_ros.files import ConfinedFile

LONGEST_NAME = 200
"""Characters of a folder or file."""
LONGEST_PATH = 4000
MOST_FOLDERS = 16
"""Below the folder that must not be left."""
_SHOWN = 100
"""Characters of a path that messages repeat."""


class ConfinedPathError(ValueError):
    """The path is not one that may be used; the message says why."""


def confined_file(directory: str, requested: str, suffix: str, parameter: str) -> ConfinedFile:
    """The file below ``directory`` that ``requested`` names; ``suffix`` is appended where it has none.

    Links that stay inside of the folder are followed here; whatever becomes a link afterwards is refused when the
    file is opened, see ``files``.

    Args:
        directory: may begin with ``~``; need not exist.
        requested: relative, as it came from outside; or absolute, if it lies inside.
        suffix: the only one allowed, with its dot.
        parameter: name of the parameter that holds the folder, for messages.

    Raises:
        ConfinedPathError: it leads out of the folder (also through links), names no file, has another suffix, or is
            no path of names of 1 to 200 printable characters.

    """
    root = expanded_path(directory, parameter).absolute()
    shown = repr(requested if len(requested) <= _SHOWN else requested[:_SHOWN] + '...')
    parts = PurePosixPath(requested).parts
    _check_names(parts, requested, shown, suffix)
    try:
        root = root.resolve()
        path = (root / requested).resolve()
        if path.is_relative_to(root) and path != root:
            path = (root / _with_suffix(PurePosixPath(requested), suffix)).resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError: Python before 3.13 about links in a circle
        raise ConfinedPathError(f'path {shown} cannot be followed below {root}: {error}') from error
    if not path.is_relative_to(root):
        raise ConfinedPathError(f'path {shown} leads out of {root} (parameter {parameter})')
    if path == root or parts[-1] == '..':
        raise ConfinedPathError(f'path {shown} names no file; give a name such as kitchen{suffix}')
    if path.suffix.lower() != suffix:
        raise ConfinedPathError(f'path {shown} must end in {suffix}')
    names = path.relative_to(root).parts
    if len(names) > MOST_FOLDERS + 1:
        raise ConfinedPathError(f'path {shown} goes through {len(names) - 1} folders, at most {MOST_FOLDERS} are taken')
    return ConfinedFile(root, names)


def expanded_path(text: str, parameter: str) -> Path:
    """The path that a parameter holds, with ``~`` replaced; raises :class:`ConfinedPathError` where nobody has it."""
    if not text.isprintable():
        raise ConfinedPathError(f'{text[:_SHOWN]!r} (parameter {parameter}) holds characters that cannot be printed')
    try:
        return Path(text).expanduser()
    except RuntimeError as error:  # the home of a user who does not exist
        raise ConfinedPathError(f"'{text[:_SHOWN]}' (parameter {parameter}) cannot be used: {error}") from error


def _check_names(parts: tuple[str, ...], requested: str, shown: str, suffix: str) -> None:
    """Raises :class:`ConfinedPathError` for what no file should be called."""
    if not requested.strip():
        raise ConfinedPathError(f'path is empty; give a file name such as kitchen{suffix}')
    if not requested.isprintable():
        raise ConfinedPathError(f'path {shown} holds characters that cannot be printed')
    if len(requested) > LONGEST_PATH:
        raise ConfinedPathError(f'path {shown} has {len(requested)} characters, at most {LONGEST_PATH} are taken')
    if requested.startswith('~'):
        raise ConfinedPathError(f"path {shown} begins with '~', which leads out; give a name such as kitchen{suffix}")
    if any(len(part) > LONGEST_NAME or not part.strip() for part in parts):
        raise ConfinedPathError(f'path {shown} must consist of names of 1 to {LONGEST_NAME} characters')


def _with_suffix(path: PurePosixPath, suffix: str) -> PurePosixPath:
    # Python 3.14 says that 'kitchen.' has a suffix, earlier ones do not; what ends in a dot is refused by all.
    return path if path.suffix or path.name.endswith('.') else path.with_name(path.name + suffix)
