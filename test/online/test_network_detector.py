"""Hands found by the network's own head: where in the source image, with one encoding per frame, and with what else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from truth_network import hand_layer

from hand3r_ros.geometry import Intrinsics
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.network.detection.head import HandMaps
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset, with_detection_head
from hand3r_ros.online.config import DetectionConfig, ReconstructorConfig
from hand3r_ros.online.detection.base import DetectorUnavailableError
from hand3r_ros.online.detection.registry import make_detector
from hand3r_ros.online.reconstructor import OnlineReconstructor
from hand3r_ros.online.results import CameraFrame, HandDetection

RIGHT_BOX = (40.0, 60.0, 80.0, 100.0)  # network pixels
GIVEN = HandDetection(np.array([300.0, 200.0, 400.0, 300.0]), HandSide.LEFT, 0.9)


class OneRightHand(nn.Module):
    """A head that always sees the same hand; ``score`` is its logit."""

    def __init__(self) -> None:
        super().__init__()
        self.score = 4.0

    def forward(self, image, scene) -> HandMaps:
        rows, columns = image.shape[2] // 8, image.shape[3] // 8
        logits = torch.full((1, 2, rows, columns), -8.0)
        logits[0, 1, 9, 7] = self.score
        boxes = torch.tensor(RIGHT_BOX).expand(1, 2, rows, columns, 4)
        return HandMaps(logits, boxes, 8)


class CountingNetwork(Hand3R):
    """Counts how often the scene encoder runs."""

    encoded = 0

    def encode_scene(self, frame):
        self.encoded += 1
        return super().encode_scene(frame)


@pytest.fixture(scope='module')
def network():
    torch.manual_seed(0)
    network = CountingNetwork(with_detection_head('tiny')).eval()
    network.detection_head = OneRightHand()
    return network


def reconstructor(network, detector: str, **detection) -> OnlineReconstructor:
    network.encoded = 0
    config = ReconstructorConfig(device='cpu', detection=DetectionConfig(detector=detector, **detection))
    return OnlineReconstructor(network, hand_layer(), make_detector(config), config)


def frame(index: int = 0, **changes) -> CameraFrame:
    image = np.random.default_rng(index).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    return replace(CameraFrame(image, index * 10**8, Intrinsics.from_field_of_view(60.0, 640, 480)), **changes)


@pytest.mark.parametrize('detector', ['network', 'auto'])
def test_the_hand_is_where_the_head_saw_it_in_the_source_image(network, detector):
    (hand,) = reconstructor(network, detector).process(frame()).hands
    scale = 640 / 224  # 640 x 480 becomes 224 x 168, of which four rows are cut at the top
    x1, y1, x2, y2 = RIGHT_BOX
    expected = np.array([x1, y1 + 4, x2, y2 + 4]) * scale + (scale - 1) / 2
    np.testing.assert_allclose(hand.box, expected, atol=1e-3)
    assert hand.side == HandSide.RIGHT
    assert hand.score == pytest.approx(torch.tensor(4.0).sigmoid().item(), abs=1e-5)


def test_an_image_is_encoded_once_whoever_looks_for_hands(network):
    for detector, detections in (('network', None), ('auto', None), ('auto', (GIVEN,)), ('topic', None)):
        reconstruct = reconstructor(network, detector)
        for index in range(2):
            reconstruct.process(frame(index, detections=detections))
        assert network.encoded == 2, detector


def test_tokens_from_the_detector_change_nothing(network):
    found = reconstructor(network, 'network').process(frame())
    boxes = tuple(HandDetection(hand.box, hand.side, hand.score) for hand in found.hands)
    given = reconstructor(network, 'topic').process(frame(detections=boxes))
    np.testing.assert_array_equal(given.points_camera, found.points_camera)
    np.testing.assert_array_equal(given.hands[0].vertices_camera, found.hands[0].vertices_camera)


def test_given_boxes_go_before_the_head_even_when_there_are_none(network):
    reconstruct = reconstructor(network, 'auto')
    (hand,) = reconstruct.process(frame(0, detections=(GIVEN,))).hands
    assert hand.side == HandSide.LEFT
    assert reconstruct.process(frame(1, detections=())).seen_hands == ()
    assert reconstruct.process(frame(2)).seen_hands[0].side == HandSide.RIGHT


def test_between_runs_of_the_head_boxes_follow_the_hands(network):
    reconstruct = reconstructor(network, 'network', interval=3)
    asked = []
    head = network.detection_head
    handle = head.register_forward_hook(lambda *_: asked.append(1))
    try:
        counts = [len(reconstruct.process(frame(index)).hands) for index in range(4)]
    finally:
        handle.remove()
    assert counts == [1, 1, 1, 1]
    assert len(asked) == 2


def test_weak_peaks_are_no_hands(network):
    network.detection_head.score = -1.0
    try:
        assert reconstructor(network, 'network').process(frame()).hands == ()
        assert len(reconstructor(network, 'network', min_score=0.2).process(frame()).hands) == 1
    finally:
        network.detection_head.score = 4.0


def test_max_hands_zero_means_no_hands(network):
    config = ReconstructorConfig(device='cpu', max_hands=0, detection=DetectionConfig(detector='network'))
    assert OnlineReconstructor(network, hand_layer(), make_detector(config), config).process(frame()).hands == ()


def test_weights_without_the_head_are_refused_by_network_and_accepted_by_auto():
    plain = Hand3R(preset('tiny')).eval()
    plain.encoded = 0
    with pytest.raises(DetectorUnavailableError, match='hand3r-lab train detector'):
        reconstructor(plain, 'network')
    automatic = reconstructor(plain, 'auto')
    with pytest.raises(DetectorUnavailableError, match='hand3r-lab train detector'):
        automatic.reconfigure(replace(automatic.config, detection=DetectionConfig(detector='network')))
    assert automatic.process(frame(0)).hands == ()
    assert len(automatic.process(frame(1, detections=(GIVEN,))).hands) == 1
