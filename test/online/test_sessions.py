"""Where sessions begin, what a refused frame must not touch, and that no order of trouble breaks the stream."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from session_helpers import half_size, send, state_of
from truth_network import TruthNetwork, camera_frame, make_reconstructor, play

from hand3r_ros.online.config import SmoothingConfig
from hand3r_ros.online.errors import FrameRejected


def bad_frames(rendered):
    frame = camera_frame(rendered, 1)
    nan_camera = replace(rendered.intrinsics, fx=float('nan'))
    other_camera = replace(rendered.intrinsics, width=100)
    zero_focal = replace(rendered.intrinsics, fy=0.0)
    mirrored = np.diag([1.0, 1.0, -1.0, 1.0])
    return {
        'uint8': replace(frame, image=frame.image.astype(np.float32)),
        r'\(H, W, 3\)': replace(frame, image=frame.image[..., 0]),
        'sides must be': replace(frame, image=frame.image[:0], intrinsics=None),
        'got 448 x 10': replace(frame, image=frame.image[:10], intrinsics=None),
        'uint8.*None': replace(frame, image=None),
        'finite with positive': replace(frame, intrinsics=nan_camera),
        'positive focal': replace(frame, intrinsics=zero_focal),
        'intrinsics are for 100': replace(frame, intrinsics=other_camera),
        'rigid transform': replace(frame, T_world_camera=mirrored),
        'finite rigid': replace(frame, T_world_camera=np.full((4, 4), np.nan)),
        'must be a finite rigid transform': replace(frame, T_world_camera=np.eye(3)),
    }


def test_frames_that_cannot_be_used_are_refused_and_change_nothing(two_hands):
    reconstructor = make_reconstructor()
    play(reconstructor, two_hands[:1])
    before = state_of(reconstructor)
    for reason, frame in bad_frames(two_hands[1]).items():
        with pytest.raises(FrameRejected, match=reason):
            reconstructor.process(frame)
        assert state_of(reconstructor) == before, reason
    assert send(reconstructor, two_hands[1], 1).frame_index == 1


@pytest.mark.parametrize(
    'output', ['points_self', 'confidence_self', 'camera_pose', 'rotations', 'betas', 'crop_camera', 'translation']
)
def test_network_output_that_is_not_finite_is_skipped_and_poisons_nothing(two_hands, output):
    reconstructor = make_reconstructor()
    network = reconstructor.network
    play(reconstructor, two_hands[:2])
    before = state_of(reconstructor)
    network.poison = output
    with pytest.raises(FrameRejected, match='the network returned values that are not finite'):
        send(reconstructor, two_hands[2], 2)
    assert state_of(reconstructor) == before
    network.poison = None
    clean = make_reconstructor()
    expected = [*play(clean, two_hands[:2]), send(clean, two_hands[3], 3)]
    result = send(reconstructor, two_hands[3], 3)
    assert np.allclose(result.T_world_camera, expected[-1].T_world_camera)
    assert [h.track_id for h in result.hands] == [h.track_id for h in expected[-1].hands]
    assert result.frame_index == 2


def test_a_failing_network_leaves_the_session_as_it_was(two_hands):
    reconstructor = make_reconstructor()
    network = reconstructor.network
    play(reconstructor, two_hands[:1])
    before = state_of(reconstructor)
    step, network.step = network.step, lambda *a, **k: (_ for _ in ()).throw(RuntimeError('out of memory'))
    with pytest.raises(RuntimeError, match='out of memory'):
        send(reconstructor, two_hands[1], 1)
    assert state_of(reconstructor) == before
    network.step = step
    assert send(reconstructor, two_hands[1], 1).frame_index == 1


def test_another_resolution_starts_a_new_session(two_hands):
    reconstructor = make_reconstructor()
    play(reconstructor, two_hands[:3])
    result = send(reconstructor, half_size(two_hands[3]), 3)
    assert (result.session_id, result.frame_index) == (2, 0)
    assert 'resolution changed from 448 x 320 to 224 x 160' in reconstructor.reset_reason
    assert float(reconstructor.snapshot().session.scene.tokens.sum()) == 1.0
    assert reconstructor.map.snapshot().counts.max() == 1
    assert np.allclose(result.T_world_camera[:3, 3], 0.0)


def test_stamps_that_go_back_start_a_new_session_or_are_refused(two_hands):
    looping = make_reconstructor()
    play(looping, two_hands[:3], start=100)
    first = send(looping, two_hands[3], 0)
    assert (first.session_id, first.frame_index) == (2, 0)
    assert 'time jumped back by 10.2' in looping.reset_reason
    strict = make_reconstructor(reset_on_time_jump=False)
    play(strict, two_hands[:3], start=100)
    before = state_of(strict)
    with pytest.raises(FrameRejected, match=r'its stamp is 10\.2.* older'):
        send(strict, two_hands[3], 0)
    assert state_of(strict) == before


def test_equal_stamps_are_one_session(two_hands):
    reconstructor = make_reconstructor(smoothing=SmoothingConfig(enabled=True))
    for rendered in two_hands[:3]:
        result = send(reconstructor, rendered, 0)
    assert (result.session_id, result.frame_index) == (1, 2)
    assert all(np.isfinite(hand.vertices_world).all() for hand in result.hands)


def test_a_long_gap_starts_a_new_session_unless_switched_off(two_hands):
    reconstructor = make_reconstructor(reset_after_gap=1.0)
    play(reconstructor, two_hands[:2])
    assert send(reconstructor, two_hands[2], 10).session_id == 1
    assert send(reconstructor, two_hands[3], 21).session_id == 2
    assert 'no frame for 1.1' in reconstructor.reset_reason
    patient = make_reconstructor(reset_after_gap=0.0)
    play(patient, two_hands[:1])
    assert send(patient, two_hands[1], 100_000).session_id == 1


def test_reset_empties_everything_but_keeps_counting_ids(two_hands):
    reconstructor = make_reconstructor()
    old_ids = {hand.track_id for hand in play(reconstructor, two_hands[:3])[-1].hands}
    reconstructor.reset('asked for')
    assert (reconstructor.session_id, reconstructor.reset_reason, len(reconstructor.map)) == (2, 'asked for', 0)
    result = play(reconstructor, two_hands[3:4], start=3)[0]
    assert (result.session_id, result.frame_index) == (2, 0)
    assert not old_ids & {hand.track_id for hand in result.hands}
    assert np.allclose(result.T_world_camera[:3, 3], 0.0)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(['good', 'nan', 'bad', 'back', 'gap', 'size', 'reset']), min_size=1, max_size=8))
def test_no_order_of_trouble_breaks_the_stream(two_hands, events):
    reconstructor = make_reconstructor(TruthNetwork())
    network, index, session = reconstructor.network, 1000, 1
    for event in events:
        index += {'back': -400, 'gap': 300}.get(event, 1)
        rendered = half_size(two_hands[1]) if event == 'size' else two_hands[index % len(two_hands)]
        network.poison = 'points_self' if event == 'nan' else None
        try:
            if event == 'reset':
                reconstructor.reset('asked for')
            send(reconstructor, rendered, index, **({'image': rendered.image[..., :2]} if event == 'bad' else {}))
        except FrameRejected:
            assert event in ('nan', 'bad')
        assert reconstructor.session_id >= session
        session = reconstructor.session_id
    network.poison = None
    result = send(reconstructor, two_hands[0], index + 1)
    assert np.isfinite(result.T_world_camera).all()
    assert len(result.hands) > 0
