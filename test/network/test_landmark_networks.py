"""Palm detector and landmark network compute what the published .tflite files compute (outputs of LiteRT, stored)."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from hand3r_ros.checkpoints.landmark_weights import load_landmark_networks
from hand3r_ros.network.landmarks.landmark_network import CROP_SIZE
from hand3r_ros.network.landmarks.palm_detector import IMAGE_SIZE

DATA = Path(__file__).parent / 'data' / 'landmarks'
TOLERANCE = 1e-3


@pytest.fixture(scope='module')
def reference():
    with np.load(DATA / 'reference.npz') as file:
        return dict(file)


@pytest.fixture(scope='module')
def networks():
    return load_landmark_networks()


def crops() -> torch.Tensor:
    images = [cv2.imread(str(DATA / f'hand_{index}.png'))[:, :, ::-1] for index in range(10)]
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255.0


@torch.inference_mode()
def test_landmarks_of_ten_crops_are_those_of_the_published_network(networks, reference):
    output = networks[1](crops())
    assert output.keypoints.shape == (10, 21, 3)
    for name in ('keypoints', 'presence', 'right', 'points_metric'):
        found = getattr(output, name).reshape(10, -1).numpy()
        np.testing.assert_allclose(found, reference[name], atol=TOLERANCE, rtol=0, err_msg=name)


@torch.inference_mode()
def test_palms_of_ten_images_are_those_of_the_published_network(networks, reference):
    border = (CROP_SIZE - IMAGE_SIZE) // 2
    palms = networks[0]
    output = palms(crops()[:, :, border:-border, border:-border])
    probability = 1.0 / (1.0 + np.exp(-reference['palm_logits'].clip(-100, 100)))
    np.testing.assert_allclose(output.scores.numpy(), probability, atol=TOLERANCE, rtol=0)
    # The published numbers are offsets from the anchors in pixels of the input.
    boxes = torch.cat([output.boxes[..., :2] - palms.anchors, output.boxes[..., 2:]], -1)
    offsets = torch.cat([boxes, (output.keypoints - palms.anchors[:, None]).flatten(-2)], -1) * IMAGE_SIZE
    np.testing.assert_allclose(offsets[:, ::9].numpy(), reference['palm_values'], atol=TOLERANCE, rtol=0)


@torch.inference_mode()
def test_features_are_what_the_read_outs_see(networks):
    output = networks[1](crops()[:1])
    assert output.features.shape == (1, 1152, 7, 7)
    assert torch.allclose(networks[1].presence(output.features.mean((2, 3))).sigmoid()[:, 0], output.presence)
