"""The recurrent state starts anew every few frames, and nobody outside notices: one world, one session, same hands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from session_helpers import send
from truth_network import TruthNetwork, make_reconstructor, play

from hand3r_ros.geometry import R_BODY_OPTICAL, invert_transform, make_transform
from hand3r_ros.online.config import MapConfig, ReconstructorConfig
from hand3r_ros.online.errors import FrameRejected


class RestlessNetwork(TruthNetwork):
    """Begins every chunk in a world of its own, in which not even the first camera is at the origin."""

    def __init__(self) -> None:
        super().__init__()
        self.chunks = 0
        self.updates: list[str | None] = []
        self.refuses_to_begin = False

    def step(self, state, frame, boxes, dense=frozenset(), scene=None):
        self.updates.append(frame.state_update)
        if not state.started:
            self.chunks += 1
            rng = np.random.default_rng(self.chunks)
            self.T_first = make_transform(Rotation.random(random_state=self.chunks).as_matrix(), rng.normal(size=3))
            self.poison = 'camera_pose' if self.refuses_to_begin else None
        result = super().step(state, frame, boxes, dense)
        self.poison = None
        return result


def true_path(frames):
    """``T_world_camera`` in the published world: the first camera's body axes."""
    first = make_transform(R_BODY_OPTICAL, np.zeros(3)) @ invert_transform(frames[0].T_world_camera)
    return np.stack([first @ frame.T_world_camera for frame in frames])


def path_of(results):
    return np.stack([result.T_world_camera for result in results])


@pytest.mark.parametrize('interval', [1, 3, 5, 12])
def test_chained_poses_are_those_of_one_world(two_hands, interval):
    network = RestlessNetwork()
    results = play(make_reconstructor(network, reset_interval=interval), two_hands)
    assert network.chunks == 1 + len(two_hands) // interval
    assert network.steps == len(two_hands) + len(two_hands) // interval  # one frame of overlap each
    np.testing.assert_allclose(path_of(results), true_path(two_hands), atol=2e-6)


def test_session_map_and_hands_go_on_over_chunks(two_hands):
    settings = {'map': MapConfig(min_confidence=2.0, voxel_size=0.02)}
    once, often = (
        make_reconstructor(TruthNetwork(), **settings),
        make_reconstructor(RestlessNetwork(), reset_interval=2, **settings),
    )
    expected, found = play(once, two_hands[:7]), play(often, two_hands[:7])
    assert [r.session_id for r in found] == [1] * 7
    assert [r.frame_index for r in found] == list(range(7))
    for a, b in zip(expected, found, strict=True):
        assert [(h.side, h.track_id) for h in a.hands] == [(h.side, h.track_id) for h in b.hands]
        for one, other in zip(a.hands, b.hands, strict=True):
            np.testing.assert_allclose(one.vertices_world, other.vertices_world, atol=1e-5)
    assert often.map.snapshot().counts.max() == once.map.snapshot().counts.max() == 7
    assert len(often.map) == pytest.approx(len(once.map), rel=0.01)


def test_the_state_really_begins_anew(two_hands):
    reconstructor = make_reconstructor(RestlessNetwork(), reset_interval=3)
    steps = []
    for index, rendered in enumerate(two_hands[:7]):
        send(reconstructor, rendered, index)
        steps.append(
            int(reconstructor.snapshot().session.scene.tokens.sum())
        )  # this network counts its steps in the state
    assert steps == [1, 2, 1, 2, 3, 1, 2]


def test_without_an_interval_it_never_does(two_hands):
    network = RestlessNetwork()
    assert ReconstructorConfig().reset_interval == 0
    play(make_reconstructor(network), two_hands)
    assert network.chunks == 1


@pytest.mark.parametrize('source', ['geometric', 'tf'])
def test_poses_that_are_not_the_networks_do_not_feel_it(two_hands, source):
    paths = []
    for interval in (0, 2):
        reconstructor = make_reconstructor(RestlessNetwork(), pose_source=source, reset_interval=interval)
        results = [
            send(reconstructor, rendered, index, T_world_camera=rendered.T_world_camera)
            for index, rendered in enumerate(two_hands[:6])
        ]
        paths.append(path_of(results))
    np.testing.assert_array_equal(*paths)


def test_a_new_chunk_that_fails_waits_for_the_next_frame(two_hands):
    network = RestlessNetwork()
    reconstructor = make_reconstructor(network, reset_interval=3)
    results = play(reconstructor, two_hands[:2])
    network.refuses_to_begin = True
    for index in (2, 3):
        results.append(send(reconstructor, two_hands[index], index))
    assert network.chunks == 3 and reconstructor.refused_frames == 0
    assert int(reconstructor.snapshot().session.scene.tokens.sum()) == 4  # the old chunk goes on
    network.refuses_to_begin = False
    for index in (4, 5):
        results.append(send(reconstructor, two_hands[index], index))
    assert int(reconstructor.snapshot().session.scene.tokens.sum()) == 2
    np.testing.assert_allclose(path_of(results), true_path(two_hands[:6]), atol=2e-6)


def test_a_refused_frame_begins_no_chunk(two_hands):
    network = RestlessNetwork()
    reconstructor = make_reconstructor(network, reset_interval=2)
    send(reconstructor, two_hands[0], 0)
    with pytest.raises(FrameRejected):
        send(reconstructor, two_hands[1], 1, image=two_hands[1].image[..., :2])
    assert network.chunks == 1 and reconstructor.refused_frames == 1
    send(reconstructor, two_hands[2], 2)
    assert network.chunks == 2


def test_update_and_interval_can_change_while_frames_come(two_hands):
    network = RestlessNetwork()
    reconstructor = make_reconstructor(network)
    play(reconstructor, two_hands[:2])
    reconstructor.reconfigure(replace(reconstructor.config, state_update='ttt3r', reset_interval=3))
    results = play(reconstructor, two_hands[2:5], start=2)
    assert network.updates == ['cut3r'] * 2 + ['ttt3r'] * 4
    assert [r.session_id for r in results] == [1] * 3 and network.chunks == 2


def test_settings_that_make_no_sense_are_named():
    with pytest.raises(ValueError, match=r'state_update must be one of cut3r, ttt3r'):
        ReconstructorConfig(state_update='both')
    with pytest.raises(ValueError, match='reset_interval must be within 0'):
        ReconstructorConfig(reset_interval=-1)
