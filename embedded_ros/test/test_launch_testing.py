"""Launch tests fail when they should: run by the runner, and as files by a pytest of their own."""

import os
import subprocess
import sys

import pytest
from launch.launch_description_sources import load_python_module
from launch_testing.runner import describe_failures, load_runs
from processes import PACKAGE_ROOT

HEAD = """
import sys, unittest
import launch, launch_testing, launch_testing.actions, launch_testing.markers, pytest
from launch.actions import ExecuteProcess

def process(program):
    return ExecuteProcess(cmd=[sys.executable, '-c', program], name='child')

"""
DESCRIPTION = """
@pytest.mark.{mark}
def generate_test_description():
    child = process({program!r})
    return launch.LaunchDescription([child, launch_testing.actions.ReadyToTest()]), {{'child': child}}

"""
SLEEP = 'import signal, time; signal.signal(2, lambda *_: exit(0)); print("up", flush=True); time.sleep(60)'


@pytest.fixture
def write_file(tmp_path, monkeypatch):
    monkeypatch.setenv('ROS_LOG_DIR', str(tmp_path / 'log'))

    def write(text, mark='launch_test', program=SLEEP):
        file = tmp_path / 'test_inner.py'
        file.write_text(HEAD + DESCRIPTION.format(mark=mark, program=program) + text)
        return file

    return write


def run_with_pytest(file):
    start = 'import embedded_ros, sys; embedded_ros.install(); import pytest; sys.exit(pytest.main(sys.argv[1:]))'
    options = ['-p', 'launch_testing.pytest_plugin', '-p', 'no:cacheprovider', '-q', '--rootdir', str(file.parent)]
    return subprocess.run(
        [sys.executable, '-c', start, *options, str(file)],
        env={**os.environ, 'PYTHONPATH': str(PACKAGE_ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        cwd=file.parent,
    )


def failures_of(file):
    (launch_run,) = load_runs(load_python_module(file))
    return describe_failures(launch_run.run())


@pytest.mark.parametrize('mark', ['launch_test', 'rostest'])
def test_pytest_passes_when_all_tests_pass(write_file, mark):
    file = write_file(
        """
class TestUp(unittest.TestCase):
    def test_up(self, proc_output, launch_service):
        proc_output.assertWaitFor('up', timeout=20, stream='stdout')

@launch_testing.post_shutdown_test()
class TestDown(unittest.TestCase):
    def test_codes(self, proc_info):
        launch_testing.asserts.assertExitCodes(proc_info)
""",
        mark=mark,
    )
    result = run_with_pytest(file)
    assert result.returncode == 0, result.stdout
    assert '1 passed' in result.stdout


@pytest.mark.parametrize(
    ('text', 'program', 'reason'),
    [
        ('    def test_it(self): self.assertEqual(1, 2)\n', SLEEP, 'AssertionError: 1 != 2'),
        (
            '    def test_it(self, proc_output): proc_output.assertWaitFor("down", timeout=0.5)\n',
            SLEEP,
            "'down' not written within 0.5 s",
        ),
        (
            '    def test_it(self, proc_output): proc_output.assertWaitFor("up", timeout=0.5)\n',
            SLEEP,
            "'up' not written within 0.5 s",
        ),
        (
            '    def test_it(self, proc_info, child): proc_info.assertWaitForShutdown(child, timeout=0.5)\n',
            SLEEP,
            'did not end within 0.5 s',
        ),
        ('    def test_it(self, unheard_of): pass\n', SLEEP, 'no test argument named unheard_of'),
        (
            '    def test_it(self, proc_info, child):\n'
            '        import time\n'
            '        proc_info.assertWaitForShutdown(child, timeout=20)\n'
            '        time.sleep(1)\n',
            'print()',
            'ended before the tests were done',
        ),
        (
            '    def test_it(self): pass\n\n'
            '@launch_testing.post_shutdown_test()\n'
            'class TestDown(unittest.TestCase):\n'
            '    def test_codes(self, proc_info, child):\n'
            '        launch_testing.asserts.assertExitCodes(proc_info, process=child)\n',
            'import signal, time; signal.signal(2, lambda *_: exit(3)); time.sleep(60)',
            'exited with code',
        ),
    ],
)
def test_fails_with_the_reason(write_file, text, program, reason):
    file = write_file('class TestIt(unittest.TestCase):\n' + text, program=program)
    assert reason in failures_of(file)


def test_pytest_shows_the_reason(write_file):
    result = run_with_pytest(
        write_file('class TestIt(unittest.TestCase):\n    def test_it(self): self.assertEqual(1, 2)\n')
    )
    assert result.returncode == 1
    assert 'AssertionError: 1 != 2' in result.stdout
    assert '1 failed' in result.stdout


def test_a_module_without_tests_fails(write_file):
    assert 'the module has no tests' in failures_of(write_file(''))


def test_a_description_that_cannot_start_fails(write_file):
    text = """
def generate_test_description():
    return launch.LaunchDescription([ExecuteProcess(cmd=['/no/such']), launch_testing.actions.ReadyToTest()])

class TestIt(unittest.TestCase):
    def test_it(self): pass
"""
    assert 'the launch failed' in failures_of(write_file(text))


def test_modules_without_the_mark_stay_ordinary_tests(write_file):
    result = run_with_pytest(write_file('\ndef test_plain(): pass\n', mark='skipif(False, reason="")'))
    assert '1 passed' in result.stdout
