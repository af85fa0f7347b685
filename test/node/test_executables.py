"""The commands of the package run the mains of their modules, and a Ctrl-C while these load ends them quietly."""

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
    assert getattr(executables, name)() == 3


def test_the_node_ends_with_zero_when_its_main_gives_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType('hand3r_node')
    module.main = lambda: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, 'hand3r_ros.node.hand3r_node', module)
    assert executables.hand3r_node() == 0


def test_an_interrupted_import_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(name: str) -> ModuleType:
        raise KeyboardInterrupt

    monkeypatch.setattr(executables, 'import_module', interrupted)
    assert executables.hand3r_node() == 0


def test_every_command_is_installed() -> None:
    setup = (ROOT / 'setup.py').read_text()
    for name in NAMES:
        assert f"'{name} = hand3r_ros.node.executables:{name}'" in setup
