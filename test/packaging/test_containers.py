"""Dockerfile, images and workflow: what they name exists. Their linters run where they are installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / 'docker' / 'Dockerfile'
WORKFLOW = ROOT / '.github' / 'workflows' / 'ci.yml'
DISTRIBUTIONS = ['humble', 'jazzy', 'lyrical']


def jobs() -> dict[str, Any]:
    return yaml.safe_load(WORKFLOW.read_text())['jobs']


def test_what_is_copied_into_the_image_exists_and_is_not_ignored() -> None:
    ignored = (ROOT / '.dockerignore').read_text().split()
    copied = [line.split()[1:-1] for line in DOCKERFILE.read_text().splitlines() if line.startswith('COPY')]
    names = {name for names in copied for name in names}
    assert {'requirements.txt', 'package.xml', 'docker/entrypoint.sh', '.'} <= names
    for name in names:
        assert (ROOT / name).exists(), name
        assert name.split('/')[0] not in ignored


def test_nothing_that_setup_py_installs_is_left_out_of_the_image() -> None:
    ignored = set((ROOT / '.dockerignore').read_text().split())
    installed = {
        'hand3r_ros',
        'hand3r_lab',
        'hand3r_msgs',
        'launch',
        'config',
        'rviz',
        'weights',
        'resource',
        'package.xml',
    }
    assert not ignored & installed


def test_there_is_an_image_for_every_distribution_with_and_without_cuda() -> None:
    text = (ROOT / 'docker' / 'docker-bake.hcl').read_text()
    groups = {
        name: re.findall(r'"([\w-]+)"', targets)
        for name, targets in re.findall(r'group "(\w+)" {\s*targets = (.*)', text)
    }
    assert groups['cpu'] == [f'{name}-cpu' for name in DISTRIBUTIONS]
    assert groups['cuda'] == [f'{name}-cuda' for name in DISTRIBUTIONS]
    matrix = dict(re.findall(r'^ {4}(\w+)\s*= \[(.*)\]$', text, re.MULTILINE))
    assert re.findall(r'"(\w+)"', matrix['distro']) == DISTRIBUTIONS
    assert re.findall(r'"(\w+)"', matrix['torch']) == ['cpu', 'cuda']
    arguments = set(re.findall(r'^ARG (\w+)', DOCKERFILE.read_text(), re.MULTILINE))
    assert set(re.findall(r'^ {4}([A-Z_]+)\s*=', text, re.MULTILINE)) == arguments


def test_the_workflow_builds_and_tests_on_every_distribution() -> None:
    ros2 = jobs()['ros2']
    assert ros2['strategy']['matrix']['distro'] == jobs()['images']['strategy']['matrix']['distro'] == DISTRIBUTIONS
    commands = '\n'.join(step.get('run', '') for step in ros2['steps'])
    assert 'colcon build' in commands
    # colcon runs pytest with the Python that it runs in itself.
    assert re.search(r'\.venv/bin/activate\s+python "\$\(command -v colcon\)" test ', commands)
    assert jobs()['embedded']['strategy']['matrix']['python'] == ['3.10', '3.12']


def test_files_that_the_workflow_names_exist() -> None:
    commands = '\n'.join(step.get('run', '') for job in jobs().values() for step in job['steps'])
    named = set(re.findall(r'(?:-r|-c|--file) ([\w./-]+)', commands)) | {'scripts/test', 'constraints.txt'}
    assert {'requirements.txt', 'requirements-test.txt', 'docker/docker-bake.hcl'} <= named
    assert not [name for name in named if not (ROOT / name).exists()]


def test_rviz_is_declared_and_left_out_where_there_is_no_screen() -> None:
    assert '<exec_depend>rviz2</exec_depend>' in (ROOT / 'package.xml').read_text()
    assert '--skip-keys rviz2' in DOCKERFILE.read_text() and '--skip-keys rviz2' in WORKFLOW.read_text()


@pytest.mark.parametrize(
    ('linter', 'arguments'),
    [
        ('hadolint', [DOCKERFILE]),
        ('actionlint', [WORKFLOW]),
        ('shellcheck', [ROOT / 'docker' / 'entrypoint.sh']),
    ],
)
def test_linters_find_nothing(linter: str, arguments: list[Path]) -> None:
    program = shutil.which(linter)
    if program is None:
        pytest.skip(f'{linter} is not installed')
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
