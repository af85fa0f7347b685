"""Camera poses of all sources against the rendered path, in the published world."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from truth_network import TruthNetwork, make_reconstructor, play

from hand3r_lab.scenes.sequence import SceneConfig, Sequence
from hand3r_ros.geometry import R_BODY_OPTICAL, invert_transform, make_transform, rotation_angle
from hand3r_ros.online.camera_pose import first_camera_in_world
from hand3r_ros.online.config import IDENTITY_POSE, GeometricPoseConfig
from hand3r_ros.online.errors import FrameRejected
from hand3r_ros.online.geometric_pose import GeometricPose
from hand3r_ros.online.results import TrackingState


def true_path(frames, initial=IDENTITY_POSE):
    T_first_scene = invert_transform(frames[0].T_world_camera)
    return [first_camera_in_world(initial) @ T_first_scene @ frame.T_world_camera for frame in frames]


def errors(results, frames):
    """Metres and degrees per frame."""
    path = true_path(frames)
    metres = [np.linalg.norm((r.T_world_camera - T)[:3, 3]) for r, T in zip(results, path, strict=True)]
    turns = [rotation_angle(T[:3, :3].T @ r.T_world_camera[:3, :3]) for r, T in zip(results, path, strict=True)]
    return np.array(metres), np.rad2deg(turns)


def test_the_first_camera_looks_along_x_of_the_world(two_hands):
    T = play(make_reconstructor(), two_hands[:1])[0].T_world_camera
    assert np.allclose(T, make_transform(R_BODY_OPTICAL, np.zeros(3)))
    assert np.allclose(T[:3, :3] @ [0, 0, 1], [1, 0, 0])


def test_the_networks_poses_are_published_in_the_first_cameras_world(two_hands):
    metres, degrees = errors(play(make_reconstructor(), two_hands), two_hands)
    assert metres.max() < 1e-5
    assert degrees.max() < 1e-3


def test_a_first_pose_that_is_not_identity_is_taken_out(two_hands):
    network = TruthNetwork()
    offset = make_transform(Rotation.from_rotvec([0.1, -0.2, 0.05]).as_matrix(), [0.1, 0.0, -0.2])
    step = network.step

    def shifted(state, frame, boxes, dense=frozenset(), scene=None):
        if not state.started:
            network.T_first_world = offset @ invert_transform(network.frame.T_world_camera)
        return step(state, frame, boxes, dense)

    network.step = shifted
    metres, degrees = errors(play(make_reconstructor(network), two_hands), two_hands)
    assert metres.max() < 1e-5
    assert degrees.max() < 1e-3


def test_the_initial_pose_moves_the_whole_world(two_hands):
    initial = (1.0, 2.0, 3.0, 0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5))  # turned left by 90 degrees
    results = play(make_reconstructor(initial_camera_pose=initial), two_hands)
    assert np.allclose(results[0].T_world_camera[:3, 3], [1.0, 2.0, 3.0])
    assert np.allclose(results[0].T_world_camera[:3, :3] @ [0, 0, 1], [0, 1, 0], atol=1e-9)
    for result, T in zip(results, true_path(two_hands, initial), strict=True):
        assert np.allclose(result.T_world_camera, T, atol=1e-5)


def test_given_poses_are_taken_as_they_are_and_held_while_missing(two_hands):
    reconstructor = make_reconstructor(pose_source='tf')
    T = make_transform(Rotation.from_rotvec([0.3, 0.2, 0.1]).as_matrix(), [4.0, 5.0, 6.0])
    first = play(reconstructor, two_hands[:1], T_world_camera=T)[0]
    assert np.array_equal(first.T_world_camera, T)
    assert first.state == TrackingState.OK
    points = len(reconstructor.map)
    second = play(reconstructor, two_hands[1:2], start=1)[0]
    assert np.array_equal(second.T_world_camera, T)
    assert second.state == TrackingState.LOST
    assert len(reconstructor.map) == points  # nothing is mapped from a place that is not known


def test_given_poses_must_come_at_least_once(two_hands):
    reconstructor = make_reconstructor(pose_source='tf')
    with pytest.raises(FrameRejected, match="pose_source is 'tf' but no frame had a camera pose"):
        play(reconstructor, two_hands[:1])
    assert play(reconstructor, two_hands[:1], T_world_camera=np.eye(4))[0].frame_index == 0


@pytest.fixture(scope='module')
def moving_camera():
    sequence = Sequence(9, SceneConfig(width=640, height=480, frames=15, fps=15.0, hands='both', camera='egocentric'))
    return [sequence.frame(i) for i in range(len(sequence))]


def test_geometric_poses_follow_the_camera_while_hands_move(moving_camera):
    results = play(make_reconstructor(pose_source='geometric'), moving_camera)
    metres, degrees = errors(results, moving_camera)
    moved = np.linalg.norm(moving_camera[-1].T_world_camera[:3, 3] - moving_camera[0].T_world_camera[:3, 3])
    assert moved > 0.03
    assert metres.max() < 0.2 * moved + 0.005
    assert degrees.max() < 1.0
    assert {result.state for result in results} == {TrackingState.OK}


def test_dropped_frames_do_not_lose_the_camera():
    sequence = Sequence(9, SceneConfig(width=640, height=480, frames=31, fps=15.0, hands='both', camera='egocentric'))
    frames = [sequence.frame(i) for i in range(0, len(sequence), 5)]  # up to 20 degrees from one to the next
    results = play(make_reconstructor(pose_source='geometric'), frames)
    metres, degrees = errors(results, frames)
    assert {result.state for result in results} == {TrackingState.OK}
    assert metres.max() < 0.08
    assert degrees.max() < 5.0


def blank(frame):
    return replace(frame, image=np.full_like(frame.image, 90))


def test_a_covered_camera_is_reported_lost_and_found_again(moving_camera):
    reconstructor = make_reconstructor(pose_source='geometric')
    frames = list(moving_camera[:9])
    frames[5], frames[6] = blank(frames[5]), blank(frames[6])
    results = play(reconstructor, frames)
    states = [result.state for result in results]
    assert states == [TrackingState.OK] * 5 + [TrackingState.LOST] * 2 + [TrackingState.OK] * 2
    assert np.array_equal(results[6].T_world_camera, results[4].T_world_camera)
    metres, _ = errors(results, moving_camera[:9])
    assert metres[-1] < 0.02


def test_a_camera_that_stays_lost_starts_anew_from_its_last_pose(moving_camera):
    reconstructor = make_reconstructor(pose_source='geometric')
    play(reconstructor, moving_camera[:3])
    for index in range(20):
        play(reconstructor, [blank(moving_camera[3])], start=3 + index)
    state = [play(reconstructor, [moving_camera[3]], start=30 + i)[0].state for i in range(20)]
    assert TrackingState.OK in state


def test_a_featureless_start_is_not_fatal(moving_camera):
    reconstructor = make_reconstructor(pose_source='geometric', geometric_pose=GeometricPoseConfig(max_features=100))
    results = play(reconstructor, [blank(moving_camera[0])] * 3)
    assert results[-1].state == TrackingState.LOST


def followed(moving_camera) -> dict[str, np.ndarray]:
    """The memory of tracks after a few frames."""
    reconstructor = make_reconstructor(pose_source='geometric')
    play(reconstructor, moving_camera[:8])
    return dict(reconstructor.snapshot().pose)


def test_tracks_go_on_from_a_memory_as_if_nothing_had_happened(moving_camera, monkeypatch):
    memory = followed(moving_camera)
    assert memory['past_pixels'].shape[1:] == (len(memory['pixels']), 2) and len(memory['past_poses']) >= 2
    observations = []
    update = GeometricPose.update
    monkeypatch.setattr(GeometricPose, 'update', lambda self, seen: observations.append(seen) or update(self, seen))
    results = play(make_reconstructor(pose_source='geometric'), moving_camera)
    monkeypatch.undo()
    restored = GeometricPose(np.eye(4), GeometricPoseConfig())
    restored.restore(memory)
    for observation, result in zip(observations[8:], results[8:], strict=True):
        assert np.array_equal(restored.update(observation).T_world_camera, result.T_world_camera)


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('pixels', None),
        ('rays', np.zeros((3, 3))),
        ('past_pixels', np.zeros((2, 3, 2), np.float32)),
        ('past_poses', np.zeros((2, 4, 4), np.float32)),
        ('counts', np.zeros(2, np.int64)),
    ],
)
def test_a_damaged_memory_of_tracks_is_named_and_changes_nothing(moving_camera, name, value):
    memory = followed(moving_camera)
    if value is None:
        del memory[name]
    else:
        memory[name] = value
    pose = GeometricPose(np.eye(4), GeometricPoseConfig())
    with pytest.raises(ValueError, match='past_pixels|' + name):
        pose.restore(memory)
    assert not pose.memory()
