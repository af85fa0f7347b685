"""A restarted node goes on in the same world frame; states are only written and read below their folder."""

from __future__ import annotations

import json
import os
import struct
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from harness import RELIABLE_IMAGES, RunningNode, running_node

from hand3r_lab.scenes.sequence import RenderedFrame, SceneConfig, Sequence
from hand3r_msgs.msg import Hand3RStatus, HandMeshArray
from hand3r_msgs.srv import LoadState, SaveMap, SaveState
from hand3r_ros.node.confined_paths import ConfinedPathError
from hand3r_ros.node.parameters import NodeParameters
from hand3r_ros.node.state_saving import first_state, requested_state

NOBODYS_PATHS = ('', '/', '//', '..', '../' * 12, 'loop/x', 'loop', 'out/x', 'a/' * 2000 + 'x', 'n' * 50_000, 'a\nb')
"""Which lead out of the folder, in circles or nowhere."""

STATUS, POSE, HANDS = '/hand3r/status', '/hand3r/camera_pose', '/hand3r/hands'
DAY = 86_400 * 10**9  # ns


@pytest.fixture(scope='module')
def frames() -> list[RenderedFrame]:
    sequence = Sequence(2, SceneConfig(width=320, height=240, frames=5, hands='both', effects=False))
    return [sequence.frame(index) for index in range(len(sequence))]


def start(weights_dir: Path, states: Path, **parameters: Any) -> AbstractContextManager[RunningNode]:
    quick = {
        **RELIABLE_IMAGES,
        'detections.wait': 5.0,
        'calibration_wait': 5.0,
        'warmup': False,
        'pose_source': 'network',
        'detector': 'topic',
    }
    return running_node({'weights_dir': weights_dir, 'state_directory': states, **quick, **parameters})


def begin(node: RunningNode) -> None:
    """Make the node ready for images and record what it says."""
    for message_type, topic in ((Hand3RStatus, STATUS), (PoseStamped, POSE), (HandMeshArray, HANDS)):
        node.client.record(message_type, topic)
    node.create_camera()
    node.wait_for_state('active')
    node.wait_for_subscriptions()


def show(node: RunningNode, frame: RenderedFrame, stamp_ns: int) -> tuple[np.ndarray, list[int], Hand3RStatus]:
    """Camera position and orientation, ids of the hands and status after one picture."""
    hands = {hand.side.name.lower(): tuple(float(x) for x in hand.box) for hand in frame.hands}
    node.send(frame.image, hands, stamp_ns, frame.intrinsics)
    pose = node.client.message_at(POSE, stamp_ns).pose
    ids = [hand.track_id for hand in node.client.message_at(HANDS, stamp_ns).hands]
    p, q = pose.position, pose.orientation
    status = node.client.message_at(STATUS, stamp_ns)
    return np.array([p.x, p.y, p.z, q.x, q.y, q.z, q.w]), ids, status


def test_a_restarted_node_goes_on_in_the_same_world(
    weights_dir: Path, tmp_path: Path, frames: list[RenderedFrame]
) -> None:
    states = tmp_path / 'states'
    with start(weights_dir, states) as node:
        begin(node)
        for index in range(3):
            show(node, frames[index], (index + 1) * 10**8)
        saved = node.client.call(SaveState, '/hand3r/save_state', SaveState.Request(path='rooms/kitchen'))
        assert saved.success and (saved.session_id, saved.frame_index) == (1, 3), saved.message
        pose, ids, _ = show(node, frames[3], 4 * 10**8)
        refused = node.client.call(SaveState, '/hand3r/save_state', SaveState.Request(path='../kitchen'))
        assert not refused.success and 'state_directory' in refused.message
        assert node.close() == 0
    assert [str(file.relative_to(states)) for file in states.rglob('*.safetensors')] == ['rooms/kitchen.safetensors']

    with start(weights_dir, states, state_file='rooms/kitchen.safetensors') as node:
        begin(node)
        pose_after, ids_after, status = show(node, frames[3], 4 * 10**8)
        np.testing.assert_array_equal(pose_after, pose)
        assert ids_after == ids and len(ids) > 0
        assert (status.session_id, status.frame_index, status.frames_processed) == (1, 3, 1)

        # The world is another one after a reset, until the state is loaded into the running node; a day later it
        # is still the same, though the hands are not.
        node.client.forget(STATUS)
        loaded = node.client.call(LoadState, '/hand3r/load_state', LoadState.Request(path='rooms/kitchen'))
        assert loaded.success and (loaded.session_id, loaded.frame_index) == (2, 3), loaded.message
        pose_after, ids_after, status = show(node, frames[3], DAY)
        np.testing.assert_array_equal(pose_after, pose)
        assert (status.session_id, status.frame_index) == (2, 3) and not set(ids_after) & set(ids)

        for path, reason in (('nothing', 'does not exist'), ('/etc/passwd', 'leads out'), ('a.pth', 'must end in')):
            refused = node.client.call(LoadState, '/hand3r/load_state', LoadState.Request(path=path))
            assert not refused.success and reason in refused.message
        assert show(node, frames[4], DAY + 10**8)[2].frame_index == 4
        assert node.close() == 0


def write_sparse_state(path: Path, size: int) -> None:
    """A safetensors file of ``size`` bytes that takes no room on the disk."""
    header = json.dumps({'a': {'dtype': 'U8', 'shape': [size], 'data_offsets': [0, size]}}).encode()
    with path.open('wb') as file:
        file.write(struct.pack('<Q', len(header)) + header)
        file.truncate(8 + len(header) + size)


def test_no_path_and_no_file_of_a_service_call_ends_the_node(
    weights_dir: Path, tmp_path: Path, frames: list[RenderedFrame]
) -> None:
    folder, outside = tmp_path / 'saved', tmp_path / 'outside'
    folder.mkdir()
    outside.mkdir()
    (folder / 'loop').symlink_to('pool')
    (folder / 'pool').symlink_to('loop')
    (folder / 'out').symlink_to(outside)
    os.mkfifo(folder / 'pipe.safetensors')
    write_sparse_state(folder / 'huge.safetensors', 30 * 10**9)
    nobody = [(kind, path) for kind in (SaveMap, SaveState, LoadState) for path in NOBODYS_PATHS]
    unreadable = [(LoadState, 'pipe'), (LoadState, 'huge'), (LoadState, 'nothing')]
    with start(weights_dir, folder, **{'map.directory': folder}) as node:
        begin(node)
        show(node, frames[0], 10**8)
        before = sorted(file.name for file in folder.iterdir())
        for kind, path in (*nobody, *unreadable):
            name = {SaveMap: 'save_map', SaveState: 'save_state', LoadState: 'load_state'}[kind]
            reply = node.client.call(kind, f'/hand3r/{name}', kind.Request(path=path))
            assert not reply.success and reply.message and len(reply.message) < 1000, (name, path[:50], reply)
        assert sorted(file.name for file in folder.iterdir()) == before and not list(outside.iterdir())
        assert show(node, frames[1], 2 * 10**8)[2].frame_index == 1
        assert node.close() == 0


def test_a_state_that_cannot_be_used_fails_to_configure_with_one_clear_line(weights_dir: Path, tmp_path: Path) -> None:
    (tmp_path / 'broken.safetensors').write_bytes(b'no state at all, though of some length')
    with start(weights_dir, tmp_path, state_file='broken') as node:
        node.client.wait(lambda: any('cannot configure' in line for line in node.log(40)), 'the error of autostart')
        (line,) = node.log(40)
        assert 'broken.safetensors' in line and 'damaged' in line
        assert node.state() == 'unconfigured'
        assert node.close() == 0


def test_the_first_state_may_lie_anywhere_but_those_of_services_may_not(tmp_path: Path) -> None:
    folder = tmp_path.resolve()
    parameters = NodeParameters(state_directory=str(folder), state_file='kitchen')
    assert first_state(parameters) == requested_state(parameters, 'kitchen')
    assert first_state(NodeParameters(state_file='/data/kitchen.safetensors')) == Path('/data/kitchen.safetensors')
    assert first_state(NodeParameters()) is None
    assert requested_state(parameters, 'a/b').path == folder / 'a' / 'b.safetensors'
    for requested in ('', '..', '../a', '/data/a.safetensors', 'a.pth', 'a\0'):
        with pytest.raises(ConfinedPathError):
            requested_state(parameters, requested)
    with pytest.raises(ConfinedPathError):
        first_state(NodeParameters(state_directory=str(folder), state_file='../kitchen'))
    with pytest.raises(ConfinedPathError, match='state_file'):
        first_state(NodeParameters(state_file='~nosuchuser/kitchen'))
