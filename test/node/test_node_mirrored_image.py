"""``mirrored_image`` on the running node: the world and the sides of the real scene, pixels of the mirrored image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from harness import RELIABLE_IMAGES, running_node

from hand3r_lab.scenes.sequence import SceneConfig, Sequence
from hand3r_msgs.msg import Hand3RStatus, HandMesh, HandMeshArray
from hand3r_ros.geometry import project_points
from hand3r_ros.node import messages_hands
from hand3r_ros.node.configuration import reconstructor_config
from hand3r_ros.node.image_correction import mirrored_box, mirrored_calibration, mirrored_pixels
from hand3r_ros.node.lens import Calibration
from hand3r_ros.node.parameters import NodeParameters
from hand3r_ros.online.factory import build_reconstructor
from hand3r_ros.online.results import CameraFrame, HandDetection

HANDS = '/hand3r/hands'
WIDTH = 320


def test_a_mirrored_image_gives_the_hand_that_is_really_there(weights_dir: Path) -> None:
    scene = SceneConfig(width=WIDTH, height=240, frames=1, hands='right', effects=False)
    rendered = Sequence(200_000_003, scene).frame(0)
    truth, camera = rendered.hands[0], rendered.intrinsics
    settings = NodeParameters(weights_dir=str(weights_dir), device='cpu', detector='topic')
    detection = HandDetection(truth.box, truth.side, 0.9)
    frame = CameraFrame(rendered.image, 1, camera, (detection,))
    (expected,) = build_reconstructor(reconstructor_config(settings)).process(frame).hands

    parameters = {'weights_dir': weights_dir, 'device': 'cpu', 'detector': 'topic', 'warmup': False}
    waiting = {'detections.wait': 5.0, 'calibration_wait': 5.0, 'hands.frame': 'camera', 'mirrored_image': True}
    with running_node({**parameters, **waiting, **RELIABLE_IMAGES}) as node:
        node.client.record(HandMeshArray, HANDS)
        node.client.record(Hand3RStatus, '/hand3r/status')
        node.create_camera()
        node.wait_for_state('active')
        node.wait_for_subscriptions()
        box = mirrored_box(truth.box, WIDTH)
        # In the mirrored image this right hand looks like a left one, to a detector too.
        stamp = node.send(
            pixels=np.ascontiguousarray(rendered.image[:, ::-1]),
            hands={'left': tuple(box)},
            camera=mirrored_calibration(Calibration(camera)).intrinsics,
        )
        (hand,) = node.client.message_at(HANDS, stamp).hands
    assert hand.side == HandMesh.RIGHT
    keypoints = messages_hands.points_of(hand.keypoints)
    assert keypoints == pytest.approx(expected.keypoints_camera, abs=1e-3)
    assert np.array(hand.bbox) == pytest.approx(box, abs=1e-3)
    pixels = mirrored_pixels(project_points(keypoints, camera), WIDTH)
    assert messages_hands.points_of(hand.keypoints_2d, 2) == pytest.approx(pixels, abs=0.1)
