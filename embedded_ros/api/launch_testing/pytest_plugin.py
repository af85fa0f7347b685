"""Lets pytest run launch tests: modules whose generate_test_description is marked launch_test or rostest.

Not loaded by itself: conftest.py names it where the launch_testing of ROS 2, which brings its own plugin, is absent.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .runner import GENERATE, LaunchTestRun, describe_failures, load_runs

MARKS = ('launch_test', 'rostest')


class LaunchTestFailure(Exception):  # noqa: N818 (not an error of this code)
    """Some tests of a launch failed."""


class LaunchTestItem(pytest.Item):
    """One launch of a test module."""

    def __init__(self, *, launch_run: LaunchTestRun, **options: Any) -> None:
        super().__init__(**options)
        self._run = launch_run

    def runtest(self) -> None:
        """Launch and test."""
        result = self._run.run()
        if not result.wasSuccessful():
            raise LaunchTestFailure(describe_failures(result))
        if result.testsRun and len(result.skipped) == result.testsRun:
            pytest.skip('; '.join(sorted({reason for _, reason in result.skipped})))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show the failures of the tests, not the traceback of this plugin."""
        if isinstance(excinfo.value, LaunchTestFailure):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Name the item in reports."""
        return self.path, 0, f'launch test: {self.name}'


class LaunchTestModule(pytest.Module):
    """A module whose tests run against its launch."""

    def collect(self) -> Iterator[pytest.Item]:
        """Return one item for each set of parameters."""
        for run in load_runs(self.obj):
            item = LaunchTestItem.from_parent(self, name=run.name.rpartition('.')[2], launch_run=run)
            for mark in getattr(getattr(self.obj, GENERATE), 'pytestmark', ()):
                item.add_marker(getattr(pytest.mark, mark.name)(*mark.args, **mark.kwargs))
            yield item


def pytest_configure(config: pytest.Config) -> None:
    """Make the marks known."""
    for mark in MARKS:
        config.addinivalue_line('markers', f'{mark}: marks the generate_test_description of a launch test')


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Collect launch tests here and leave all other modules to pytest."""
    text = module_path.read_text(encoding='utf-8', errors='replace')
    if GENERATE not in text or not any(f'mark.{mark}' in text for mark in MARKS):
        return None
    module: pytest.Module = LaunchTestModule.from_parent(parent, path=module_path)
    marks = getattr(getattr(module.obj, GENERATE, None), 'pytestmark', ())
    return module if any(mark.name in MARKS for mark in marks) else None
