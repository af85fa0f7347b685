"""Runs the tests of one module against its launch: during it, and after it."""

from __future__ import annotations

import inspect
import os
import threading
import unittest
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from launch import LaunchDescription, LaunchService
from launch.actions import RegisterEventHandler
from launch.event_handlers import EventHandler
from launch.events.process import ProcessIO, RunningProcessEvent

from .actions import TestsMayStart
from .decorators import PARAMETERS, POST_SHUTDOWN
from .process_info import ActiveProcInfoHandler
from .process_output import ActiveIoHandler

GENERATE = 'generate_test_description'
FIXTURE_METHODS = ('setUp', 'tearDown')
CLASS_FIXTURE_METHODS = ('setUpClass', 'tearDownClass')


class LaunchTestRun:
    """One launch of a test module with one set of parameters."""

    def __init__(self, module: ModuleType, parameters: dict[str, Any] | None = None) -> None:
        self._module = module
        self.parameters = parameters or {}
        self._proc_info = ActiveProcInfoHandler()
        self._proc_output = ActiveIoHandler()
        self._service = LaunchService()
        self._result = unittest.TestResult()
        self._arguments: dict[str, Any] = {}
        self._test_thread: threading.Thread | None = None
        self._tests_done = threading.Event()

    @property
    def name(self) -> str:
        """The name of the module with its parameters."""
        values = ','.join(f'{key}={value}' for key, value in self.parameters.items())
        return f'{self._module.__name__}[{values}]' if values else self._module.__name__

    def run(self) -> unittest.TestResult:
        """Launch, run the tests, shut down, run the tests for after shutdown; return all results."""
        self._service.include_launch_description(self._description())
        return_code = self._service.run()
        started = self._test_thread is not None
        if self._test_thread is not None:
            ended_early = not self._tests_done.is_set()
            self._test_thread.join()
            if ended_early:
                self._fail('the launch ended before the tests were done: processes ended too early, or Ctrl-C')
        if return_code != 0:
            self._fail('the launch failed: see its output')
        elif not started:
            self._fail('the launch ended before its ReadyToTest action was reached')
        if started:
            self._run_tests(after_shutdown=True)
        if self._result.testsRun == 0:
            self._fail('the module has no tests')
        return self._result

    def _description(self) -> LaunchDescription:
        generate = getattr(self._module, GENERATE)
        accepted = inspect.signature(generate).parameters
        given = {key: value for key, value in self.parameters.items() if key in accepted}
        result = generate(**given)
        description, extra = result if isinstance(result, tuple) else (result, {})
        self._arguments = {
            'proc_info': self._proc_info,
            'proc_output': self._proc_output,
            'launch_service': self._service,
            'test_args': {},
            **self.parameters,
            **extra,
        }
        watch = [
            EventHandler(matcher=lambda event: isinstance(event, RunningProcessEvent), entities=self._take_note),
            EventHandler(matcher=lambda event: isinstance(event, TestsMayStart), entities=self._start_tests),
        ]
        return LaunchDescription([*(RegisterEventHandler(handler) for handler in watch), description])

    def _take_note(self, event: Any, context: Any) -> None:
        (self._proc_output if isinstance(event, ProcessIO) else self._proc_info).append(event)

    def _start_tests(self, event: Any, context: Any) -> None:
        if self._test_thread is None:
            self._test_thread = threading.Thread(target=self._run_active_tests, daemon=True)
            self._test_thread.start()

    def _run_active_tests(self) -> None:
        try:
            self._run_tests(after_shutdown=False)
        finally:
            self._tests_done.set()
            self._service.shutdown()

    def _run_tests(self, after_shutdown: bool) -> None:
        suite = unittest.TestSuite()
        try:
            for test_class in self._test_classes():
                if getattr(test_class, POST_SHUTDOWN, False) == after_shutdown:
                    suite.addTests(self._bound_tests(test_class))
        except TypeError as error:
            self._fail(str(error))
        else:
            suite.run(self._result)

    def _test_classes(self) -> Iterator[type[unittest.TestCase]]:
        for item in vars(self._module).values():
            if (
                inspect.isclass(item)
                and issubclass(item, unittest.TestCase)
                and item.__module__ == self._module.__name__
            ):
                yield item

    def _bound_tests(self, test_class: type[unittest.TestCase]) -> unittest.TestSuite:
        """Return the tests of a class, with the arguments they name bound to them."""
        bound_class = type(test_class.__name__, (test_class,), {'__module__': test_class.__module__})
        for name in CLASS_FIXTURE_METHODS:
            setattr(bound_class, name, self._bound(getattr(bound_class, name)))
        tests = unittest.defaultTestLoader.loadTestsFromTestCase(bound_class)
        for test in tests:
            for name in (*FIXTURE_METHODS, test._testMethodName):  # type: ignore[union-attr]
                setattr(test, name, self._bound(getattr(test, name)))
        return tests

    def _bound(self, method: Callable) -> Callable:
        """Return `method` with the arguments that it asks for by name.

        Raises:
            TypeError: for one that nobody provides.
        """
        wanted = {
            name: parameter
            for name, parameter in inspect.signature(method).parameters.items()
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        }
        missing = [name for name, item in wanted.items() if name not in self._arguments and item.default is item.empty]
        if missing:
            known = ', '.join(self._arguments)
            raise TypeError(f'{method.__qualname__}: no test argument named {", ".join(missing)} (there are: {known})')
        values = {name: self._arguments[name] for name in wanted if name in self._arguments}
        return lambda: method(**values)

    def _fail(self, reason: str) -> None:
        def check() -> None:
            raise AssertionError(reason)

        unittest.FunctionTestCase(check, description=f'{self.name}: the launch').run(self._result)


def load_runs(module: ModuleType) -> list[LaunchTestRun]:
    """Return one run for each set of parameters of a test module.

    Raises:
        AttributeError: when it has no generate_test_description().
    """
    generate = getattr(module, GENERATE, None)
    if generate is None:
        raise AttributeError(f'{module.__name__}: a launch test needs a function {GENERATE}()')
    return [LaunchTestRun(module, parameters) for parameters in getattr(generate, PARAMETERS, [{}])]


def describe_failures(result: unittest.TestResult) -> str:
    """Return the tracebacks of everything that went wrong."""
    return os.linesep.join(f'{test}\n{text}' for test, text in [*result.errors, *result.failures])
