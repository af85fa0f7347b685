"""``hand3r-lab report`` tells of a recording what the live monitor tells of the run."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer

pytest.importorskip('rclpy')
from test_collector import CAMERA, T_WORLD_CAMERA, hand_result, header

from hand3r_lab.cli import main
from hand3r_msgs.msg import Hand3RStatus
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.node import messages, messages_hands, messages_scene, player_messages
from hand3r_ros.offline.serialization import to_cdr, type_name, type_store

STAMPS = [1_000_000_000 + 200_000_000 * index for index in range(4)]
LATENCY_NS = 150_000_000


def run_of(node: str, stamp: int, with_images: bool) -> list[tuple[str, int, object]]:
    """What a node, its camera and the ground truth send for one image: topic, time of arrival, message."""
    hand = hand_result(HandSide.RIGHT, (5.0, 5.0, 40.0, 40.0))
    image = np.full((CAMERA.height, CAMERA.width, 3), 90, np.uint8)
    camera, world = header('camera', stamp), header('world', stamp)
    late = stamp + LATENCY_NS
    sent = [
        ('/camera_info', stamp, messages_scene.camera_info(camera, CAMERA)),
        ('/ground_truth/hands', stamp, messages_hands.hand_mesh_array(camera, [hand], 'open_hand', in_world=False)),
        ('/ground_truth/camera_pose', stamp, messages.pose_stamped(header('scene', stamp), T_WORLD_CAMERA)),
        (f'{node}/camera_pose', late, messages.pose_stamped(world, T_WORLD_CAMERA)),
        (f'{node}/hands', late, messages_hands.hand_mesh_array(world, [hand], 'open_hand', in_world=True)),
        (f'{node}/status', late, Hand3RStatus(header=camera, frames_received=5, frames_processed=4, frames_dropped=1)),
    ]
    if with_images:
        sent.insert(0, ('/image/compressed', stamp, player_messages.jpeg_image(camera, image, 90)))
    return sent


def write(path: Path, sent: list[tuple[str, int, object]]) -> Path:
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connections = {}
        for topic, arrival, message in sent:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, type_name(type(message)), typestore=type_store())
            writer.write(connections[topic], arrival, to_cdr(message))
    return path


def recorded(path: Path, nodes: tuple[str, ...] = ('/hand3r',), with_images: bool = True) -> Path:
    return write(path, [item for stamp in STAMPS for node in nodes for item in run_of(node, stamp, with_images)])


def test_numbers_and_picture_of_a_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording = recorded(tmp_path / 'recording')
    assert main(['report', str(recording), '--out', str(tmp_path / 'out')]) == 0
    text = capsys.readouterr().out
    assert '4 in 0.6 s' in text and '4, dropped 1, rejected 0' in text and 'p50 150 ms' in text
    numbers = json.loads((tmp_path / 'out' / 'summary.json').read_text())
    assert numbers['results'] == 4
    assert numbers['accuracy']['matched_hands'] == 4
    assert numbers['accuracy']['c_mpjpe'] == pytest.approx(0.0, abs=1e-6)
    assert cv2.imread(str(tmp_path / 'out' / 'picture.png')).std() > 5.0


def test_without_images_there_is_no_picture_but_all_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording = recorded(tmp_path / 'recording', with_images=False)
    assert main(['report', str(recording)]) == 0
    assert 'not recorded' in capsys.readouterr().out
    folder = tmp_path / 'recording_report'
    assert (folder / 'summary.json').is_file() and not (folder / 'picture.png').exists()


def test_of_several_nodes_one_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording = recorded(tmp_path / 'recording', nodes=('/left', '/right'))
    out = ['--out', str(tmp_path / 'out')]
    assert main(['report', str(recording), *out]) == 1
    assert 'choose one with --node: /left, /right' in capsys.readouterr().err
    assert main(['report', str(recording), '--node', 'left', *out]) == 0
    assert main(['report', str(recording), '--node', '/none', *out]) == 1
    assert 'there are /left, /right' in capsys.readouterr().err


def test_a_recording_of_something_else_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = [item for item in run_of('/hand3r', STAMPS[0], True) if item[0] in ('/image/compressed', '/camera_info')]
    assert main(['report', str(write(tmp_path / 'images', images))]) == 1
    assert 'record the outputs of the node as well' in capsys.readouterr().err
    assert main(['report', str(tmp_path / 'absent')]) == 1
    assert 'absent' in capsys.readouterr().err
