"""Import finders: the API packages from `api/`, and message packages generated from their definitions.

The API finder stands at the end of `sys.meta_path`: whatever else can be imported wins. While a real `rclpy` is
importable no finder answers anything, so the two back-ends can never mix.
"""

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from embedded_ros.messages import sources

PACKAGE_FOLDER = Path(__file__).resolve().parent
# In the repository beside this package, in an installed copy within it.
API_FOLDER = next(folder / 'api' for folder in (PACKAGE_FOLDER.parent, PACKAGE_FOLDER) if (folder / 'api').is_dir())
INTERFACE_KINDS = ('msg', 'srv')


def real_ros_is_importable() -> bool:
    """True when `rclpy` is found on `sys.path`, which never holds the API folder."""
    spec = PathFinder.find_spec('rclpy')
    return spec is not None and spec.origin is not None


class _InterfaceLoader(importlib.abc.Loader):
    """Creates a message package, or its `msg` / `srv` module, from definitions."""

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        package, _, kind = module.__name__.partition('.')
        if kind:
            from embedded_ros.messages.classes import interface_classes

            vars(module).update(interface_classes(package, kind))


def _interface_spec(name: str) -> ModuleSpec | None:
    package, _, kind = name.partition('.')
    if kind and kind not in INTERFACE_KINDS:
        return None
    if not sources.has_package(package):
        return None
    spec = ModuleSpec(name, _InterfaceLoader(), is_package=not kind)
    spec.origin = 'embedded_ros definitions'
    return spec


class EmbeddedRosFinder(importlib.abc.MetaPathFinder):
    """Last in `sys.meta_path`: API packages and message packages that nobody else provides."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of an API or message module, None for everything else."""
        if '.' not in fullname:
            if real_ros_is_importable():
                return None
            api = PathFinder.find_spec(fullname, [str(API_FOLDER)])
            if api is not None and api.origin is not None:
                return api
        return _interface_spec(fullname)


class SourceFolderFinder(importlib.abc.MetaPathFinder):
    """First in `sys.meta_path`: keeps a folder without code from posing as a package of the same name.

    With the repository root on `sys.path`, Python takes the folders `hand3r_msgs/` and `launch/` (no `__init__.py`)
    for namespace packages and would never ask the last finder. Only such empty namespace packages are replaced.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a generated package in place of a code-less source folder."""
        is_api = '.' not in fullname and (API_FOLDER / fullname / '__init__.py').is_file()
        if not (is_api or fullname in sources.source_folders()) or real_ros_is_importable():
            return None
        found = PathFinder.find_spec(fullname)
        if found is not None and found.origin is not None:
            return None
        return PathFinder.find_spec(fullname, [str(API_FOLDER)]) if is_api else _interface_spec(fullname)


def install() -> bool:
    """Install the finders once; False where a real ROS 2 is importable (nothing is installed then)."""
    if real_ros_is_importable():
        return False
    if not any(isinstance(finder, EmbeddedRosFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, SourceFolderFinder())
        sys.meta_path.append(EmbeddedRosFinder())
    return True
