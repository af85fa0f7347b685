"""A MANO head on fused tokens: it alone learns, its file goes with one weights file, and evaluation shows its row."""

import numpy as np
import pytest
import torch

from hand3r_lab.evaluation.ablations import FUSED_HEAD
from hand3r_lab.evaluation.jobs import Plan, measure
from hand3r_lab.evaluation.rendered import record_of
from hand3r_lab.evaluation.rows import SAME_SEQUENCES
from hand3r_lab.fused_head import FusedHeadNetwork, load_fused_head, save_fused_head
from hand3r_lab.training.config import TrainingConfig
from hand3r_lab.training.fused_head_stage import ArticulatedClips, fused_head_stage, starting_head
from hand3r_lab.training.rendered_data import RenderedData, RenderedDataLayout
from hand3r_lab.training.rendering import render_dataset
from hand3r_lab.training.run import run_training
from hand3r_ros.network.checkpoints import WeightsError, load_network, save_network
from hand3r_ros.network.hand.viewing_ray import in_camera
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset
from hand3r_ros.network.types import Frame, HandBoxes

METADATA = {'preset': 'tiny', 'hand_model': 'open_hand'}


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    directory = tmp_path_factory.mktemp('rendered')
    config = preset('tiny')
    layout = RenderedDataLayout('train', 3, 3, 160, 224, config.hand.crop_size, config.hand.crop_rescale)
    render_dataset(directory, layout, 1)
    return directory


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    file = tmp_path_factory.mktemp('weights') / 'tiny.safetensors'
    torch.manual_seed(0)
    save_network(file, Hand3R(preset('tiny')), METADATA)
    return file


def settings(data, out, *overrides):
    fixed = ['steps=2', 'batch=2', 'clip_frames=2', 'warmup_steps=1', 'device=cpu', f'data={data}', f'out={out}']
    return TrainingConfig('fused_head').with_overrides([*fixed, *overrides])


@pytest.fixture(scope='module')
def head(data, weights, tmp_path_factory):
    out = tmp_path_factory.mktemp('trained')
    before = weights.read_bytes()
    run_training(settings(data, out, 'learning_rate=1e-2'), weights, out / 'head.safetensors')
    assert weights.read_bytes() == before
    return out / 'head.safetensors'


def test_the_trained_head_differs_from_where_it_started(head, weights):
    network, _ = load_network(weights.parent, 'tiny')
    start, trained = starting_head(network), load_fused_head(head, network.config, weights)
    moved = [name for name, value in start.named_parameters() if not torch.equal(value, trained.state_dict()[name])]
    assert 'pose.weight' in moved
    assert torch.equal(start.pose.weight, network.hand.mano_head.pose.weight)
    assert start.layers[0].cross_attention.key_value.in_features == network.config.prompt.decoder_width


def test_only_the_head_gets_gradients(data, weights, tmp_path):
    network, _ = load_network(weights.parent, 'tiny')
    stage = fused_head_stage(settings(data, tmp_path), network)
    (segment,) = stage.draw(torch.Generator().manual_seed(0))
    losses, _ = stage.objective(segment, None)
    losses['total'].backward()
    touched = {name for name, p in stage.objective.network.named_parameters() if p.grad is not None}
    assert touched
    assert all(name.startswith('fused_head.') for name in touched)


def test_a_clip_without_hands_costs_nothing(data, weights, tmp_path):
    network, _ = load_network(weights.parent, 'tiny')
    stage = fused_head_stage(settings(data, tmp_path), network)
    clips = ArticulatedClips(RenderedData.open(data), 2, smallest_visible=2.0)  # nothing is visible enough
    losses, state = stage.objective(clips.articulated_batch(1, torch.Generator().manual_seed(0)), None)
    losses['total'].backward()
    assert float(losses['total'].detach()) == 0.0
    assert state.started


def test_articulation_belongs_to_the_hands_of_the_clip(data):
    clips = ArticulatedClips(RenderedData.open(data), 3)
    arrays, checked = clips.data.arrays, 0
    for frame in clips.articulated_batch(3, torch.Generator().manual_seed(4)):
        assert len(frame.rotations) == len(frame.betas) == len(frame.keypoints_crop) == len(frame.clip.hand_wrist)
        for wrist, rotations in zip(frame.clip.hand_wrist, frame.rotations, strict=True):
            same = np.abs(arrays['hand_wrist']) == np.abs(wrist.numpy())  # clips may be mirrored
            (where,) = np.argwhere(same.all(-1) & arrays['hand_valid'])
            np.testing.assert_array_equal(arrays['hand_rotations'][tuple(where)], rotations.numpy())
            checked += 1
    assert checked


def test_the_head_reads_the_decoded_token_and_leaves_the_rest(weights):
    network, _ = load_network(weights.parent, 'tiny')
    extended = FusedHeadNetwork.of(network, starting_head(network))
    crop = network.config.hand.crop_size
    boxes = HandBoxes(
        torch.rand(1, 3, crop, crop), torch.tensor([[9.0, 9, 60, 60]]), torch.tensor([True]), torch.tensor([0])
    )
    seen = []
    network.translation_head.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    with torch.inference_mode():
        frame = Frame(torch.rand(1, 3, 160, 224))
        _, ours = network.step(network.init_state(1), frame, boxes)
        _, fused = extended.step(extended.init_state(1), frame, boxes)
        expected = extended.fused_head(seen[0][:, None])
    assert torch.equal(fused.hands.rotations, in_camera(expected.rotations, fused.hands.slopes))
    assert not torch.equal(fused.hands.rotations, ours.hands.rotations)
    assert torch.equal(fused.hands.translation, ours.hands.translation)
    assert torch.equal(fused.scene.points_self, ours.scene.points_self)


def test_evaluation_has_its_row_beside_the_whole_network(head, weights):
    plan = Plan(weights_dir=weights.parent, sequences=1, frames=2, fused_head=head)
    rows = record_of(plan, measure(plan, 1), '').rows
    assert np.isfinite(rows[FUSED_HEAD]['PA-MPJPE mm'])
    assert rows[FUSED_HEAD]['PA-MPJPE mm'] != rows[SAME_SEQUENCES]['PA-MPJPE mm']
    assert rows[FUSED_HEAD]['depth AbsRel'] == rows[SAME_SEQUENCES]['depth AbsRel']


def test_a_head_of_other_weights_is_refused(head, weights, tmp_path):
    other = tmp_path / 'tiny.safetensors'
    torch.manual_seed(1)
    save_network(other, Hand3R(preset('tiny')), METADATA)
    config = preset('tiny')
    with pytest.raises(WeightsError, match=r'trained on other weights.*hand3r-lab train fused_head'):
        load_fused_head(head, config, other)
    with pytest.raises(WeightsError, match='no MANO head on fused tokens'):
        load_fused_head(other, config, other)
    with pytest.raises(WeightsError, match='no MANO head on fused tokens'):
        load_fused_head(tmp_path / 'missing.safetensors', config, weights)


def test_a_saved_head_is_read_back(weights, tmp_path):
    network, _ = load_network(weights.parent, 'tiny')
    head = starting_head(network)
    save_fused_head(tmp_path / 'head.safetensors', head, weights)
    again = load_fused_head(tmp_path / 'head.safetensors', network.config, weights)
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in head.state_dict().items())


def test_files_have_to_be_named(data, weights, tmp_path):
    with pytest.raises(ValueError, match=r'needs --weights .* and --output'):
        run_training(settings(data, tmp_path), weights)
    with pytest.raises(WeightsError, match='does not exist: make it first'):
        run_training(settings(data, tmp_path), weights, tmp_path / 'no' / 'head.safetensors')
