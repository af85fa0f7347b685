"""The running node finds hands by itself when nobody publishes boxes, and takes boxes when somebody does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from harness import CAMERA_FRAME, RELIABLE_IMAGES, RunningNode, detections_message, image_message, running_node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image
from vision_msgs.msg import Detection2DArray

from hand3r_lab.evaluation.detection import DetectionScore, TrueHand
from hand3r_lab.scenes.sequence import SceneConfig, Sequence
from hand3r_lab.scenes.splits import sequence_seed
from hand3r_msgs.msg import HandMesh, HandMeshArray
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.network.checkpoints import read_weights_info, save_network
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import with_detection_head
from hand3r_ros.node import messages, messages_scene
from hand3r_ros.online.results import HandDetection

SHIPPED = Path(__file__).parents[2] / 'weights'
LEFT_BOX = {'left': (40.0, 60.0, 130.0, 150.0)}


@pytest.fixture(scope='module')
def eager_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights whose head was not trained and sees right hands everywhere, left ones nowhere."""
    folder = tmp_path_factory.mktemp('eager')
    torch.manual_seed(0)
    network = Hand3R(with_detection_head('tiny'))
    assert network.detection_head is not None
    with torch.no_grad():
        network.detection_head.heat.bias.copy_(torch.tensor([-8.0, 2.0]))  # type: ignore[union-attr]
    save_network(folder / 'tiny.safetensors', network, {'preset': 'tiny', 'hand_model': 'open_hand'})
    return folder


@pytest.fixture(scope='module')
def node(eager_weights: Path) -> Iterator[RunningNode]:
    parameters = {'weights_dir': eager_weights, **RELIABLE_IMAGES, 'max_hands': 1, 'detections.wait': 5.0}
    with running_node(parameters) as running:
        running.client.record(HandMeshArray, '/hand3r/hands')
        create_camera(running)
        running.wait_for_state('active')
        running.client.wait(running.image_publisher.get_subscription_count, 'the image subscription')
        yield running
        assert running.close() == 0


def create_camera(running: RunningNode) -> None:
    """Publishers of image and calibration; nobody publishes detections."""
    reliable = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
    running.image_publisher = running.client.create_publisher(Image, 'image', reliable)
    running.info_publisher = running.client.create_publisher(CameraInfo, 'camera_info', reliable)


def hands_in(running: RunningNode, pixels, camera) -> HandMeshArray:
    """What the node says about one image."""
    stamp = running.next_stamp()
    header = messages.header(messages.time_from_nanoseconds(stamp), CAMERA_FRAME)
    running.info_publisher.publish(messages_scene.camera_info(header, camera))
    running.image_publisher.publish(image_message(stamp, pixels))
    return running.client.message_at('/hand3r/hands', stamp)


def scene(index: int, hands: str = 'both', frames: int = 1) -> Sequence:
    config = SceneConfig(width=320, height=240, frames=frames, hands=hands)
    return Sequence(sequence_seed('validation', index), config)


def test_hands_come_without_a_detections_topic_and_boxes_go_first(node: RunningNode) -> None:
    frame = scene(0, hands='none').frame(0)  # so that only the head, which sees right hands everywhere, finds one
    (found,) = hands_in(node, frame.image, frame.intrinsics).hands
    assert found.side == HandMesh.RIGHT

    reliable = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
    node.detections_publisher = node.client.create_publisher(Detection2DArray, 'detections', reliable)
    node.client.wait(node.detections_publisher.get_subscription_count, 'the subscription of detections')
    # The node waits for boxes as soon as it knows their publisher, which may be after the publisher knows the node.
    for _ in range(20):
        stamp = node.stamp_ns + 100_000_000
        node.detections_publisher.publish(detections_message(stamp, LEFT_BOX))
        (given,) = hands_in(node, frame.image, frame.intrinsics).hands
        if given.side == HandMesh.LEFT:
            return
    pytest.fail('the boxes of the topic were never used')


def test_the_shipped_weights_find_the_hands_of_rendered_scenes() -> None:
    if read_weights_info(SHIPPED / 'tiny.safetensors').config.detection is None:
        pytest.skip('the shipped weights have no hand detection head (hand3r-lab train detector adds it)')
    score = DetectionScore()
    # Every image is of another scene, in which a pose from feature tracks would be lost.
    parameters = {'weights_dir': SHIPPED, **RELIABLE_IMAGES, 'detector': 'network', 'pose_source': 'network'}
    with running_node(parameters) as running:
        running.client.record(HandMeshArray, '/hand3r/hands')
        create_camera(running)
        running.wait_for_state('active')
        running.client.wait(running.image_publisher.get_subscription_count, 'the image subscription')
        for index in range(16):
            frame = scene(index).frame(0)
            truth = [TrueHand(hand.box, hand.side, hand.visible_fraction) for hand in frame.hands]
            found = [detection(hand) for hand in hands_in(running, frame.image, frame.intrinsics).hands]
            score.add([hand for hand in truth if hand.visible_fraction > 0.0], found)
    numbers = score.numbers()
    assert numbers['hands'] >= 16
    assert numbers['F1'] > 0.2, numbers  # that it works at all; how well is for `hand3r-lab evaluate --detection`


def detection(hand: HandMesh) -> HandDetection:
    """The box a published hand came from."""
    side = HandSide.RIGHT if hand.side == HandMesh.RIGHT else HandSide.LEFT
    return HandDetection(np.array(hand.bbox, float), side, float(hand.score))
