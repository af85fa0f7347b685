"""The shipped weights load, fit in the size they may have, and are those that the model card describes."""

import hashlib
from pathlib import Path

import pytest
import torch

from hand3r_ros.network.checkpoints import load_network
from hand3r_ros.network.types import Frame, HandBoxes

WEIGHTS = Path(__file__).parents[2] / 'weights'
FILE = WEIGHTS / 'tiny.safetensors'


def test_the_card_names_the_checksum_of_the_file():
    assert hashlib.sha256(FILE.read_bytes()).hexdigest() in (WEIGHTS / 'README.md').read_text()


def test_the_file_is_small_enough_to_ship():
    assert FILE.stat().st_size <= 40e6


def test_the_network_loads_and_gives_metric_hands_in_front_of_the_camera():
    network, info = load_network(WEIGHTS, 'tiny')
    assert info.hand_model == 'open_hand'
    crop = network.config.hand.crop_size
    boxes = HandBoxes(
        torch.zeros(1, 3, crop, crop),
        torch.tensor([[90.0, 60.0, 130.0, 100.0]]),
        torch.tensor([True]),
        torch.zeros(1, dtype=torch.int64),
    )
    with torch.inference_mode():
        _, prediction = network.step(network.init_state(1), Frame(torch.zeros(1, 3, 160, 224)), boxes)
    assert prediction.hands.translation is not None
    assert 0.05 < float(prediction.hands.translation[0, 2]) < 3.0
    assert float(prediction.scene.points_self[..., 2].median()) == pytest.approx(1.0, abs=0.9)
