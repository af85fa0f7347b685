"""scripts/environment.sh takes what works, and says what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A PATH with nothing of Python in it yet."""
    for name in ('bash', 'dirname', 'cat', 'env'):
        tool = shutil.which(name)
        assert tool is not None
        (tmp_path / name).symlink_to(tool)
    return tmp_path


def add_python(folder: Path, name: str, version: tuple[int, int] | None = None) -> None:
    """This interpreter under another name; with ``version`` one that says it is of that version."""
    lines = ['#!/bin/sh']
    if version is not None:
        major, minor = version
        lines += [
            f'case "$*" in --version) echo "Python {major}.{minor}.0"; exit ;; *version_info*)',
            f'exec {sys.executable} -c "import sys; sys.version_info = ({major}, {minor}, 0); ${{2#import sys;}}"',
            ';; esac',
        ]
    (folder / name).write_text('\n'.join([*lines, f'exec {sys.executable} "$@"', '']))
    (folder / name).chmod(0o755)


def base_python(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ['bash', '-c', f'source {ROOT}/scripts/environment.sh; base_python']
    return subprocess.run(command, capture_output=True, text=True, env={'PATH': str(folder), **environment})


def test_python3_is_taken_where_it_is_of_a_version_that_works(folder: Path) -> None:
    add_python(folder, 'python3', (3, 12))
    add_python(folder, 'python3.10', (3, 10))
    assert base_python(folder).stdout == 'python3'


@pytest.mark.parametrize('newest', [(3, 13), (3, 14)])
def test_an_older_python_beside_a_new_one_is_found(folder: Path, newest: tuple[int, int]) -> None:
    add_python(folder, 'python3', newest)
    add_python(folder, 'python3.11', (3, 11))
    assert base_python(folder).stdout == 'python3.11'


def test_a_python_that_is_too_new_is_refused_with_the_reason_and_what_to_do(folder: Path) -> None:
    add_python(folder, 'python3', (3, 14))
    refused = base_python(folder)
    assert refused.returncode == 1
    for part in ('Python 3.14.0 found', '3.10 to 3.12', 'HAND3R_PYTHON', 'no wheels', 'source a ROS 2'):
        assert part in refused.stderr


def test_the_interpreter_that_is_asked_for_is_the_only_one_looked_at(folder: Path) -> None:
    add_python(folder, 'python3', (3, 12))
    add_python(folder, 'mine', (3, 9))
    refused = base_python(folder, HAND3R_PYTHON='mine')
    assert refused.returncode == 1 and 'Python 3.9.0 found' in refused.stderr
    assert 'no missing found' in base_python(folder, HAND3R_PYTHON='missing').stderr


@pytest.mark.parametrize(('numpy', 'constrained'), [('1.26.4', True), ('2.3.4', False)])
def test_numpy_1_is_kept_where_the_packages_of_the_system_need_it(
    tmp_path: Path, numpy: str, constrained: bool
) -> None:
    (tmp_path / 'numpy.py').write_text(f'__version__ = {numpy!r}\n')
    command = ['bash', '-c', f'source {ROOT}/scripts/environment.sh; system_has_numpy_1']
    environment = {**os.environ, 'PYTHONPATH': str(tmp_path)}
    assert (subprocess.run(command, env=environment).returncode == 0) is constrained
