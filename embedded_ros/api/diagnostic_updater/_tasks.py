"""Checks that fill a status."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from diagnostic_updater._diagnostic_status_wrapper import DiagnosticStatusWrapper


class DiagnosticTask:
    """A named check; override run."""

    def __init__(self, name: str):
        self.name = name

    def getName(self) -> str:  # noqa: N802 - ROS 2's name
        """Return the name."""
        return self.name

    def run(self, stat: DiagnosticStatusWrapper) -> Any:
        """Fill the status and return it."""
        raise NotImplementedError(f'{type(self).__name__}.run')


class FunctionDiagnosticTask(DiagnosticTask):
    """Calls a function."""

    def __init__(self, name: str, fn: Callable[[DiagnosticStatusWrapper], Any]):
        super().__init__(name)
        self.fn = fn

    def run(self, stat: DiagnosticStatusWrapper) -> Any:
        """Call the function."""
        self.fn(stat)
        return stat


GenericFunctionDiagnosticTask = FunctionDiagnosticTask


class CompositeDiagnosticTask(DiagnosticTask):
    """Several checks in one status: values one after the other, summaries merged."""

    def __init__(self, name: str):
        super().__init__(name)
        self.tasks: list[DiagnosticTask] = []

    def addTask(self, task: DiagnosticTask) -> None:  # noqa: N802 - ROS 2's name
        """Add a check."""
        self.tasks.append(task)

    def run(self, stat: DiagnosticStatusWrapper) -> Any:
        """Run all checks."""
        original, combined = DiagnosticStatusWrapper(), DiagnosticStatusWrapper()
        original.summary(stat)
        for task in self.tasks:
            stat.summary(original)
            stat = task.run(stat)
            combined.mergeSummary(stat)
        stat.summary(combined)
        return stat
