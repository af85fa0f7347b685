"""Where packages and their executables lie."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix, get_package_share_directory
from launch.absent import absent
from launch.launch_context import LaunchContext
from launch.substitutions import SomeSubstitutionsType, Substitution, SubstitutionFailure, describe, perform

__all__ = ['ExecutableInPackage', 'FindPackage', 'FindPackagePrefix', 'FindPackageShare', 'executable_names']


class FindPackagePrefix(Substitution):
    """The prefix of a package."""

    def __init__(self, package: SomeSubstitutionsType) -> None:
        self.package = package

    def describe(self) -> str:
        """Return the name of the package."""
        return f'{type(self).__name__}(pkg={describe(self.package)})'

    def find(self, package_name: str) -> str:
        """Return the folder of a package by name."""
        return get_package_prefix(package_name)

    def perform(self, context: LaunchContext) -> str:
        """Return the folder.

        Raises:
            SubstitutionFailure: naming the package that is missing.
        """
        try:
            return self.find(perform(context, self.package))
        except PackageNotFoundError as error:
            raise SubstitutionFailure(str(error)) from error


FindPackage = FindPackagePrefix


class FindPackageShare(FindPackagePrefix):
    """The folder of a package that holds ``launch/``, ``config/`` and so on."""

    def find(self, package_name: str) -> str:
        """Return the share folder of a package by name."""
        return get_package_share_directory(package_name)


class ExecutableInPackage(Substitution):
    """The path of an executable that a package installed."""

    def __init__(self, executable: SomeSubstitutionsType, package: SomeSubstitutionsType) -> None:
        self.executable = executable
        self.package = package

    def perform(self, context: LaunchContext) -> str:
        """Return the path.

        Raises:
            SubstitutionFailure: naming the package or executable that is missing, and what there is.
        """
        package, executable = perform(context, self.package), perform(context, self.executable)
        try:
            return find_executable(package, executable)
        except (PackageNotFoundError, FileNotFoundError) as error:
            raise SubstitutionFailure(str(error)) from error


def find_executable(package: str, executable: str) -> str:
    """Return the path of an executable of a package.

    It is looked for in ``<prefix>/lib/<package>``; a package installed by pip has it in ``<prefix>/bin``.

    Raises:
        PackageNotFoundError: when there is no such package.
        FileNotFoundError: when the package has no such executable.
    """
    prefix = Path(get_package_prefix(package))
    candidates = [prefix / 'lib' / package / executable]
    names = executable_names(package)
    if executable in names:
        candidates.append(prefix / 'bin' / executable)
    for candidate in candidates:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return str(candidate)
    if executable in names:
        raise FileNotFoundError(
            f"executable '{executable}' of package '{package}' is declared but not at {candidates[-1]}"
        )
    known = ', '.join(names) or 'none; is it installed? (pip install -e)'
    raise FileNotFoundError(f"executable '{executable}' not found in package '{package}' (it has: {known})")


def executable_names(package: str) -> list[str]:
    """Return the names of the executables of a package, sorted; empty where it is not installed."""
    try:
        entry_points = importlib.metadata.distribution(package).entry_points
        names = {entry.name for entry in entry_points if entry.group == 'console_scripts'}
    except importlib.metadata.PackageNotFoundError:
        names = set()
    folder = Path(get_package_prefix(package)) / 'lib' / package
    names |= {path.name for path in folder.glob('*') if path.is_file() and os.access(path, os.X_OK)}
    return sorted(names)


__getattr__ = absent(__name__, 'Parameter')
