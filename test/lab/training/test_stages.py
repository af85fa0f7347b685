"""Every stage trains on rendered data, changes what it should and nothing else, and hands over to the next."""

import dataclasses

import pytest
import torch

from hand3r_lab.training.config import TrainingConfig
from hand3r_lab.training.datasets import ClipDataset
from hand3r_lab.training.fusion_stage import FusionObjective
from hand3r_lab.training.losses import absolute_loss, image_loss, translation_loss
from hand3r_lab.training.rendered_data import RenderedData, RenderedDataLayout
from hand3r_lab.training.rendering import render_dataset
from hand3r_lab.training.run import run_training
from hand3r_lab.training.scene_stage import SceneLearner, SceneObjective
from hand3r_lab.training.stage import segments
from hand3r_lab.training.unroll import unroll
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.network.checkpoints import WeightsError, load_network
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Three short rendered sequences."""
    directory = tmp_path_factory.mktemp('rendered')
    config = preset('tiny')
    layout = RenderedDataLayout('train', 3, 3, 160, 224, config.hand.crop_size, config.hand.crop_rescale)
    render_dataset(directory, layout, 1)
    return directory


def settings(stage, data, out, *overrides):
    """Two steps of a stage."""
    fixed = ['steps=2', 'batch=2', 'clip_frames=2', 'warmup_steps=1', 'device=cpu', f'data={data}', f'out={out}']
    fixed.append('intrinsics_dropout=0')  # two roll-outs are told the same
    return TrainingConfig(stage).with_overrides([*fixed, *overrides])


@pytest.fixture(scope='module')
def trained(data, tmp_path_factory):
    """A folder with both streams and weights, two steps each."""
    out = tmp_path_factory.mktemp('trained')
    run_training(settings('scene', data, out))
    run_training(settings('hand', data, out))
    run_training(settings('fusion', data, out), out / 'tiny.safetensors')
    return out


def parameters(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def changed(before, after, prefix):
    """Names below a prefix that differ by more than half precision keeps."""
    names = [name for name in before if name.startswith(prefix) and before[name].is_floating_point()]
    assert names
    return [name for name in names if not torch.allclose(before[name], after[name], rtol=2e-3, atol=1e-5)]


def stream(out, stage):
    return torch.load(out / stage / 'checkpoint.pt', weights_only=True)['module']


def test_the_stages_end_in_weights_that_the_package_loads(trained):
    network, info = load_network(trained, 'tiny')
    assert info.hand_model == 'open_hand'
    assert info.metadata['pose_source'] == 'geometric'
    hand = {f'hand.{name}': value for name, value in stream(trained, 'hand').items()}
    assert not changed(hand, network.state_dict(), 'hand.')  # fusion leaves the expert alone
    # and teaches the scene stream to look at prompts
    assert changed(stream(trained, 'scene'), network.state_dict(), 'scene.decoder')


def test_a_frozen_scene_stays_as_it_is(data, trained, tmp_path):
    start, _ = load_network(trained, 'tiny')
    file = trained / 'tiny.safetensors'
    config = settings('fusion', data, tmp_path, f'start_from={file}', 'scene_learning_rate=0')
    run_training(config, tmp_path / 'tiny.safetensors')
    after, _ = load_network(tmp_path, 'tiny')
    assert not changed(parameters(start), after.state_dict(), 'scene.')
    assert changed(parameters(start), after.state_dict(), 'prompt_encoder.')


def test_only_the_mano_head_learns_in_the_papers_first_stage(data, trained, tmp_path):
    start, _ = load_network(trained, 'tiny')
    config = settings('hand', data, tmp_path, f'start_from={trained / "tiny.safetensors"}', 'train_backbone=false')
    run_training(config)
    before = {name: value for name, value in start.hand.state_dict().items()}
    after = stream(tmp_path, 'hand')
    assert not changed(before, after, 'backbone.')
    assert changed(before, after, 'mano_head.')


def test_fusion_without_trained_streams_says_what_to_do(data, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"train the stage 'scene' first.*or give start_from="):
        run_training(settings('fusion', data, tmp_path))


def test_where_fusion_writes_is_checked_before_training(data, tmp_path):
    config = settings('fusion', data, tmp_path / 'out')
    with pytest.raises(ValueError, match=r'mine\.safetensors must be named tiny\.safetensors'):
        run_training(config, tmp_path / 'mine.safetensors')
    (tmp_path / 'file').write_text('')
    with pytest.raises(WeightsError, match=r'the folder .*file cannot be made'):
        run_training(config, tmp_path / 'file' / 'tiny.safetensors')
    assert not (tmp_path / 'out').exists()


def test_fusion_without_a_weights_file_says_so(data, trained, tmp_path, capsys):
    run_training(settings('fusion', data, tmp_path, f'start_from={trained / "tiny.safetensors"}', 'steps=1'))
    assert 'only the checkpoint' in (text := capsys.readouterr().out)
    assert '--weights FOLDER/tiny.safetensors' in text


def test_weights_of_another_name_are_refused(data, trained, tmp_path):
    config = settings('hand', data, tmp_path, f'start_from={trained / "scene" / "checkpoint.pt"}')
    with pytest.raises(ValueError, match=r'start_from must be a file named tiny\.safetensors'):
        run_training(config)


def clip_and_network(data, frames):
    torch.manual_seed(1)
    clips = ClipDataset(RenderedData.open(data), frames)
    return clips.batch(1, torch.Generator().manual_seed(3)), Hand3R(preset('tiny'))


def gradients(network, clip, config):
    """Gradients of the scene losses by parameter."""
    network.zero_grad()
    memory = None
    for segment in segments(clip, config.truncate_frames):
        losses, memory = SceneObjective(network, SceneLearner(network), config)(segment, memory)
        losses['total'].backward()
        memory = dataclasses.replace(memory, tokens=memory.tokens.detach(), memory=memory.memory.detach())
    named = network.scene.named_parameters()
    return {name: parameter.grad.clone() for name, parameter in named if parameter.grad is not None}


def test_checkpointed_activations_give_the_same_gradients(data, tmp_path):
    clip, network = clip_and_network(data, 3)
    plain = gradients(network, clip, settings('scene', data, tmp_path, 'clip_frames=3'))
    again = gradients(network, clip, settings('scene', data, tmp_path, 'clip_frames=3', 'checkpoint_activations=true'))
    assert plain.keys() == again.keys()
    for name, gradient in plain.items():
        torch.testing.assert_close(again[name], gradient, rtol=1e-3, atol=1e-5)


def test_a_truncated_clip_carries_the_state_but_no_gradient(data, tmp_path):
    clip, network = clip_and_network(data, 2)
    whole = settings('scene', data, tmp_path)
    cut = settings('scene', data, tmp_path, 'truncate_frames=1')
    _, state = unroll(network, clip[:1], whole, with_hands=False)
    (second_whole,), _ = unroll(network, clip[1:], whole, with_hands=False, state=state)
    together, _ = unroll(network, clip, whole, with_hands=False)
    torch.testing.assert_close(second_whole.scene.points_self, together[1].scene.points_self)
    # How the state is updated matters only to later frames: without gradients through time nothing teaches it.
    through, cut_off = gradients(network, clip, whole), gradients(network, clip, cut)
    taught = through.keys() - cut_off.keys()
    assert taught
    assert all('state' in name or 'memory' in name for name in taught), taught


def test_bfloat16_runs_the_network_and_returns_float32(data, tmp_path):
    clip, network = clip_and_network(data, 2)
    exact, _ = unroll(network, clip, settings('scene', data, tmp_path), with_hands=True)
    rough, state = unroll(network, clip, settings('scene', data, tmp_path, 'precision=bfloat16'), with_hands=True)
    assert state.tokens.dtype == rough[1].scene.points_self.dtype == torch.float32
    difference = (exact[1].scene.points_self - rough[1].scene.points_self).abs().max()
    assert 0.0 < difference < 0.1


def test_placing_losses_are_metres_and_viewing_directions():
    truth = torch.tensor([[[0.0, 0.0, 1.0], [0.1, 0.0, 2.0]]])
    there = torch.tensor([True])
    assert float(absolute_loss(truth + torch.tensor([0.0, 0.0, 0.5]), truth, there)) == pytest.approx(0.5)
    assert float(translation_loss(truth[:, 1], truth[:, 1] + torch.tensor([0.0, 0.0, 0.5]), there)) == pytest.approx(
        0.54
    )
    assert float(image_loss(truth * 2.0, truth, there)) == 0.0  # the same directions
    shifted = truth + torch.tensor([0.1, 0.0, 0.0])
    assert float(image_loss(shifted, truth, there)) == pytest.approx((0.1 + 0.05) / 4.0)
    behind = truth * torch.tensor([1.0, 1.0, -1.0])
    assert float(image_loss(truth, behind, there)) == 0.0


def test_hands_that_are_not_there_are_not_placed():
    truth = torch.tensor([[[0.0, 0.0, 1.0]], [[0.0, 0.0, 0.0]]])
    predicted = truth + torch.tensor([0.0, 0.3, 0.0])
    one, both = torch.tensor([True, False]), torch.tensor([True, True])
    assert float(absolute_loss(predicted, truth, one)) == pytest.approx(0.3)
    assert float(image_loss(predicted, truth, one)) == pytest.approx(0.15)
    assert float(translation_loss(predicted[:, 0], truth[:, 0], one)) == pytest.approx(0.3)
    assert float(translation_loss(predicted[:, 0], truth[:, 0] * 2.0, both)) != pytest.approx(0.3)


def test_fixed_places_give_the_losses_of_the_hands_alone(data, tmp_path):
    torch.manual_seed(1)
    network = Hand3R(preset('tiny')).eval()
    config = settings('fusion', data, tmp_path)
    losses, counts = [], []
    for fixed in (False, True):
        clips = ClipDataset(RenderedData.open(data), 2, fixed_places=fixed)
        clip = clips.batch(3, torch.Generator().manual_seed(3))
        counts.append([len(frame.hand_wrist) for frame in clip])
        objective = FusionObjective(network, HandLayer(load_open_hand()), config)
        losses.append({name: value.item() for name, value in objective(clip, None).losses.items()})
    assert counts[1] == [6, 6] != counts[0]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4, abs=1e-6)
    assert losses[0]['wrist_mm'] > 1.0
