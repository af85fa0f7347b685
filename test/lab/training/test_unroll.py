"""What a roll-out tells the network, and what it computes ahead."""

import dataclasses

import pytest
import torch
from fitting import clip

from hand3r_lab.training.auxiliary_pose import AuxiliaryPoseHead, auxiliary_pose_loss
from hand3r_lab.training.clips import with_intrinsics_dropout
from hand3r_lab.training.config import TrainingConfig
from hand3r_lab.training.fusion_stage import FusionObjective
from hand3r_lab.training.losses import focal_loss
from hand3r_lab.training.scene_stage import SceneLearner, SceneObjective
from hand3r_lab.training.stage import segments
from hand3r_lab.training.unroll import unroll
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset
from hand3r_ros.network.types import Frame, HandBoxes


@pytest.fixture(scope='module')
def network() -> Hand3R:
    torch.manual_seed(0)
    return Hand3R(preset('tiny')).eval()


def settings(**changes) -> TrainingConfig:
    return TrainingConfig('scene').with_values(changes)


def test_encoding_ahead_changes_nothing(network: Hand3R) -> None:
    frames = clip()
    found, state = unroll(network, frames, settings(), with_hands=False)
    expected = network.init_state(2)
    for frame, prediction in zip(frames, found, strict=True):
        camera = Frame(frame.image, intrinsics=frame.intrinsics)
        expected, step = network.step(expected, camera, HandBoxes.empty(128))
        torch.testing.assert_close(prediction.scene.points_self, step.scene.points_self, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(state.tokens, expected.tokens, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize('hidden', [0.0, 1.0])
def test_the_camera_is_told_or_hidden(network: Hand3R, hidden: float) -> None:
    frames = with_intrinsics_dropout(clip(), hidden, torch.Generator().manual_seed(0))
    found, _ = unroll(network, frames, settings(), with_hands=False)
    for prediction in found:
        assert prediction.scene.intrinsics is not None
        told = torch.equal(prediction.scene.intrinsics, clip()[0].intrinsics)
        assert told == (hidden == 0.0)


def test_data_without_intrinsics_leaves_the_network_guessing(network: Hand3R) -> None:
    frames = [dataclasses.replace(frame, intrinsics=None) for frame in clip()]
    found, _ = unroll(network, frames, settings(), with_hands=False)
    assert found[0].scene.intrinsics is found[0].scene.guessed_intrinsics


def test_activations_computed_twice_give_the_same_gradients(network: Hand3R) -> None:
    gradients = []
    for again in (False, True):
        network.zero_grad()
        found, _ = unroll(network, clip(), settings(checkpoint_activations=again), False)
        found[-1].scene.points_self.mean().backward()
        gradient = network.scene.state_tokens.grad
        assert gradient is not None
        gradients.append(gradient.clone())
    torch.testing.assert_close(*gradients, atol=1e-6, rtol=1e-3)


def test_focal_lengths_are_compared_by_their_ratio() -> None:
    guessed, truth = torch.tensor([[100.0, 200.0, 0, 0]]), torch.tensor([[200.0, 200.0, 5, 5]])
    torch.testing.assert_close(focal_loss(guessed, truth, torch.zeros(())), torch.tensor(2.0).log() / 2.0)
    assert float(focal_loss(None, truth, torch.ones(()))) == 0.0


def test_the_table_is_read_from_the_pose_token(network: Hand3R) -> None:
    head = AuxiliaryPoseHead(network.config.scene.decoder_width)
    found, _ = unroll(network, clip(), settings(), with_hands=False)
    loss = auxiliary_pose_loss(head, found, clip())
    network.zero_grad()
    loss.backward()
    assert float(loss) > 0.5  # the table's frame is not where the head starts
    gradient = network.scene.image_encoder.norm.weight.grad
    assert gradient is not None and float(gradient.abs().sum()) > 0.0


def test_scenes_without_a_known_table_teach_nothing_about_it(network: Hand3R) -> None:
    frames = [dataclasses.replace(frame, T_table_camera=None) for frame in clip()]
    found, _ = unroll(network, frames, settings(), with_hands=False)
    assert float(auxiliary_pose_loss(AuxiliaryPoseHead(network.config.scene.decoder_width), found, frames)) == 0.0


def test_a_network_with_a_world_head_learns_points_in_the_first_camera() -> None:
    torch.manual_seed(0)
    config = preset('tiny')
    with_head = Hand3R(dataclasses.replace(config, scene=dataclasses.replace(config.scene, world_head=True)))
    for truncate in (0, 1):
        with_head.zero_grad()
        objective = SceneObjective(with_head, SceneLearner(with_head), settings(truncate_frames=truncate))
        memory = None
        for segment in segments(clip(), truncate):
            losses, memory = objective(segment, memory)
            assert not memory.tokens.requires_grad
            losses['total'].backward()
        assert with_head.scene.heads.world_points is not None
        for parameter in with_head.scene.heads.world_points.parameters():
            assert parameter.grad is not None and float(parameter.grad.abs().sum()) > 0.0


def test_memory_of_fusion_has_no_history(network: Hand3R) -> None:
    objective = FusionObjective(network, HandLayer(load_open_hand()), settings())
    losses, memory = objective(clip(), None)
    assert losses['total'].requires_grad
    assert not memory.tokens.requires_grad and not memory.memory.requires_grad
