"""The commands of the package run the mains of their modules."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from hand3r_ros.node import executables

NAMES = ('hand3r_node', 'camera_player', 'demo_monitor', 'live_viewer')
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize('name', NAMES)
def test_a_command_gives_the_exit_code_of_its_module(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType(name)
    module.main = lambda: 3  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, f'hand3r_ros.node.{name}', module)
    monkeypatch.setattr(executables, 'end_at_once_when_asked', lambda: None)  # that is for a process of its own
    assert getattr(executables, name)() == 3


def test_every_command_is_installed() -> None:
    setup = (ROOT / 'setup.py').read_text()
    for name in NAMES:
        assert f"'{name} = hand3r_ros.node.executables:{name}'" in setup
