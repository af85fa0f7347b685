"""Sharing work and workers changes no number, bit for bit."""

import dataclasses

import numpy as np
import pytest
import torch

from hand3r_lab.cli import main
from hand3r_lab.evaluation import rows
from hand3r_lab.evaluation.ablations import ablated
from hand3r_lab.evaluation.jobs import Plan, measure
from hand3r_lab.evaluation.rendered import record_of
from hand3r_lab.evaluation.samples import measure_sequence
from hand3r_lab.evaluation.sharing import Memory, SharedSteps, is_same, share_encoders
from hand3r_lab.evaluation.truth import rendered_sequence
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.network.checkpoints import WeightsError, save_network
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset, with_detection_head
from hand3r_ros.network.types import Frame, HandBoxes
from hand3r_ros.online.detection.registry import make_detector


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp('weights')
    torch.manual_seed(0)
    network = Hand3R(with_detection_head('tiny'))
    save_network(folder / 'tiny.safetensors', network, {'preset': 'tiny', 'hand_model': 'open_hand'})
    return folder


@pytest.fixture(scope='module')
def plan(weights):
    return Plan(weights_dir=weights, sequences=2, frames=2, ablation_sequences=1, detection=True)


@pytest.fixture(scope='module')
def alone(plan):
    return measure(plan, 1)


def test_workers_give_the_same_numbers(plan, alone):
    together = measure(plan, 2)
    assert record_of(plan, together, '') == record_of(plan, alone, '')
    assert_equal(together.samples, alone.samples)
    assert together.detection == alone.detection


def test_every_sequence_counts_and_ablations_see_the_first_ones(plan, alone):
    assert len(alone.samples[rows.OURS].cameras) == plan.sequences
    assert len(alone.samples[rows.SAME_SEQUENCES].cameras) == plan.ablation_sequences
    assert len(alone.samples['ours, zeroed scene'].cameras) == plan.ablation_sequences
    assert alone.detection.right + alone.detection.missed == len(alone.samples[rows.OURS].hands)


def test_what_a_worker_cannot_load_is_said(tmp_path):
    (tmp_path / 'tiny.safetensors').write_bytes(b'damaged')
    with pytest.raises(WeightsError, match='damaged'):
        measure(Plan(weights_dir=tmp_path, sequences=2, frames=1), 2)


def test_what_cannot_be_measured_is_refused(weights, capsys):
    for arguments, reason in (
        (['--processes', '0'], 'processes must be at least 1'),
        (['--sequences', '0'], 'sequences must be at least 1'),
        (['--data', '.', '--detection'], 'rendered test set only'),
    ):
        assert main(['evaluate', '--weights-dir', str(weights), *arguments]) == 1
        assert reason in capsys.readouterr().err


def assert_equal(one, other):
    """Nestings of arrays and plain values, bit for bit."""
    if dataclasses.is_dataclass(one):
        one, other = vars(one), vars(other)
    if isinstance(one, dict):
        assert list(one) == list(other)
        one, other = list(one.values()), list(other.values())
    if isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            assert_equal(left, right)
    else:
        np.testing.assert_array_equal(one, other)


def unshared_pipelines(network):
    """Every pipeline with a network of its own, of which nothing is remembered."""
    layer = HandLayer(load_open_hand())
    shared, _ = rows.make_pipelines(copied(network), layer, 'tiny')
    pipelines = {}
    for name, pipeline in shared.items():
        reconstructor = type(pipeline.reconstructor)(
            copied(network), layer, make_detector(pipeline.reconstructor.config), pipeline.reconstructor.config
        )
        pipelines[name] = dataclasses.replace(pipeline, reconstructor=reconstructor)
    return pipelines


def copied(network):
    copy = Hand3R(network.config)
    copy.load_state_dict(network.state_dict())
    return copy.eval()


def parting_sequence():
    """Three frames; in the first one the hands are nearly hidden, so that passes go on from different states."""
    sequence = rendered_sequence(3, 3)
    frames = [
        dataclasses.replace(
            frame,
            hands=tuple(dataclasses.replace(h, visible_fraction=0.9 if frame.index else 0.1) for h in frame.hands),
        )
        for frame in sequence.frames
    ]
    return dataclasses.replace(sequence, frames=frames)


def test_shared_work_gives_the_same_samples():
    torch.manual_seed(1)
    network = Hand3R(preset('tiny')).eval()
    pipelines, _ = rows.make_pipelines(copied(network), HandLayer(load_open_hand()), 'tiny')
    shared = measure_sequence(pipelines, parting_sequence())
    alone = measure_sequence(unshared_pipelines(network), parting_sequence())
    assert len(shared[rows.EVERY_HAND].hands) > len(shared[rows.OURS].hands) > 0
    assert_equal(shared, alone)


def step_all(networks, image, boxes):
    with torch.inference_mode():
        return {name: n.step(n.init_state(1), Frame(image), boxes)[1] for name, n in networks.items()}


def test_ablations_compute_what_they_share_once():
    torch.manual_seed(2)
    network = share_encoders(Hand3R(preset('tiny')).eval())
    whole = SharedSteps.of(network)
    networks = {'ours': whole, 'again': whole, **ablated(network)}
    crop = network.config.hand.crop_size
    boxes = HandBoxes(
        torch.ones(1, 3, crop, crop), torch.tensor([[9.0, 9, 60, 60]]), torch.tensor([True]), torch.tensor([0])
    )
    for number in range(2):
        step_all(networks, torch.full((1, 3, 160, 224), 0.1 * number), boxes)
        assert network.scene.image_encoder.memory.calls == number + 1
        assert network.hand.memory.calls == 1
        assert whole.steps.calls == number + 1


def test_memory_forgets_the_oldest_and_looks_at_content():
    memory = Memory(lambda x: x + 1.0, size=2)
    for value, calls in ((0.0, 1), (0.0, 1), (1.0, 2), (0.0, 2), (2.0, 3), (0.0, 3), (1.0, 4)):
        assert float(memory(torch.tensor(value))) == value + 1.0
        assert memory.calls == calls


def test_what_differs_anywhere_is_not_the_same():
    boxes = HandBoxes.empty(4)
    assert is_same(boxes, HandBoxes.empty(4))
    assert not is_same(boxes, HandBoxes.empty(5))
    assert not is_same(boxes, dataclasses.replace(boxes, is_right=torch.zeros(1, dtype=torch.bool)))
    assert not is_same((torch.zeros(1), None), (torch.zeros(1), torch.zeros(1)))
    assert not is_same(torch.zeros(1), torch.zeros(1, dtype=torch.float64))
