"""Baselines are the trivial predictors that they are called, and ablations take away what they say."""

import dataclasses

import numpy as np
import pytest
import torch

from hand3r_lab.evaluation.ablations import WithoutSceneContext, WithoutState, ZeroedScene, without_prompts
from hand3r_lab.evaluation.baselines import (
    baseline_numbers,
    box_size_wrists,
    constant_depth_wrists,
    mean_articulation,
    mean_keypoints,
)
from hand3r_lab.evaluation.metrics import world_aligned_errors
from hand3r_lab.evaluation.samples import HandSample, Samples, WorldTrack
from hand3r_lab.evaluation.truth import EvaluatedHand, rendered_hand
from hand3r_lab.scenes.sequence import SceneConfig, Sequence
from hand3r_lab.scenes.splits import sequence_seed
from hand3r_ros.geometry import Intrinsics
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset
from hand3r_ros.network.types import Frame, HandBoxes

INTRINSICS = Intrinsics(500.0, 500.0, 319.5, 239.5, 640, 480)


@pytest.fixture(scope='module')
def hands():
    sequence = Sequence(sequence_seed('validation', 3), SceneConfig(width=320, height=240, frames=3, hands='both'))
    return [rendered_hand(hand) for index in range(len(sequence)) for hand in sequence.frame(index).hands]


@pytest.fixture(scope='module')
def network():
    torch.manual_seed(0)
    return Hand3R(preset('tiny')).eval()


def sample(depth, width, height=40.0, aside=0.1):
    wrist = np.array([aside * depth, 0.0, depth])
    box = np.array([100.0, 100.0, 100.0 + width, 100.0 + height])
    truth = np.tile(wrist, (21, 1))
    hand = EvaluatedHand(HandSide.RIGHT, truth, box, 1.0, np.zeros((16, 3, 3)), np.zeros(10))
    return HandSample(truth, truth, hand, INTRINSICS, 0.0)


def test_hands_of_one_size_are_placed_exactly_by_their_boxes():
    samples = [sample(depth, 500.0 * 0.18 / depth) for depth in (0.3, 0.5, 0.9)]
    np.testing.assert_allclose(box_size_wrists(samples), [s.truth[0] for s in samples], atol=1e-9)


def test_a_box_of_half_the_size_means_twice_the_distance_along_the_same_ray():
    near, far = box_size_wrists([sample(0.4, 200.0), sample(0.4, 100.0, aside=-0.2)])
    assert far[2] == pytest.approx(2.0 * near[2])
    assert far[0] / far[2] == pytest.approx(-0.2)


def test_the_longer_side_of_the_box_counts_and_a_degenerate_box_is_no_error():
    wrists = box_size_wrists([sample(0.5, 100.0, 30.0), sample(0.5, 30.0, 100.0)])
    np.testing.assert_allclose(wrists[:, 2], 0.5)
    assert np.isfinite(box_size_wrists([sample(0.5, 0.0, 0.0), sample(0.5, 100.0)])).all()


def test_the_constant_depth_is_the_mean_depth_on_the_true_rays():
    truth = np.stack([sample(depth, 1.0).truth for depth in (0.4, 0.8)])
    np.testing.assert_allclose(constant_depth_wrists(truth), [[0.06, 0.0, 0.6]] * 2)


def test_the_mean_hand_is_the_mean_of_its_side(hands):
    truth = np.stack([hand.keypoints_camera for hand in hands])
    mean = mean_keypoints(hands, truth)
    for side in {hand.side for hand in hands}:
        chosen = np.array([hand.side == side for hand in hands])
        np.testing.assert_allclose(mean[chosen][0], (truth - truth[:, :1])[chosen].mean(0), atol=1e-12)


@pytest.mark.parametrize('side', list(HandSide))
def test_true_rotation_with_the_mean_articulation_of_one_hand_is_that_hand(hands, side):
    hand = next(hand for hand in hands if hand.side == side)
    keypoints = mean_articulation([hand], HandLayer(load_open_hand()))[0]
    np.testing.assert_allclose(keypoints, hand.keypoints_camera - hand.keypoints_camera[0], atol=1e-5)


def moving_samples(frames=30):
    """One hand that stands still in the world, perfectly predicted, before a camera that moves sideways."""
    keypoints = np.random.default_rng(0).normal((0.0, 0.0, 0.6), 0.05, (21, 3))
    samples, cameras = Samples(), np.tile(np.eye(4), (frames, 1, 1))
    cameras[:, 0, 3] = np.linspace(0.0, 0.1, frames)
    for camera in cameras:
        seen = keypoints - camera[:3, 3]
        hand = EvaluatedHand(
            HandSide.RIGHT, seen, np.array([0.0, 0, 90, 90]), 1.0, np.tile(np.eye(3), (16, 1, 1)), np.zeros(10)
        )
        samples.hands.append(HandSample(seen, seen, hand, INTRINSICS, 0.0))
    world = np.tile(keypoints, (frames, 1, 1))
    samples.tracks.append(WorldTrack(10.0, np.arange(frames), world, world, np.arange(frames)))
    samples.cameras.append((cameras, cameras))
    return samples


def test_hands_of_baselines_are_carried_by_a_still_camera():
    samples = moving_samples()
    rows = baseline_numbers(samples, HandLayer(load_open_hand()))
    ours = np.stack([sample.truth for sample in samples.hands])
    static = rows['static camera']
    assert static['WA-MPJPE mm'] == pytest.approx(
        1e3 * world_aligned_errors(ours, samples.tracks[0].truth).mean(), rel=1e-9
    )
    assert static['WA-MPJPE mm'] > 10.0
    assert 'jitter m/s2' not in static
    assert static['camera ATE cm'] > 1.0
    # Nothing turns and all hands are the same, so the mean hand in the place of the true one errs as the camera does.
    assert rows['mean pose']['WA-MPJPE mm'] == pytest.approx(static['WA-MPJPE mm'], rel=0.05)
    assert rows['true rotation + mean pose']['WA-MPJPE mm'] > static['WA-MPJPE mm']
    for name in ('depth from box size', 'constant depth'):
        assert rows[name]['W-MPJPE mm'] > 10.0


def two_frames(network, images=None):
    """Predictions of two frames with a hand in each."""
    images = torch.rand(2, 3, 160, 224, generator=torch.Generator().manual_seed(3)) if images is None else images
    crop = torch.ones(1, 3, network.config.hand.crop_size, network.config.hand.crop_size)
    boxes = HandBoxes(crop, torch.tensor([[90.0, 60.0, 130.0, 100.0]]), torch.tensor([True]), torch.tensor([0]))
    state, predictions = network.init_state(1), []
    with torch.inference_mode():
        for image in images:
            state, prediction = network.step(state, Frame(image[None]), boxes)
            predictions.append(prediction)
    return predictions


def test_a_zeroed_scene_does_not_depend_on_the_image(network):
    blind = ZeroedScene.of(network)
    first, second = (two_frames(blind, torch.rand(1, 3, 160, 224))[0].scene.points_self for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, two_frames(network, torch.rand(1, 3, 160, 224))[0].scene.points_self)


def test_without_state_every_frame_is_the_first_one(network):
    images = torch.rand(1, 3, 160, 224).repeat(2, 1, 1, 1)
    first, second = two_frames(WithoutState.of(network), images)
    assert torch.equal(first.scene.points_self, second.scene.points_self)
    assert torch.equal(first.scene.camera_pose, second.scene.camera_pose)
    first, second = two_frames(network, images)
    assert not torch.equal(first.scene.points_self, second.scene.points_self)


def test_without_f_s_the_prompt_does_not_depend_on_the_image(network):
    blind, prompts = WithoutSceneContext.of(network), {}
    boxes = HandBoxes(
        torch.ones(1, 3, network.config.hand.crop_size, network.config.hand.crop_size),
        torch.tensor([[90.0, 60.0, 130.0, 100.0]]),
        torch.tensor([True]),
        torch.tensor([0]),
    )
    with torch.inference_mode():
        for name, chosen in (('blind', blind), ('seeing', network)):
            encoded = [chosen.encode(Frame(torch.full((1, 3, 160, 224), value)), boxes) for value in (-1.0, 1.0)]
            prompts[name] = [chosen._prompts(boxes, one).tokens for one in encoded]
    assert torch.equal(*prompts['blind'])
    assert not torch.equal(*prompts['seeing'])


def test_without_prompts_the_scene_is_that_of_an_image_without_hands(network):
    plain = without_prompts(network)
    prediction = two_frames(plain)[0]
    assert prediction.hands.translation is None
    images = torch.rand(2, 3, 160, 224, generator=torch.Generator().manual_seed(3))
    empty = HandBoxes.empty(network.config.hand.crop_size)
    with torch.inference_mode():
        expected = network.step(network.init_state(1), Frame(images[:1]), empty)[1]
    torch.testing.assert_close(prediction.scene.points_self, expected.scene.points_self)
    assert not torch.equal(two_frames(network)[0].scene.points_self, expected.scene.points_self)
    assert dataclasses.replace(network.config, fusion=False) == plain.config
