"""Frames with measured depth: its metres count, and whatever is wrong with it does no harm."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from truth_network import TruthNetwork, depth_at_network, make_reconstructor, play

from hand3r_lab.scenes.sequence import SceneConfig, Sequence
from hand3r_ros.geometry import invert_transform, transform_points
from hand3r_ros.online.config import PlacementConfig
from hand3r_ros.online.errors import FrameRejected
from hand3r_ros.online.measured_depth import fit_scale, look_at, scene_depth
from hand3r_ros.online.preparation import ImageGeometry
from hand3r_ros.online.results import PlacementSource, ScaleSource, TrackingState

WRONG = 0.3
"""The factor by which the network misjudges the scene's size."""


@pytest.fixture(scope='module')
def moving_camera():
    sequence = Sequence(9, SceneConfig(width=640, height=480, frames=12, fps=15.0, hands='both', camera='egocentric'))
    return [sequence.frame(i) for i in range(len(sequence))]


def wrong_network() -> TruthNetwork:
    network = TruthNetwork()
    network.depth_scale = WRONG
    return network


def readings(frame, holes: float = 0.3, seed: int = 0) -> np.ndarray:
    """What a depth camera measures: millimetres, with holes."""
    depth = np.round(frame.depth.astype(np.float32), 3)
    depth[np.random.default_rng(seed).random(depth.shape) < holes] = 0.0
    return depth


def play_with(reconstructor, frames, depths, start: int = 0, **changes):
    return [
        play(reconstructor, [frame], start=start + index, depth=depth, **changes)[0]
        for index, (frame, depth) in enumerate(zip(frames, depths, strict=True))
    ]


def depth_error(result, frame) -> np.ndarray:
    """Relative errors of the depth where the scene has one."""
    height, width = frame.image.shape[:2]
    truth = depth_at_network(frame, ImageGeometry.for_image(width, height, 224))
    return np.abs(result.points_camera[..., 2] / np.where(truth > 0.0, truth, np.nan) - 1.0)


@pytest.mark.parametrize('holes', [0.0, 0.3, 0.7])
def test_points_have_the_metres_of_the_readings(two_hands, holes):
    frames = two_hands[:2]
    results = play_with(make_reconstructor(wrong_network()), frames, [readings(f, holes) for f in frames])
    for result, frame in zip(results, frames, strict=True):
        assert result.scale_source == ScaleSource.DEPTH
        assert not result.depth_refused
        assert np.nanmedian(depth_error(result, frame)) < 0.002
        assert np.nanmean(depth_error(result, frame)) < 0.01
        assert np.nanmedian(depth_error(result, frame)[result.measured]) < 0.001


def test_a_large_hole_is_filled_without_a_step(two_hands):
    frame = two_hands[0]
    depth = readings(frame, 0.0)
    depth[80:220, 150:330] = 0.0
    result = play_with(make_reconstructor(wrong_network()), [frame], [depth])[0]
    error = depth_error(result, frame)
    hole = np.zeros(error.shape, bool)
    hole[41:109, 76:164] = True
    assert not result.measured[hole].any()
    assert np.nanmedian(error[hole]) < 0.03
    assert np.nanpercentile(error[~hole], 90) < 0.01


def test_without_readings_the_metres_are_the_networks_and_it_is_said(two_hands):
    result = play(make_reconstructor(wrong_network()), two_hands[:1])[0]
    assert result.scale_source == ScaleSource.NETWORK
    assert result.measured is None
    assert np.nanmedian(depth_error(result, two_hands[0])) == pytest.approx(1.0 - WRONG, abs=0.01)


def test_frames_between_readings_keep_their_scale(two_hands):
    frames = two_hands[:4]
    depths = [readings(frames[0]), None, None, readings(frames[3])]
    results = play_with(make_reconstructor(wrong_network()), frames, depths)
    kept = ScaleSource.EARLIER_DEPTH
    assert [r.scale_source for r in results] == [ScaleSource.DEPTH, kept, kept, ScaleSource.DEPTH]
    assert np.nanmedian(depth_error(results[2], frames[2])) < 0.02


def test_a_new_session_knows_no_earlier_scale(two_hands):
    reconstructor = make_reconstructor(wrong_network())
    play_with(reconstructor, two_hands[:1], [readings(two_hands[0])])
    reconstructor.reset('asked to')
    assert play(reconstructor, two_hands[:1])[0].scale_source == ScaleSource.NETWORK


def test_the_map_holds_readings_only_and_nothing_of_a_guess_before_them(two_hands):
    reconstructor = make_reconstructor(wrong_network())
    play(reconstructor, two_hands[:2])
    guessed = len(reconstructor.map)
    frame = two_hands[2]
    result = play_with(reconstructor, [frame], [readings(frame, 0.0)], start=2)[0]
    points = reconstructor.map.snapshot().points
    assert guessed > 0
    in_camera = transform_points(invert_transform(result.T_world_camera), points)
    camera = result.intrinsics
    column = np.rint(in_camera[:, 0] / in_camera[:, 2] * camera.fx + camera.cx).astype(int).clip(0, 223)
    row = np.rint(in_camera[:, 1] / in_camera[:, 2] * camera.fy + camera.cy).astype(int).clip(0, 159)
    difference = np.abs(in_camera[:, 2] - depth_at_network(frame, ImageGeometry.for_image(448, 320, 224))[row, column])
    assert np.median(difference) < 0.01
    assert np.percentile(difference, 95) < 0.05


def test_the_path_has_the_metres_of_the_readings(moving_camera):
    reconstructor = make_reconstructor(wrong_network(), pose_source='geometric')
    results = play_with(reconstructor, moving_camera, [readings(f) for f in moving_camera])
    moved = [r.T_world_camera[:3, 3] - results[0].T_world_camera[:3, 3] for r in results]
    true = [f.T_world_camera[:3, 3] - moving_camera[0].T_world_camera[:3, 3] for f in moving_camera]
    assert {r.state for r in results} == {TrackingState.OK}
    assert np.linalg.norm(true[-1]) > 0.03
    assert np.linalg.norm(moved[-1]) == pytest.approx(np.linalg.norm(true[-1]), rel=0.1)


def test_a_path_that_began_with_a_guess_goes_on_in_metres(moving_camera):
    reconstructor = make_reconstructor(wrong_network(), pose_source='geometric')
    depths = [None] * 3 + [readings(f) for f in moving_camera[3:]]
    results = play_with(reconstructor, moving_camera, depths)
    moved = results[-1].T_world_camera[:3, 3] - results[3].T_world_camera[:3, 3]
    true = moving_camera[-1].T_world_camera[:3, 3] - moving_camera[3].T_world_camera[:3, 3]
    assert {r.state for r in results} == {TrackingState.OK}
    assert np.linalg.norm(moved) == pytest.approx(np.linalg.norm(true), rel=0.1)


def test_hands_stand_where_their_surface_was_measured(two_hands):
    network = wrong_network()
    network.size_error = 1.1  # the hand looks larger, so that its apparent size puts it too near
    frames = two_hands[:4]
    results = play_with(make_reconstructor(network), frames, [readings(f) for f in frames])
    found = [(hand, frame) for r, frame in zip(results, frames, strict=True) for hand in r.hands]
    on_readings = [(hand, frame) for hand, frame in found if hand.placement.source == PlacementSource.MEASURED]
    assert len(on_readings) > 0.5 * len(found) > 0
    errors = []
    for hand, frame in on_readings:
        truth = next(t for t in frame.hands if t.side == hand.side)
        errors.append(abs(hand.T_camera_wrist[2, 3] - truth.wrist_camera[2]))
    assert np.median(errors) < 0.015


def test_a_hand_nearer_than_the_sensor_measures_keeps_its_apparent_place(two_hands):
    frame = two_hands[0]
    depth = readings(frame, 0.0)
    for hand in frame.hands:
        depth[frame.segmentation == hand.instance_id] = 0.0
    result = play_with(make_reconstructor(wrong_network()), [frame], [depth])[0]
    for hand in result.hands:
        truth = next(t for t in frame.hands if t.side == hand.side)
        assert hand.T_camera_wrist[2, 3] == pytest.approx(truth.wrist_camera[2], rel=0.1)


def test_the_networks_translation_stays_where_it_is_asked_for(two_hands):
    reconstructor = make_reconstructor(wrong_network(), placement=PlacementConfig(translation='network'))
    result = play_with(reconstructor, two_hands[:1], [readings(two_hands[0])])[0]
    assert {hand.placement.source for hand in result.hands} == {PlacementSource.NETWORK}


REFUSED = {
    'nothing measured': (lambda z: np.zeros_like(z), 'only 0 of'),
    'not a number': (lambda z: np.full_like(z, np.nan), 'only 0 of'),
    'infinite': (lambda z: np.full_like(z, np.inf), 'only 0 of'),
    'negative': (lambda z: -z, 'only 0 of'),
    'millimetres': (lambda z: 1000.0 * z, 'millimetres given as metres'),
    'metres as millimetres': (lambda z: z / 1000.0, 'metres given as millimetres'),
    'ten metres everywhere': (lambda z: np.full_like(z, 10.0), 'only 0 of'),
    'noise': (lambda z: np.random.default_rng(1).uniform(0.2, 15.0, z.shape).astype(np.float32), 'depth is noise'),
    'another view': (lambda z: z[:, : z.shape[1] // 2], 'register it'),
}


@pytest.mark.parametrize('name', REFUSED)
def test_depth_that_makes_no_sense_is_refused_and_changes_nothing(two_hands, name):
    spoil, reason = REFUSED[name]
    frame = two_hands[1]
    plain, spoilt = make_reconstructor(wrong_network()), make_reconstructor(wrong_network())
    results = []
    for reconstructor, depth in ((plain, None), (spoilt, spoil(readings(frame, 0.0)))):
        first = play_with(reconstructor, two_hands[:1], [readings(two_hands[0])])
        last = play_with(reconstructor, two_hands[2:3], [readings(two_hands[2])], start=2)
        middle = play_with(reconstructor, [frame], [depth], start=3)
        results.append((first + last + middle, len(reconstructor.map)))
    (without, voxels), (with_it, same_voxels) = results
    assert reason in with_it[-1].depth_refused
    assert with_it[-1].scale_source == ScaleSource.EARLIER_DEPTH
    assert np.array_equal(without[-1].points_camera, with_it[-1].points_camera)
    assert np.array_equal(without[-1].T_world_camera, with_it[-1].T_world_camera)
    assert voxels == same_voxels


@pytest.mark.parametrize('value', [10.0, 65.535])
def test_the_number_by_which_a_sensor_says_nothing_is_no_reading(two_hands, value):
    frame = two_hands[0]
    depth = readings(frame, 0.0)
    depth[np.random.default_rng(0).random(depth.shape) < 0.3] = value
    depth[100:140, 100:200] = value
    result = play_with(make_reconstructor(wrong_network()), [frame], [depth])[0]
    assert np.nanmax(result.points_camera[..., 2]) < 0.7 * value
    assert np.nanmean(depth_error(result, frame)) < 0.02


@pytest.mark.parametrize('scale', [2, 0.5])
def test_depth_of_another_resolution_is_taken(two_hands, scale):
    frame = two_hands[0]
    depth = readings(frame, 0.0)
    depth = np.repeat(np.repeat(depth, 2, 0), 2, 1) if scale == 2 else depth[::2, ::2].copy()
    result = play_with(make_reconstructor(wrong_network()), [frame], [depth])[0]
    assert np.nanmedian(depth_error(result, frame)) < 0.005


def test_use_depth_can_be_turned_off_or_required(two_hands):
    depths = [readings(two_hands[0])]
    off = play_with(make_reconstructor(wrong_network(), use_depth='off'), two_hands[:1], depths)[0]
    assert off.scale_source == ScaleSource.NETWORK
    required = make_reconstructor(wrong_network(), use_depth='required')
    with pytest.raises(FrameRejected, match='no depth came'):
        play(required, two_hands[:1])
    with pytest.raises(FrameRejected, match='millimetres given as metres'):
        play_with(required, two_hands[:1], [1000.0 * depths[0]])
    assert play_with(required, two_hands[:1], depths)[0].frame_index == 0


def test_depth_of_another_type_is_refused_with_its_name(two_hands):
    with pytest.raises(FrameRejected, match=r'floating point metres \(H, W\), got uint16'):
        play(make_reconstructor(), two_hands[:1], depth=np.ones((320, 448), np.uint16))


def test_a_saved_session_remembers_the_scale(two_hands, tmp_path):
    first, second = make_reconstructor(wrong_network()), make_reconstructor(wrong_network())
    play_with(first, two_hands[:1], [readings(two_hands[0])])
    place = tmp_path / 'session.safetensors'
    first.save_state(place)
    second.load_state(place)
    results = [play(one, two_hands[1:2], start=1)[0] for one in (first, second)]
    assert {r.scale_source for r in results} == {ScaleSource.EARLIER_DEPTH}
    assert np.array_equal(results[0].points_camera, results[1].points_camera)


@settings(max_examples=30, deadline=None)
@given(scale=st.floats(0.1, 10.0), shift=st.floats(-0.2, 0.2), outliers=st.floats(0.0, 0.35), seed=st.integers(0, 99))
def test_scale_and_shift_are_found_among_outliers(scale, shift, outliers, seed):
    rng = np.random.default_rng(seed)
    predicted = rng.uniform(0.5, 3.0, 2000)
    measured = np.maximum(scale * predicted + scale * shift, 0.05) * np.exp(0.01 * rng.normal(size=2000))
    wrong = rng.random(2000) < outliers
    measured[wrong] *= np.exp(rng.uniform(-1.5, 1.5, np.count_nonzero(wrong)))
    found = fit_scale(predicted, measured)
    assert np.median(np.abs(found.of(predicted)[~wrong] / measured[~wrong] - 1.0)) < 0.02


def test_a_flat_wall_gives_a_scale_without_a_shift():
    geometry = ImageGeometry.for_image(640, 480, 224)
    shape = (geometry.height, geometry.width)
    predicted = np.random.default_rng(0).uniform(0.45, 0.55, shape).astype(np.float32)
    wall = np.full((480, 640), 1.5, np.float32)
    seen = look_at(wall, geometry, 'auto')
    found = scene_depth(predicted, np.zeros((*shape, 3), np.uint8), seen, np.zeros(shape, bool))
    assert np.allclose(found.depth, 1.5)
    assert found.scale.of(np.array([0.5])) == pytest.approx(1.5, rel=0.1)


def test_frames_without_calibration_take_depth_too(two_hands):
    frame = two_hands[0]
    result = play_with(make_reconstructor(wrong_network()), [frame], [readings(frame)], intrinsics=None)[0]
    assert result.state == TrackingState.UNCALIBRATED
    assert np.nanmedian(depth_error(result, frame)) < 0.002
