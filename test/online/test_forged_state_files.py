"""Files that somebody made: refused before they cost memory, and never taken up unless the next image can run.

Their checksum is right, because it has no key.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from session_helpers import state_of
from truth_network import make_reconstructor, play

from hand3r_ros.files import ConfinedFile
from hand3r_ros.online.config import GeometricPoseConfig, MapConfig, SmoothingConfig
from hand3r_ros.online.reconstructor import OnlineReconstructor
from hand3r_ros.online.session_memory import SessionMemory
from hand3r_ros.online.state_file import StateFileError, write_state

SETTINGS: dict[str, Any] = {
    'smoothing': SmoothingConfig(enabled=True),
    'map': MapConfig(min_confidence=1.0, max_points=3000, voxel_size=0.02),
}


@pytest.fixture
def running(two_hands) -> OnlineReconstructor:
    reconstructor = make_reconstructor(pose_source='geometric', **SETTINGS)
    play(reconstructor, two_hands[:3])
    return reconstructor


def assert_refused(reconstructor: OnlineReconstructor, path: Path | ConfinedFile, message: str) -> None:
    """With one line of moderate length; and everything is as before."""
    before = state_of(reconstructor)
    with pytest.raises(StateFileError, match=message) as raised:
        reconstructor.load_state(path)
    assert str(path) in str(raised.value) and len(str(raised.value)) < 600
    assert state_of(reconstructor) == before


def memory_of(reconstructor: OnlineReconstructor) -> SessionMemory:
    return reconstructor.snapshot()


def write_forged(path: Path, reconstructor: OnlineReconstructor, memory: SessionMemory) -> None:
    write_state(path, memory, reconstructor.owner())


def checksum(header: str, tensors: dict[str, torch.Tensor]) -> str:
    digest = hashlib.sha256(header.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f'{name} {tensor.dtype} {list(tensor.shape)}'.encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def edit(path: Path, change: Callable[[Any, dict[str, torch.Tensor]], str | None]) -> None:
    """Changes the header, as JSON or as the text that ``change`` gives, and the tensors of a file."""
    with safe_open(path, framework='pt') as file:
        content = json.loads(file.metadata()['hand3r_ros_session'])
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 (not a mapping)
    header = change(content, tensors) or json.dumps(content)
    save_file(tensors, path, metadata={'hand3r_ros_session': header, 'sha256': checksum(header, tensors)})


def write_sparse(path: Path, header: Any, size: int) -> None:
    """A file of ``size`` bytes of data that takes no room on the disk."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    with path.open('wb') as file:
        file.write(struct.pack('<Q', len(text)) + text)
        file.truncate(8 + len(text) + size)


def sparse_tensor(dtype: str, shape: list[int], itemsize: int) -> dict[str, Any]:
    return {'dtype': dtype, 'shape': shape, 'data_offsets': [0, int(np.prod(shape)) * itemsize]}


HUGE = 30 * 10**9
METADATA = {'hand3r_ros_session': '{}', 'sha256': ''}


@pytest.mark.parametrize(
    ('header', 'message'),
    [
        ({'a': sparse_tensor('U8', [HUGE], 1)}, 'not one with a saved session'),
        ({'__metadata__': METADATA, 'a': sparse_tensor('U8', [HUGE], 1)}, "'a' is torch.uint8.*which no session has"),
        ({'__metadata__': METADATA, 'map.keys': sparse_tensor('I64', [HUGE // 8], 8)}, 'at most 1000000 are taken'),
        ({'__metadata__': METADATA, 'map.keys': sparse_tensor('F64', [HUGE // 8], 8)}, 'expected torch.int64'),
        ({'__metadata__': METADATA, 'pose.gray': sparse_tensor('U8', [HUGE], 1)}, 'bytes beside its map'),
        ({'__metadata__': METADATA}, r'has 300000\d+ bytes, its header speaks of'),
    ],
)
def test_a_file_of_thirty_gigabytes_is_refused_by_its_header(running, tmp_path, header, message):
    write_sparse(tmp_path / 'huge.safetensors', header, HUGE)
    assert_refused(running, tmp_path / 'huge.safetensors', message)


@pytest.mark.parametrize(
    ('header', 'message'),
    [
        (b'[' * 200_000, 'cannot be understood'),
        (b'{"a":' * 100_000, 'cannot be understood'),
        (b'[]', 'no JSON object'),
        (b'{"__metadata__": 3}', 'metadata'),
        (b'{"a": {}}', 'not described as a tensor'),
        (b'{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, -4]}}', 'not described as a tensor'),
        (b'{"a": {"dtype": "F32", "shape": [true], "data_offsets": [0, 4]}}', 'not described as a tensor'),
        (b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}', 'not described as a tensor'),
        (b'{"a": {"dtype": "C64", "shape": [1], "data_offsets": [0, 4]}}', 'not described as a tensor'),
        (
            b'{"a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]},'
            b'"b": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}',
            'overlap',
        ),
        (b'{"a": {"dtype": "U8", "shape": [4], "data_offsets": [4, 8]}}', 'gaps'),
        (b'{"' + b'a' * 1_000_000 + b'": {}}', 'not described as a tensor'),
        (b' ' * (5 * 2**20), 'cannot have a header of'),
        (b'\xff\xfe', 'cannot be understood'),
        (b'9' * 10_000, 'cannot be understood|no JSON object'),
    ],
)
def test_headers_that_make_no_sense_are_refused(running, tmp_path, header, message):
    write_sparse(tmp_path / 'a.safetensors', header, 4)
    assert_refused(running, tmp_path / 'a.safetensors', message)


def test_a_session_of_nested_lists_is_refused(running, tmp_path):
    path = tmp_path / 'deep.safetensors'
    for header in ('[' * 200_000, '[' * 200_000 + ']' * 200_000, '{"format":1,"memory":' * 50_000):
        running.save_state(path)
        edit(path, lambda content, tensors, text=header: text)
        assert_refused(running, path, 'cannot be understood')


def without_fields(memory: SessionMemory) -> dict[str, SessionMemory]:
    """By message: memories of the right types whose values no session has."""
    session, scene = memory.session, memory.session.scene
    hand, track = session.previous_hands[0], memory.tracker.tracks[0]
    track_id, filters = next(iter(memory.smoother.items()))
    tracker, pose, propagation = memory.tracker, memory.pose, memory.propagation
    assert propagation is not None and len(memory.map.keys) and 'gray' in pose

    def with_session(**changes: Any) -> SessionMemory:
        return replace(memory, session=replace(session, **changes))

    def with_hand(**changes: Any) -> SessionMemory:
        return with_session(previous_hands=(replace(hand, **changes), *session.previous_hands[1:]))

    def with_track(**changes: Any) -> SessionMemory:
        return replace(memory, tracker=replace(tracker, tracks=(replace(track, **changes),)))

    def with_map(**changes: Any) -> SessionMemory:
        return replace(memory, map=replace(memory.map, **changes))

    def with_pose(**changes: Any) -> SessionMemory:
        return replace(memory, pose={**pose, **changes})

    def edited(array: np.ndarray, value: float) -> np.ndarray:
        array = array.copy()
        array.flat[0] = value
        return array

    nan = float('nan')
    scaled = pose['T_world_camera'] * 2.0
    return {
        'session_id is 0': with_session(session_id=0),
        'session_id is 2147483647': with_session(session_id=2**31 - 1),
        'frame_index is -1': with_session(frame_index=-1),
        'chunk_frames is -5': with_session(chunk_frames=-5),
        'two of its hands have the same id': with_session(previous_hands=(hand, hand)),
        'a hand has the id -3': with_hand(track_id=-3),
        'a hand has the id 2147483648': with_hand(track_id=2**31),
        'a hand has the score 7': with_hand(score=7.0),
        'vertices_world of a hand is not finite': with_hand(vertices_world=edited(hand.vertices_world, nan)),
        'T_world_wrist of a hand is not finite': with_hand(T_world_wrist=edited(hand.T_world_wrist, nan)),
        'tokens is not finite': with_session(scene=replace(scene, tokens=scene.tokens * nan)),
        'memory is .* instead of': with_session(scene=replace(scene, memory=scene.memory[:, :-1])),
        'positions are others': with_session(scene=replace(scene, positions=scene.positions + 10**9)),
        'the next id of a hand is 0': replace(memory, tracker=replace(tracker, next_id=0)),
        'the next id of a hand is 2147483647': replace(memory, tracker=replace(tracker, next_id=2**31 - 1)),
        r'tracked hands have the ids \[-1\]': with_track(track_id=-1),
        r'tracked hands have the ids \[999\]': with_track(track_id=999),
        'the detector id -2': with_track(detector_id=-2),
        'box, velocity or wrist position': with_track(wrist_world=edited(track.wrist_world, nan)),
        'velocity or wrist position that': with_track(velocity=edited(track.velocity, nan)),
        'a smoothed hand has values': replace(
            memory, smoother={track_id: replace(filters, velocity=edited(filters.velocity, nan))}
        ),
        'no unit quaternion': replace(memory, smoother={track_id: replace(filters, rotation=np.zeros(4))}),
        'focal length': replace(memory, focal_lengths=(500.0, -1.0)),
        'asked -1 frames ago': replace(memory, propagation=replace(propagation, frames_since_detector=-1)),
        'centre of a hand': replace(memory, propagation=replace(propagation, centres={1: np.array([nan, 0.0])})),
        'arrays of shapes': with_map(counts=memory.map.counts[:-1]),
        'voxels of 0 m': with_map(voxel_size=0.0),
        'voxels of -1 m': with_map(voxel_size=-1.0),
        'and -1 frames': with_map(frame=-1),
        'and 2147483647 frames': with_map(frame=2**31 - 1),
        'a voxel twice': with_map(keys=np.zeros_like(memory.map.keys)),
        'or nowhere': with_map(keys=edited(memory.map.keys, -1)),
        'point that is not finite': with_map(points=edited(memory.map.points, nan)),
        'colours beyond': with_map(colors=edited(memory.map.colors, nan)),
        'colours beyond 0': with_map(colors=edited(memory.map.colors, 1e30)),
        'never seen': with_map(counts=edited(memory.map.counts, 0)),
        'in a frame to come': with_map(last_seen=edited(memory.map.last_seen, 2**31 - 1)),
        'no transform T_world_camera': with_pose(T_world_camera=scaled),
        'does not hold the gray': with_pose(gray=pose['gray'][0]),
        'no last image': with_pose(gray=pose['gray'][:0]),
        'rays in the memory of the camera pose is not finite': with_pose(rays=edited(pose['rays'], nan)),
        'in the memory of the camera pose has the wrong shape': with_pose(pixels=pose['pixels'][:-1]),
        'or counts below zero': with_pose(counts=-pose['counts'] - 1),
        r'no image could be processed after it \(error': with_pose(gray=pose['gray'][:-16]),
    }


def test_values_that_no_session_has_are_named(running, two_hands, tmp_path):
    path = tmp_path / 'a.safetensors'
    for message, memory in without_fields(memory_of(running)).items():
        write_forged(path, running, memory)
        assert_refused(running, path, f'cannot be used.*{message}')
    assert play(running, two_hands[3:4], start=3)[0].frame_index == 3


def test_images_of_impossible_sizes_are_refused(running, tmp_path):
    path = tmp_path / 'a.safetensors'
    memory = memory_of(running)
    for sides in ((10**9, 10**9), (0, 0), (-448, 320)):
        write_forged(path, running, replace(memory, session=replace(memory.session, resolution=sides)))
        assert_refused(make_reconstructor(pose_source='geometric', **SETTINGS), path, 'its images have')


@pytest.mark.parametrize(
    ('name', 'shape'),
    [
        ('session.previous_hands.0.keypoints_image', (21,)),
        ('session.previous_hands.0.keypoints_image', (21, 3)),
        ('session.previous_hands.0.vertices_camera', (777, 3)),
        ('session.previous_hands.0.box', ()),
        ('session.scene.tokens', (1,)),
        ('tracker.tracks.0.wrist_world', (4,)),
        ('map.points', (3,)),
        ('pose.gray', (1, 1, 1, 1, 1)),
    ],
)
def test_tensors_of_wrong_ranks_are_refused(running, tmp_path, name, shape):
    path = tmp_path / 'a.safetensors'
    running.save_state(path)

    def change(content: Any, tensors: dict[str, torch.Tensor]) -> None:
        tensors[name] = torch.zeros(shape, dtype=tensors[name].dtype)

    edit(path, change)
    assert_refused(running, path, rf'edited.*{name}.* is torch\.\w+ \[.*\], expected torch')


def test_names_numbers_and_types_that_do_not_belong_there_are_refused(running, tmp_path):
    path = tmp_path / 'a.safetensors'
    name = 'session.previous_hands.0.box'

    def retyped(content: Any, tensors: dict[str, torch.Tensor]) -> None:
        tensors[name] = tensors[name].to(torch.int32)

    def renamed(content: Any, tensors: dict[str, torch.Tensor]) -> None:
        tensors['session.previous_hands.0.crate'] = tensors.pop(name)

    def added(content: Any, tensors: dict[str, torch.Tensor]) -> None:
        tensors['session.previous_hands.77.box'] = torch.zeros(4)

    def removed(content: Any, tensors: dict[str, torch.Tensor]) -> None:
        del tensors[name]

    def long_detector_id(content: Any, tensors: dict[str, torch.Tensor]) -> None:
        content['memory']['tracker']['tracks'][0]['detector_id'] = 2**64

    def infinite(content: Any, tensors: dict[str, torch.Tensor]) -> None:
        content['memory']['session']['previous_hands'][0]['score'] = float('nan')

    def no_side(content: Any, tensors: dict[str, torch.Tensor]) -> None:
        content['memory']['session']['previous_hands'][0]['side'] = 2

    def many(content: Any, tensors: dict[str, torch.Tensor]) -> None:
        tensors.update({f'smoother.{index}.position': torch.zeros(3) for index in range(6000)})

    for change, message in (
        (retyped, 'expected torch.float32 or torch.float64'),
        (renamed, 'which no session has'),
        (added, "nothing is said about its tensor 'session.previous_hands.77.box'"),
        (removed, f'{name} has no tensor'),
        (long_detector_id, 'detector_id has more than 64 bits'),
        (infinite, 'score is not finite'),
        (no_side, '2 is not a valid HandSide'),
        (many, 'at most 5000 are taken'),
    ):
        running.save_state(path)
        edit(path, change)
        assert_refused(running, path, message)


def test_a_map_larger_than_this_reconstructor_may_keep_says_what_to_raise(running, tmp_path):
    path = tmp_path / 'a.safetensors'
    running.save_state(path)

    def change(content: Any, tensors: dict[str, torch.Tensor]) -> None:
        for name in ('keys', 'points', 'colors', 'counts', 'last_seen'):
            one = tensors[f'map.{name}'][:1]
            tensors[f'map.{name}'] = one.expand(1_000_001, *one.shape[1:]).contiguous()

    edit(path, change)
    assert_refused(running, path, r'1000001 voxels.*raise map\.max_points')


def test_a_session_after_which_every_image_would_fail_is_not_taken_up(two_hands, tmp_path):
    """Whatever the reason: here features are followed in images of another size."""
    path = tmp_path / 'a.safetensors'
    saved = make_reconstructor(pose_source='geometric', **SETTINGS)
    play(saved, two_hands[:2])
    saved.save_state(path)
    other = make_reconstructor(
        pose_source='geometric', geometric_pose=GeometricPoseConfig(tracking_long_side=128), **SETTINGS
    )
    play(other, two_hands[:2])
    assert_refused(other, path, 'no image could be processed after it')
    assert play(other, two_hands[2:3], start=2)[0].frame_index == 2


def test_pipes_and_links_are_no_state_files(running, tmp_path):
    os.mkfifo(tmp_path / 'pipe.safetensors')
    running.save_state(tmp_path / 'real.safetensors')
    (tmp_path / 'link.safetensors').symlink_to('real.safetensors')
    assert_refused(running, tmp_path / 'pipe.safetensors', 'not a regular file')
    assert_refused(running, ConfinedFile(tmp_path, ('link.safetensors',)), 'cannot be read')
    running.load_state(ConfinedFile(tmp_path, ('real.safetensors',)))
