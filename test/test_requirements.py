"""Every requirement resolves on the Python of every distribution: Humble 3.10, Jazzy 3.12, Lyrical 3.14 with numpy 2.3.

pip is asked what it would install there (``--dry-run``), wheels only. torch, half a gigabyte, is looked up in the list
of its releases instead: where an index gives no metadata apart from the wheels, a dry run downloads them.
"""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TORCH = 'torch'
NEEDS_TORCH = 'smplx'  # resolved by itself, for the same reason
SYSTEM = {'3.10': 'numpy>=1.24,<2', '3.12': 'numpy<2', '3.14': 'numpy==2.3.*'}
"""What the distribution's own packages need of numpy, by its Python."""
FILES = ('requirements.txt', 'requirements-test.txt', 'requirements-training.txt', 'requirements-pytest-ros2.txt')

# pip takes the markers of requirements from the Python it runs in, not from --python-version.
AS_IF = """
import sys
from pip._internal.cli.main import main
from pip._vendor.packaging import markers
real = markers.default_environment
version = {version!r}
markers.default_environment = lambda: {{**real(), 'python_version': version, 'python_full_version': version + '.0'}}
sys.exit(main(sys.argv[1:]))
"""


def pip(version: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, '-c', AS_IF.format(version=version), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


def dry_run(version: str, target: Path, *arguments: str) -> None:
    options = ('--dry-run', '--quiet', '--python-version', version, '--only-binary=:all:', '--target', str(target))
    done = pip(version, 'install', *options, *arguments)
    assert done.returncode == 0, done.stderr


@cache
def index_answers() -> bool:
    try:
        return pip('3.12', 'index', 'versions', 'tqdm', '--retries', '0', '--timeout', '20').returncode == 0
    except subprocess.TimeoutExpired:
        return False


@pytest.fixture(autouse=True)
def index() -> None:
    if not index_answers():
        pytest.skip('no package index answers: this machine is offline')


def requirements(*files: str, without: tuple[str, ...] = (TORCH,)) -> list[str]:
    """The lines of requirement files, but those of the projects ``without``."""
    lines = [line.split('#')[0].strip() for file in files for line in (ROOT / file).read_text().splitlines()]
    return [line for line in lines if line and re.split(r'[^A-Za-z0-9_.-]', line)[0] not in without]


@pytest.mark.timeout(700)
@pytest.mark.parametrize('version', SYSTEM)
def test_there_are_wheels_of_everything_for_the_python_of_every_distribution(version: str, tmp_path: Path) -> None:
    dry_run(version, tmp_path, '--no-deps', *requirements(*FILES), SYSTEM[version])


@pytest.mark.parametrize('version', SYSTEM)
def test_there_is_a_torch_for_the_python_of_every_distribution(version: str) -> None:
    """Of torch there are wheels only, so the list of releases says for which Python they are."""
    (wanted,) = (line.split('==')[1] for line in requirements('requirements.txt', without=()) if line.startswith(TORCH))
    listed = pip(version, 'index', 'versions', TORCH, '--python-version', version, '--only-binary=:all:')
    assert listed.returncode == 0, listed.stderr
    (found,) = (line for line in listed.stdout.splitlines() if line.startswith('Available versions:'))
    assert wanted in found.removeprefix('Available versions:').replace(' ', '').split(',')


@pytest.mark.timeout(700)
@pytest.mark.parametrize('version', ['3.10', '3.11', '3.12'])
def test_embedded_ros_resolves_where_the_scripts_use_it(version: str, tmp_path: Path) -> None:
    """Its middleware and the versions it is tested with have no wheels for Python 3.14."""
    pinned = [line for line in requirements('constraints.txt') if '==' in line]
    wanted = requirements('embedded_ros/requirements.txt', 'requirements-pytest.txt')
    dry_run(version, tmp_path, '--no-deps', *wanted, *pinned)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize('version', SYSTEM)
def test_what_the_requirements_require_fits_together_with_the_numpy_of_the_distribution(
    version: str, tmp_path: Path
) -> None:
    """Dependencies of dependencies, in one resolution, but for torch, what brings it along, and colcon's sources."""
    wanted = requirements('requirements.txt', 'requirements-training.txt', without=(TORCH, NEEDS_TORCH))
    dry_run(version, tmp_path, *wanted, SYSTEM[version])
