"""Hands aligned to the scene beat HaMeR's crop camera at least twofold; the noise is what it claims to be."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hand3r_lab.evaluation.placement import focal_errors, network_geometry, placed_samples
from hand3r_lab.evaluation.placement_noise import (
    EXACT_HANDS,
    EXACT_POINTS,
    HandNoise,
    PointmapNoise,
    disturbed_hands,
    disturbed_points,
    fitted_crop_camera,
    size_direction,
)
from hand3r_lab.evaluation.placement_report import format_placement, placement_numbers
from hand3r_lab.evaluation.samples import at_network_pixels
from hand3r_lab.scenes.sequence import RenderedFrame, SceneConfig, Sequence
from hand3r_lab.scenes.splits import sequence_seed
from hand3r_ros.geometry import Intrinsics
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.layer import HandLayer

CASES = {
    'exact points': (HandNoise(), EXACT_POINTS),
    'noisy points': (HandNoise(), PointmapNoise()),
    'exact points, hands 15 % too large': (HandNoise(size_error=0.15), EXACT_POINTS),
}


@pytest.fixture(scope='module')
def layer() -> HandLayer:
    return HandLayer(load_open_hand())


@pytest.fixture(scope='module')
def frames() -> list[RenderedFrame]:
    """A handful of test frames with two hands each."""
    scene = SceneConfig(width=640, height=480, frames=20, hands='both', effects=False)
    sequences = [Sequence(sequence_seed('test', index), scene) for index in (505, 513)]
    return [sequence.frame(number) for sequence in sequences for number in (4, 9, 14)]


@pytest.fixture(scope='module')
def samples(frames, layer):
    return [s for i, frame in enumerate(frames) for s in placed_samples(frame, layer, [7, i], CASES) if s.hidden < 0.75]


@pytest.mark.parametrize('case', CASES)
def test_aligned_hands_beat_the_crop_camera_twofold(samples, case):
    mine = [s for s in samples if s.case == case]
    assert len(mine) >= 8
    assert np.mean([s.crop_camera for s in mine]) > 2.0 * np.mean([s.aligned for s in mine])
    assert np.mean([s.on_scene for s in mine]) > 0.7


def test_the_noise_is_that_of_the_published_accuracy(samples):
    mine = [s for s in samples if s.case == 'exact points']
    assert 0.005 < np.mean([s.procrustes for s in mine]) < 0.008
    assert 0.02 < np.median([s.crop_camera for s in mine]) < 0.09


def test_without_noise_little_but_the_projection_model_errs(frames, layer):
    exact = [s for f in frames for s in placed_samples(f, layer, [0], {'exact': (EXACT_HANDS, EXACT_POINTS)})]
    exact = [s for s in exact if s.hidden < 0.5]
    assert max(s.procrustes for s in exact) < 1e-5
    assert np.median([s.aligned for s in exact]) < 0.004


def test_a_fitted_crop_camera_projects_onto_the_keypoints():
    points = np.random.default_rng(0).normal(0.0, 0.05, (21, 3))
    crop_camera = np.array([5.0, 0.02, -0.04])
    in_crop = crop_camera[0] / 2.0 * (points[:, :2] + crop_camera[1:])
    assert np.allclose(fitted_crop_camera(points, in_crop), crop_camera)


def test_size_errors_change_the_size_by_what_they_say(frames, layer):
    direction = size_direction(layer)
    flat = torch.eye(3).expand(2, 16, 3, 3)
    betas = torch.from_numpy(np.stack([0.0 * direction, 0.15 * direction])).float()
    lengths = layer(flat, betas, torch.ones(2, dtype=torch.bool)).keypoints.norm(dim=-1).mean(-1)
    assert float(lengths[1] / lengths[0]) == pytest.approx(1.15, abs=0.01)


def test_left_hands_are_disturbed_like_mirrored_right_ones(frames, layer):
    """Without noise the crop camera shows a left hand mirrored, as the network sees it."""
    frame = frames[0]
    prediction, crops = disturbed_hands(frame.hands, frame.intrinsics, layer, EXACT_HANDS, np.random.default_rng(0))
    assert prediction.translation is None
    for hand, camera, crop in zip(frame.hands, prediction.crop_camera.numpy(), crops, strict=True):
        middle = ((hand.keypoints_image.mean(0) - crop.center) / crop.size)[0]
        mesh = layer(prediction.rotations, prediction.betas, torch.ones(len(crops), dtype=torch.bool))
        index = frame.hands.index(hand)
        shown = float((mesh.keypoints + mesh.rest_root[:, None])[index, :, 0].mean())
        sign = -1.0 if hand.side.name == 'LEFT' else 1.0
        assert camera[0] / 2.0 * (shown + camera[1]) == pytest.approx(sign * middle, abs=1e-4)


def test_pointmap_scale_has_the_deviation_it_claims():
    camera, wall = Intrinsics(60.0, 60.0, 31.5, 23.5, 64, 48), np.ones((48, 64))
    noise = PointmapNoise(scale=0.1, drift=0.0, grain=0.0, sideways=0.0, bleed=0.0)
    scales = [np.median(disturbed_points(wall, camera, noise, np.random.default_rng(i))[..., 2]) for i in range(200)]
    assert np.std(np.log(scales)) == pytest.approx(0.1, rel=0.2)


def test_pointmap_noise_blurs_outlines_alone(frames):
    frame = frames[0]
    geometry = network_geometry(frame)
    camera = geometry.intrinsics_to_network(frame.intrinsics)
    depth = at_network_pixels(frame.depth, geometry)
    assert np.allclose(disturbed_points(depth, camera, EXACT_POINTS, np.random.default_rng(0))[..., 2], depth)
    bled = disturbed_points(depth, camera, PointmapNoise(0.0, 0.0, 0.0, 0.0, 1.5), np.random.default_rng(0))[..., 2]
    changed = np.abs(bled - depth) > 1e-3
    assert 0.001 < changed.mean() < 0.4


def test_the_focal_length_follows_from_the_points(frames):
    errors = [focal_errors(frame, [0, i]) for i, frame in enumerate(frames)]
    assert max(abs(e['exact points']) for e in errors) < 0.005
    assert max(abs(e['noisy points']) for e in errors) < 0.05


def test_the_report_names_every_case_and_kind(samples):
    numbers = placement_numbers(samples, {'exact points': [0.01, -0.02, 0.0]})
    report = format_placement(numbers, sequences=2, stride=6)
    for title in ('by case', *CASES, '0% to 25% hidden', 'focal length'):
        assert title in report
    row = numbers['by case']['exact points']
    assert row['gain'] == pytest.approx(row['crop camera'] / row['aligned'])
