"""The live view: a page on this machine that keeps up with what it is shown."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator

import numpy as np
import pytest

from hand3r_ros.geometry import Intrinsics, make_transform
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.visualization.live_scene import LiveHand, LiveScene

CAMERA = Intrinsics(60.0, 60.0, 31.5, 23.5, 64, 48)


@pytest.fixture
def live() -> Iterator[LiveScene]:
    scene = LiveScene(port=18080)
    yield scene
    scene.close()


def test_the_page_is_served_on_this_machine_only(live: LiveScene) -> None:
    assert live.address.startswith('http://127.0.0.1:')
    with urllib.request.urlopen(live.address, timeout=20) as response:
        assert response.status == 200
        assert b'<html' in response.read().lower()


def test_a_second_view_takes_another_port(live: LiveScene) -> None:
    other = LiveScene(port=18080)
    try:
        assert other.address != live.address
    finally:
        other.close()


def names(live: LiveScene) -> set[str]:
    return set(live._server.scene._handle_from_node_name)


def test_everything_can_be_shown_changed_and_forgotten(live: LiveScene) -> None:
    model = load_open_hand()
    left = LiveHand(HandSide.LEFT, model.v_template, np.zeros((21, 3)), model.faces(HandSide.LEFT))
    bare = LiveHand(HandSide.RIGHT, np.zeros((0, 3)), np.ones((21, 3)), np.zeros((0, 3), np.uint32))
    for step in range(3):
        T = make_transform(np.eye(3), [0.1 * step, 0.0, 0.0])
        live.show_camera(T, CAMERA, np.full((48, 64, 3), 40 * step, np.uint8))
        live.show_map(np.random.default_rng(step).random((50, 3)), np.zeros((50, 3), np.uint8))
        live.show_hands([left, bare])
        live.show_status(['ok', f'image {step}'])
    assert {'/camera', '/map', '/path', '/hands/left/mesh', '/hands/right/bones'} <= names(live)
    live.show_hands([bare])
    assert '/hands/left/mesh' not in names(live) and '/hands/right/bones' in names(live)
    live.show_hands([])
    assert not {'/hands/left/mesh', '/hands/right/bones'} & names(live)
    live.show_map(np.zeros((0, 3)), np.zeros((0, 3), np.uint8))
    live.forget_session()
    assert not {'/map', '/path'} & names(live)
    live.show_camera(np.eye(4), CAMERA, None)
