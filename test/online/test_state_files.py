"""A saved session goes on as if it had never stopped; a file that does not fit is refused and changes nothing."""

from __future__ import annotations

import functools
import pickle
from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from session_helpers import half_size, state_of
from truth_network import TruthNetwork, camera_frame, make_reconstructor, play

from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset
from hand3r_ros.online.config import MapConfig, SmoothingConfig
from hand3r_ros.online.reconstructor import OnlineReconstructor
from hand3r_ros.online.results import FrameResult, StageSeconds
from hand3r_ros.online.session_memory import SessionMemory
from hand3r_ros.online.state_codec import decode, encode
from hand3r_ros.online.state_file import StateFileError, read_state

SETTINGS = {
    'smoothing': SmoothingConfig(enabled=True),
    'map': MapConfig(min_confidence=1.0, max_points=3000, voxel_size=0.02),
    'reset_interval': 4,
    'state_update': 'ttt3r',
}


@functools.cache
def network(seed: int = 0) -> Hand3R:
    torch.manual_seed(seed)
    return Hand3R(preset('tiny')).eval()


def some_frames(two_hands, first: int, last: int):
    """Calibrated ones and others, with detections and without, with known poses."""
    for index in range(first, last):
        changes = {'intrinsics': None} if index % 3 == 1 else {}
        if index % 4 == 3:
            changes['detections'] = None
        rendered = two_hands[index % len(two_hands)]
        yield camera_frame(rendered, index, T_world_camera=rendered.T_world_camera, **changes)


def assert_same(found, expected, name: str = 'result') -> None:
    """Equal to the last bit, all the way down."""
    if is_dataclass(expected):
        for field in fields(expected):
            if field.type not in ('StageSeconds', StageSeconds):
                assert_same(getattr(found, field.name), getattr(expected, field.name), f'{name}.{field.name}')
    elif isinstance(expected, np.ndarray):
        np.testing.assert_array_equal(found, expected, err_msg=name)
        assert found.dtype == expected.dtype, name
    elif isinstance(expected, torch.Tensor):
        assert torch.equal(found, expected), name
    elif isinstance(expected, tuple):
        assert len(found) == len(expected), name
        for index, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_same(one, other, f'{name}[{index}]')
    else:
        assert found == expected, name


@pytest.mark.parametrize('source', ['network', 'geometric', 'tf'])
def test_after_loading_every_frame_is_as_if_it_had_never_stopped(two_hands, tmp_path, source):
    path = tmp_path / 'states' / 'kitchen.safetensors'
    kept_on = make_reconstructor(network(), pose_source=source, **SETTINGS)
    for frame in some_frames(two_hands, 0, 6):
        kept_on.process(frame)
    kept_on.save_state(path)
    loaded = make_reconstructor(network(), pose_source=source, **SETTINGS)
    loaded.load_state(path)
    assert (loaded.session_id, loaded.reset_reason) == (1, f'continued from {path}')
    assert_same(loaded.map.memory(), kept_on.map.memory())
    hands = 0
    for frame in some_frames(two_hands, 6, 11):
        result = loaded.process(frame)
        assert_same(result, kept_on.process(frame))
        hands += len(result.hands)
    assert hands and isinstance(result, FrameResult)
    assert_same(loaded.map.memory(), kept_on.map.memory())
    assert_same(loaded.snapshot().session.scene, kept_on.snapshot().session.scene)
    assert [file.name for file in path.parent.iterdir()] == ['kitchen.safetensors']


def test_a_session_without_frames_can_be_saved_too(two_hands, tmp_path):
    make_reconstructor().save_state(tmp_path / 'new.safetensors')
    reconstructor = make_reconstructor()
    reconstructor.load_state(tmp_path / 'new.safetensors')
    assert play(reconstructor, two_hands[:1])[0].frame_index == 0


def saved(two_hands, path: Path, frames: int = 3, **settings) -> OnlineReconstructor:
    """A reconstructor whose session was saved after some frames of known truth."""
    reconstructor = make_reconstructor(**settings)
    play(reconstructor, two_hands[:frames])
    reconstructor.save_state(path)
    return reconstructor


def test_the_world_goes_on_whatever_time_has_passed(two_hands, tmp_path):
    path = tmp_path / 'a.safetensors'
    before = saved(two_hands, path)
    expected = play(before, two_hands[3:4], start=3)[0]
    ids = {hand.track_id for hand in expected.hands}
    for start in (3, 100_000, 0):  # at once, hours later, and with a clock that was set back
        later = make_reconstructor()
        later.load_state(path)
        result = play(later, two_hands[3:4], start=start)[0]
        assert (result.session_id, result.frame_index) == (1, 3)
        np.testing.assert_array_equal(result.T_world_camera, expected.T_world_camera)
        assert len(later.map) == len(before.map)
        assert ({hand.track_id for hand in result.hands} == ids) == (start == 3)
        assert play(later, two_hands[4:5], start=start + 1)[0].session_id == 1
        assert play(later, two_hands[5:6], start=start + 500)[0].session_id == 2  # a gap counts again


def test_without_a_pause_the_next_stamp_means_what_it_says(two_hands, tmp_path):
    path = tmp_path / 'a.safetensors'
    saved(two_hands, path)
    for start, session_id in ((3, 1), (100_000, 2), (0, 2)):
        next_frame = make_reconstructor()
        next_frame.load_state(path, after_a_pause=False)
        assert play(next_frame, two_hands[3:4], start=start)[0].session_id == session_id


def test_loading_into_a_session_that_runs_begins_another_one(two_hands, tmp_path):
    path = tmp_path / 'a.safetensors'
    expected = play(saved(two_hands, path), two_hands[3:4], start=3)[0]
    running = make_reconstructor()
    ids = {hand.track_id for hand in play(running, two_hands[6:9])[-1].hands}
    running.load_state(path)
    result = play(running, two_hands[3:4], start=3)[0]
    assert (result.session_id, result.frame_index) == (2, 3)
    np.testing.assert_array_equal(result.T_world_camera, expected.T_world_camera)
    running.reset('asked for')
    result = play(running, two_hands[:1])[0]
    assert result.session_id == 3 and not ids & {hand.track_id for hand in result.hands}


def test_another_image_size_is_refused_or_begins_a_new_session(two_hands, tmp_path):
    path = tmp_path / 'a.safetensors'
    saved(two_hands, path)
    small = make_reconstructor()
    play(small, [half_size(two_hands[0])])
    assert_refused(small, path, r'images of \(448, 320\) pixels, not \(224, 160\)')
    unused = make_reconstructor()
    unused.load_state(path)
    assert play(unused, [half_size(two_hands[0])], start=3)[0].session_id == 2


def test_a_map_of_other_voxels_begins_empty(two_hands, tmp_path):
    path = tmp_path / 'a.safetensors'
    saved(two_hands, path)
    other = make_reconstructor(map=MapConfig(voxel_size=0.05, min_confidence=2.0))
    other.load_state(path)
    assert len(other.map) == 0
    smaller = make_reconstructor(map=MapConfig(min_confidence=2.0, max_points=500))
    smaller.load_state(path)
    assert 0 < len(smaller.map) <= 500
    for reconstructor in (other, smaller):
        assert play(reconstructor, two_hands[3:4], start=3)[0].frame_index == 3


def assert_refused(reconstructor: OnlineReconstructor, path: Path, message: str) -> None:
    before = state_of(reconstructor)
    with pytest.raises(StateFileError, match=message) as raised:
        reconstructor.load_state(path)
    assert path.name in str(raised.value)
    assert state_of(reconstructor) == before


def test_states_of_other_networks_and_settings_are_named(two_hands, tmp_path):
    path = tmp_path / 'a.safetensors'
    saved(two_hands, path)
    for other, message in (
        (make_reconstructor(preset='full'), "preset 'tiny' instead of 'full'"),
        (make_reconstructor(TruthNetwork(fusion=False)), 'config_hash'),
        (make_reconstructor(network()), 'weights'),
        (make_reconstructor(pose_source='tf'), "pose_source 'network' instead of 'tf'"),
    ):
        assert_refused(other, path, message)
    one = make_reconstructor(network(0))
    one.save_state(path)
    assert_refused(make_reconstructor(network(1)), path, r'weights .* load it with those it was saved with')


def test_damaged_and_foreign_files_are_named_and_change_nothing(two_hands, tmp_path):
    path = tmp_path / 'a.safetensors'
    saved(two_hands, path)
    whole = path.read_bytes()
    reconstructor = make_reconstructor()
    play(reconstructor, two_hands[:2])
    damaged = tmp_path / 'damaged.safetensors'
    for length in (0, 7, 100, len(whole) // 2, len(whole) - 1):
        damaged.write_bytes(whole[:length])
        assert_refused(reconstructor, damaged, 'damaged')
    for place in np.linspace(len(whole) // 3, len(whole) - 1, 12).astype(int):
        flipped = bytearray(whole)
        flipped[place] ^= 0x10
        damaged.write_bytes(flipped)
        assert_refused(reconstructor, damaged, 'damaged')
    damaged.write_bytes(pickle.dumps({'state': [1, 2, 3]}))
    assert_refused(reconstructor, damaged, 'damaged, edited or no state file')
    save_file({'a': torch.zeros(3)}, damaged)
    assert_refused(reconstructor, damaged, 'not one with a saved session')
    damaged.unlink()
    assert_refused(reconstructor, damaged, 'does not exist')
    damaged.mkdir()
    assert_refused(reconstructor, damaged, 'cannot be read: Is a directory')
    assert play(reconstructor, two_hands[2:3], start=2)[0].frame_index == 2


def test_a_failed_save_leaves_the_old_file(two_hands, tmp_path, full_disk):
    path = tmp_path / 'a.safetensors'
    reconstructor = saved(two_hands, path)
    whole = path.read_bytes()
    with full_disk(len(whole) // 2), pytest.raises(OSError, match='too large'):
        reconstructor.save_state(path)
    assert path.read_bytes() == whole
    assert [file.name for file in tmp_path.iterdir()] == ['a.safetensors']


def test_what_is_written_is_checked_against_its_type(two_hands, tmp_path):
    reconstructor = saved(two_hands, tmp_path / 'a.safetensors')
    memory = reconstructor.snapshot()
    tensors: dict[str, torch.Tensor] = {}
    tree = encode(memory, tensors)
    assert_same(decode(SessionMemory, tree, tensors).session, memory.session)
    for part, value, message in (
        (('session', 'frame_index'), 'three', "session.frame_index is 'three', which is no int"),
        (('session', 'resolution'), [1, 2, 3], 'session.resolution has 3 items instead of 2'),
        (('session', 'scene'), {}, 'session.scene does not have the fields'),
        (('map', 'points'), {'tensor': 'nowhere'}, 'map.points has no tensor'),
        (('map', 'points'), {'tensor': 'map.colors'}, 'map.points has no tensor'),
        (('session', 'frame_index'), 2**63, 'session.frame_index has more than 64 bits'),
        (('session', 'frame_index'), True, 'session.frame_index is True, which is no int'),
        (('map', 'voxel_size'), float('inf'), 'map.voxel_size is not finite'),
        (('session', 'reason'), 'x' * 1001, 'session.reason is a text of 1001 characters'),
        (('session', 'reason'), [[[[[[[[]]]]]]]], r'session.reason is \[\[\[.*, which is no str'),
        (('smoother',), [[1, None], [1, None]], 'smoother'),
        (('smoother',), [[1]], 'smoother is no list of pairs'),
    ):
        changed = encode(memory, {})
        holder = changed
        for name in part[:-1]:
            holder = holder[name]
        holder[part[-1]] = value
        with pytest.raises(ValueError, match=message):
            decode(SessionMemory, changed, tensors)
    with pytest.raises(StateFileError, match='does not exist'):
        read_state(tmp_path / 'none.safetensors', reconstructor.owner(), 1000)
