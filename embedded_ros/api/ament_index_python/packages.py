"""Find packages by their ``package.xml``.

A package is looked for in each prefix of AMENT_PREFIX_PATH (``share/NAME``), in the repository that holds
embedded_ros (its root and the folders in it: a source folder is its own share folder) and in ``share`` of the virtual
environment.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]


class PackageNotFoundError(KeyError):
    """No package of this name was found."""

    def __str__(self) -> str:
        return str(self.args[0])


def _shares() -> Iterator[tuple[Path, Path]]:
    """Yield (share folder, prefix) of every folder that may hold a package, best first."""
    prefixes = [Path(entry) for entry in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep) if entry]
    for prefix in prefixes:
        yield from ((share, prefix) for share in sorted((prefix / 'share').glob('*')))
    environment = Path(sys.prefix)
    yield REPOSITORY, environment
    yield from ((folder, environment) for folder in sorted(REPOSITORY.iterdir()))
    yield from ((share, environment) for share in sorted((environment / 'share').glob('*')))


def _packages() -> dict[str, tuple[Path, Path]]:
    found: dict[str, tuple[Path, Path]] = {}
    for share, prefix in _shares():
        manifest = share / 'package.xml'
        if manifest.is_file():
            name = re.search(r'<name>\s*(\S+?)\s*</name>', manifest.read_text(encoding='utf-8'))
            if name is not None:
                found.setdefault(name.group(1), (share, prefix))
    return found


def _find(package_name: str) -> tuple[Path, Path]:
    packages = _packages()
    if package_name not in packages:
        known = ', '.join(sorted(packages)) or 'none'
        raise PackageNotFoundError(f"package '{package_name}' not found (packages found: {known})")
    return packages[package_name]


def get_packages_with_prefixes() -> dict[str, str]:
    """Return the prefix of every package."""
    return {name: str(prefix) for name, (_, prefix) in sorted(_packages().items())}


def get_package_prefix(package_name: str) -> str:
    """Return the prefix of a package: the virtual environment for a package in the repository.

    Raises:
        PackageNotFoundError: naming the package and those that were found.
    """
    return str(_find(package_name)[1])


def get_package_share_directory(package_name: str, print_warning: bool = True) -> str:
    """Return the folder that holds ``launch/``, ``config/`` and so on of a package.

    Raises:
        PackageNotFoundError: naming the package and those that were found.
    """
    return str(_find(package_name)[0])


def get_package_share_path(package_name: str, print_warning: bool = True) -> Path:
    """Return get_package_share_directory as a Path."""
    return Path(get_package_share_directory(package_name))
