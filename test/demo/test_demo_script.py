"""scripts/demo: bad options are answered before anything is installed or started."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / 'scripts' / 'demo'


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(SCRIPT), *arguments], capture_output=True, text=True, timeout=60)


def test_help_explains_every_option() -> None:
    ended = run('--help')
    assert ended.returncode == 0
    for option in ('--view', '--video FILE', '--seconds N', '--arguments', 'name:=value'):
        assert option in ended.stdout
    assert 'set -euo' not in ended.stdout


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (['--video', '/nowhere/clip.mp4'], '/nowhere/clip.mp4 does not exist'),
        (['video:=/nowhere/clip.mp4'], '/nowhere/clip.mp4 does not exist'),
        (['--video'], 'needs a file'),
        (['--seconds'], 'needs a number'),
        (['--sideways'], "unknown option '--sideways'"),
    ],
)
def test_wrong_options_are_named(arguments: list[str], said: str) -> None:
    ended = run(*arguments)
    assert ended.returncode == 1
    assert said in ended.stderr


@pytest.mark.parametrize('argument', ['--video=~/clip.mp4', 'video:=~/clip.mp4'])
def test_the_home_folder_is_found_where_no_shell_expands_it(argument: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HOME', '/nowhere')
    assert '/nowhere/clip.mp4 does not exist' in run(argument).stderr
