"""The tests themselves fit every back-end: embedded_ros, a real rclpy with it, and a sourced ROS 2."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from ros_domain import private_domain, release_domain

ROOT = Path(__file__).parents[2]


def requirements(name: str) -> list[Requirement]:
    lines = (line.split('#')[0].strip() for line in (ROOT / name).read_text().splitlines())
    return [Requirement(line) for line in lines if line]


@pytest.mark.parametrize(
    ('python', 'fits', 'fails'), [('3.10', '7.4.4', '9.2.0'), ('3.12', '7.4.4', '8.0.0'), ('3.14', '9.0.1', '7.4.4')]
)
def test_a_sourced_ros_2_gets_the_pytest_that_its_launch_testing_takes(python: str, fits: str, fails: str) -> None:
    (pytest_there,) = (
        requirement
        for requirement in requirements('requirements-pytest-ros2.txt')
        if requirement.marker is None or requirement.marker.evaluate({'python_version': python})
    )
    assert pytest_there.name == 'pytest' and fits in pytest_there.specifier and fails not in pytest_there.specifier
    assert 'pytest' not in {requirement.name for requirement in requirements('requirements-test.txt')}


def test_tests_of_embedded_ros_are_not_collected_on_an_installed_ros_2(tmp_path: Path) -> None:
    (tmp_path / 'launch_testing').mkdir()
    (tmp_path / 'launch_testing' / '__init__.py').touch()
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(tmp_path), os.environ.get('PYTHONPATH', '')])}
    command = [sys.executable, '-m', 'pytest', '--collect-only', '-q', '-p', 'no:cacheprovider']
    tests = ['test/test_geometry.py', 'embedded_ros/test']
    listed = subprocess.run([*command, *tests], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert listed.returncode == 0, listed.stdout + listed.stderr
    assert 'test_geometry' in listed.stdout and 'embedded_ros' not in listed.stdout


def test_every_test_module_has_a_name_of_its_own() -> None:
    files = [file for folder in ('test', 'embedded_ros/test') for file in (ROOT / folder).rglob('test_*.py')]
    assert len({file.name for file in files}) == len(files)  # pytest refuses to import the second one


TESTS = """#!/usr/bin/env bash
if [ "${1:-}" = --real-rclpy ]; then echo "=== 5 passed ==="; exit "${REAL:-0}"; fi
echo "=== 100 passed ==="; exit "${ALL:-0}"
"""


CAN_COMPILE = all(map(shutil.which, ('gcc', 'g++'))) and Path(sysconfig.get_path('include'), 'Python.h').is_file()


@pytest.mark.skipif(not CAN_COMPILE or platform.machine() != 'x86_64', reason='no compiler or no Python headers')
@pytest.mark.parametrize(
    ('environment', 'code', 'last', 'said'),
    [
        ({}, 0, '=== 100 passed ===', 'tested on the real rclpy as above'),
        ({'ALL': '5'}, 5, '=== 100 passed ===', ''),
        ({'REAL': '1'}, 1, '=== 5 passed ===', ''),
        ({'HAND3R_PYTHON': 'false'}, 0, '=== 100 passed ===', 'not tested on the real rclpy: no Python headers'),
    ],
)
def test_continuous_integration_ends_in_a_summary_and_says_what_it_left_out(
    tmp_path: Path, environment: dict[str, str], code: int, last: str, said: str
) -> None:
    for name in ('.ci/run', 'scripts/environment.sh', 'scripts/real_rclpy.sh'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / 'scripts' / 'test').write_text(TESTS)
    (tmp_path / 'scripts' / 'test').chmod(0o755)
    without_ros = {name: value for name, value in os.environ.items() if name != 'ROS_DISTRO'}
    without_ros['HAND3R_PYTHON'] = sys.executable
    ended = subprocess.run(
        [tmp_path / '.ci' / 'run'], env={**without_ros, **environment}, capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (code, last), ended.stderr
    assert said in ended.stdout


CLAIM = 'import ros_domain; print(ros_domain.private_domain(), flush=True); input()'


def test_a_domain_belongs_to_one_test_at_a_time() -> None:
    own = private_domain()
    command = [sys.executable, '-c', f'import ros_domain; ros_domain.os.getpid = lambda: {os.getpid()}\n{CLAIM}']
    with subprocess.Popen(
        command, cwd=ROOT / 'test', stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None and other.stdout is not None
        theirs = int(other.stdout.readline())
        mine = [private_domain() for _ in range(20)]
        assert theirs not in (own, *mine) and len({own, *mine}) == 21
        other.stdin.write('\n')
    for domain in (own, *mine):
        release_domain(domain)
