"""The landmark networks' weights are found, and a damaged file is refused by name."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from hand3r_ros.checkpoints.landmark_weights import LANDMARK_FILE, load_landmark_networks
from hand3r_ros.checkpoints.locations import packaged_weights
from hand3r_ros.network.checkpoints import WeightsError


def changed(folder, change):
    tensors = load_file(packaged_weights() / LANDMARK_FILE)
    change(tensors)
    save_file(tensors, folder / LANDMARK_FILE)


def test_a_folder_without_them_falls_back_on_the_package(tmp_path):
    palms, landmarks = load_landmark_networks(tmp_path)
    assert not palms.training and not landmarks.training
    assert not any(parameter.requires_grad for parameter in landmarks.parameters())


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda tensors: tensors.pop('presence.bias'), 'presence.bias has shape None'),
        (lambda tensors: tensors.update(extra=torch.zeros(1)), 'extra has shape'),
        (lambda tensors: tensors['presence.bias'].fill_(float('nan')), 'not finite'),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path, change, words):
    changed(tmp_path, change)
    with pytest.raises(WeightsError, match=words):
        load_landmark_networks(tmp_path)


def test_a_truncated_file_is_refused(tmp_path):
    (tmp_path / LANDMARK_FILE).write_bytes((packaged_weights() / LANDMARK_FILE).read_bytes()[:1000])
    with pytest.raises(WeightsError, match='cannot be read'):
        load_landmark_networks(tmp_path)
