"""The commands of the package run the mains of their modules."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from hand3r_lab.demo import executables as lab_executables
from hand3r_ros.node import executables

MODULES = {
    'hand3r_node': 'hand3r_ros.node.hand3r_node',
    'camera_player': 'hand3r_ros.node.camera_player',
    'live_viewer': 'hand3r_ros.node.live_viewer',
    'rendered_camera': 'hand3r_lab.demo.rendered_camera',
    'demo_monitor': 'hand3r_lab.demo.monitor',
}
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize('name', MODULES)
def test_a_command_gives_the_exit_code_of_its_module(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType(name)
    module.main = lambda: 3  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, MODULES[name], module)
    monkeypatch.setattr(executables, 'end_at_once_when_asked', lambda: None)  # that is for a process of its own
    owner = lab_executables if MODULES[name].startswith('hand3r_lab') else executables
    assert getattr(owner, name)() == 3


def test_every_command_is_installed() -> None:
    setup = (ROOT / 'setup.py').read_text()
    for name, module in MODULES.items():
        room = 'hand3r_lab.demo' if module.startswith('hand3r_lab') else 'hand3r_ros.node'
        assert f"'{name} = {room}.executables:{name}'" in setup
