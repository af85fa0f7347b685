"""Where launch descriptions come from: Python launch files."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from .absent import absent
from .launch_description import LaunchDescription
from .substitutions import SomeSubstitutionsType, perform

if TYPE_CHECKING:
    from .launch_context import LaunchContext

__all__ = [
    'AnyLaunchDescriptionSource',
    'InvalidLaunchFileError',
    'PythonLaunchDescriptionSource',
    'get_launch_description_from_python_launch_file',
]


class InvalidLaunchFileError(Exception):
    """A launch file cannot be used."""


def load_python_module(path: str | Path) -> ModuleType:
    """Execute a Python file as a module.

    Raises:
        InvalidLaunchFileError: when there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise InvalidLaunchFileError(f'launch file {path} does not exist')
    spec = importlib.util.spec_from_file_location('python_launch_file', path)
    if spec is None or spec.loader is None:
        raise InvalidLaunchFileError(f'launch file {path} is not a Python file (name.launch.py)')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def get_launch_description_from_python_launch_file(path: str | Path) -> LaunchDescription:
    """Return what ``generate_launch_description()`` of a Python file returns.

    Raises:
        InvalidLaunchFileError: when the file is missing or has no such function.
    """
    module = load_python_module(path)
    generate = getattr(module, 'generate_launch_description', None)
    if generate is None:
        raise InvalidLaunchFileError(f'launch file {path} has no function generate_launch_description()')
    description = generate()
    if not isinstance(description, LaunchDescription):
        raise InvalidLaunchFileError(
            f'generate_launch_description() of {path} returned {type(description).__name__}, not a LaunchDescription'
        )
    return description


class LaunchDescriptionSource:
    """A launch description, or a place to load it from."""

    def __init__(
        self, launch_description: LaunchDescription | None = None, location: SomeSubstitutionsType = ''
    ) -> None:
        self._launch_description = launch_description
        self._location = location
        self.location = ''  # the absolute path, once loaded

    def get_launch_description(self, context: LaunchContext) -> LaunchDescription:
        """Return the description, loading it if needed."""
        if self._launch_description is None:
            self.location = str(Path(perform(context, self._location)).absolute())
            self._launch_description = self._load(self.location)
        return self._launch_description

    def _load(self, location: str) -> LaunchDescription:
        raise NotImplementedError(f'{type(self).__name__}: loading from {location}')


class PythonLaunchDescriptionSource(LaunchDescriptionSource):
    """A Python launch file."""

    def __init__(self, launch_file_path: SomeSubstitutionsType) -> None:
        super().__init__(None, launch_file_path)

    def _load(self, location: str) -> LaunchDescription:
        return get_launch_description_from_python_launch_file(location)


class AnyLaunchDescriptionSource(PythonLaunchDescriptionSource):
    """A launch file of any kind; here that is Python only."""

    def _load(self, location: str) -> LaunchDescription:
        if not location.endswith('.py'):
            raise NotImplementedError(f'launch file {location}: only Python launch files are part of embedded_ros')
        return super()._load(location)


__getattr__ = absent(__name__, 'FrontendLaunchDescriptionSource XMLLaunchDescriptionSource YAMLLaunchDescriptionSource')
