"""The evaluation pairs predictions with the truth of the same hand and frame, and its baselines are what they say."""

import numpy as np
import pytest
import torch

from hand3r_ros.evaluation import rendered
from hand3r_ros.evaluation.baselines import ZeroedScene, mean_articulation, mean_keypoints
from hand3r_ros.evaluation.report import format_report
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset
from hand3r_ros.network.types import Frame, HandBoxes
from hand3r_ros.online.config import ReconstructorConfig
from hand3r_ros.online.detection.registry import make_detector
from hand3r_ros.online.reconstructor import OnlineReconstructor
from hand3r_ros.synthetic.sequence import SceneConfig, Sequence
from hand3r_ros.synthetic.splits import sequence_seed


@pytest.fixture(scope='module')
def layer():
    return HandLayer(load_open_hand())


@pytest.fixture(scope='module')
def hands():
    sequence = Sequence(sequence_seed('validation', 3), SceneConfig(width=320, height=240, frames=6, hands='both'))
    return [hand for index in range(len(sequence)) for hand in sequence.frame(index).hands]


@pytest.fixture(scope='module')
def samples(layer):
    torch.manual_seed(0)
    network = Hand3R(preset('tiny')).eval()
    config = ReconstructorConfig()
    reconstructor = OnlineReconstructor(network, layer, make_detector(config), config)
    return rendered.run_sequences(reconstructor, sequences=1, frames=3, long_side=network.config.image_long_side)


def test_every_visible_hand_is_either_paired_or_missed(samples):
    sequence = Sequence(sequence_seed('test', 0), SceneConfig(width=640, height=480, frames=3))
    visible = [
        hand
        for index in range(3)
        for hand in sequence.frame(index).hands
        if hand.visible_fraction >= rendered.SMALLEST_VISIBLE
    ]
    assert len(samples.truth) + samples.missed == len(visible)
    for truth, hand in zip(samples.truth, visible, strict=False):
        np.testing.assert_array_equal(truth, hand.keypoints_camera)


def test_the_true_depth_is_sampled_at_the_pixels_the_network_sees(samples):
    predicted, truth = samples.depth[0]
    assert predicted.shape == truth.shape
    assert 0.1 < np.median(truth[truth > 0.0]) < 10.0


def test_a_perfect_prediction_scores_zero(samples):
    numbers = rendered.hand_numbers(samples.truth, samples.truth) if samples.truth else {}
    assert all(value < 1e-6 for name, value in numbers.items() if name.endswith('mm'))


def test_the_mean_hand_is_the_mean_of_its_side(hands):
    truth = np.stack([hand.keypoints_camera for hand in hands])
    mean = mean_keypoints(hands, truth)
    for side in {hand.side for hand in hands}:
        chosen = np.array([hand.side == side for hand in hands])
        np.testing.assert_allclose(mean[chosen][0], (truth - truth[:, :1])[chosen].mean(0), atol=1e-12)


def test_true_rotation_with_the_mean_articulation_of_one_hand_is_that_hand(hands, layer):
    hand = hands[0]
    keypoints = mean_articulation([hand], layer)[0]
    np.testing.assert_allclose(keypoints, hand.keypoints_camera - hand.keypoints_camera[0], atol=1e-5)


def test_a_zeroed_scene_does_not_depend_on_the_image():
    torch.manual_seed(0)
    network = Hand3R(preset('tiny')).eval()
    blind = ZeroedScene.of(network)
    boxes = HandBoxes.empty(network.config.hand.crop_size)
    with torch.inference_mode():
        outputs = [
            blind.step(blind.init_state(1), Frame(torch.rand(1, 3, 160, 224)), boxes)[1].scene.points_self
            for _ in range(2)
        ]
        seeing = network.step(network.init_state(1), Frame(torch.rand(1, 3, 160, 224)), boxes)[1].scene.points_self
    assert torch.equal(*outputs)
    assert not torch.equal(outputs[0], seeing)


def test_the_report_has_a_row_per_method_and_says_nothing_where_nothing_is_known():
    text = format_report({'ours': {'MPJPE mm': 12.34, 'hands': 5.0}, 'static camera': {'camera ATE cm': 1.0}}, 2, 3)
    assert '5 hands' in text
    assert '| ours | - | 12.3 |' in text
    assert text.splitlines()[-1].startswith('| static camera |')
