"""A captured step does what an eager one does, and a step that can be captured asks the device for nothing."""

import copy
import dataclasses
from collections.abc import Callable

import pytest
import torch
from fitting import SumObjective, clip, configuration, sum_stage
from torch import nn
from torch.profiler import ProfilerActivity, profile

from hand3r_lab.training.clips import ClipFrame
from hand3r_lab.training.config import TrainingConfig
from hand3r_lab.training.cuda_graphs import MAX_GRAPHS, EagerStep, GraphedStep
from hand3r_lab.training.datasets import HandBatch
from hand3r_lab.training.detection_data import DetectionBatch
from hand3r_lab.training.fusion_stage import FusionObjective
from hand3r_lab.training.hand_stage import HandObjective, HandStep
from hand3r_lab.training.lifting_task import lifting_task
from hand3r_lab.training.loop import TrainingLoop
from hand3r_lab.training.scene_stage import SceneLearner, SceneObjective
from hand3r_lab.training.stage import Outcome
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset, with_detection_head
from hand3r_ros.network.rotations import matrix_from_rotation_6d
from hand3r_ros.network.types import HandBoxes

CPU = torch.device('cpu')
ASKING = ('_local_scalar_dense', 'lift_fresh', 'nonzero', 'masked_select', 'equal', 'is_nonzero', 'unique')
"""Operations whose result the host has to wait for, or which bring numbers from the host."""


def asked(compute: Callable[[], object]) -> list[str]:
    """Operations of a computation that no CUDA graph can hold, those of its gradients among them.

    Read from a profile: some gradients ask the device only while no dispatch mode is looking.
    """
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        compute()
    return [event.name for event in seen.events() if event.name.removeprefix('aten::') in ASKING]


class Replayed:
    """A stand-in for a CUDA graph: computes again, and leaves results and gradients where they were before."""

    def __init__(self) -> None:
        self.recorded = self.replays = 0

    def __call__(self, compute, parameters):
        self.recorded += 1
        for parameter in parameters:
            parameter.grad = None
        losses = compute()
        gradients = [parameter.grad for parameter in parameters]

        def replay() -> None:
            self.replays += 1
            for parameter in parameters:
                parameter.grad = None
            for name, value in compute().items():
                losses[name].copy_(value)
            for gradient, parameter in zip(gradients, parameters, strict=True):
                gradient.copy_(parameter.grad)

        return losses, replay


def objective() -> SumObjective:
    torch.manual_seed(0)
    return SumObjective().eval()  # no dropout: passes draw nothing


def gradients(module: nn.Module) -> list[torch.Tensor]:
    found = [parameter.grad.clone() for parameter in module.parameters()]
    module.zero_grad()
    return found


def test_a_captured_step_gives_the_losses_and_gradients_of_an_eager_one() -> None:
    one = objective()
    other = copy.deepcopy(one)
    recorder = Replayed()
    graphed = GraphedStep(one, list(one.parameters()), CPU, recorder)
    eager = EagerStep(other, CPU)
    for seed in range(3):
        batch = torch.randn(5, 4, generator=torch.Generator().manual_seed(seed))
        found, expected = graphed(batch, None, 0.5), eager(batch, None, 0.5)
        assert torch.equal(found.losses['total'], expected.losses['total'])
        for mine, theirs in zip(gradients(one), gradients(other), strict=True):
            assert torch.equal(mine, theirs)
    assert (recorder.recorded, recorder.replays) == (1, 3)


def test_every_shape_is_captured_once_and_too_many_run_eagerly() -> None:
    one = objective()
    recorder = Replayed()
    graphed = GraphedStep(one, list(one.parameters()), CPU, recorder)
    for count in [*range(1, MAX_GRAPHS + 3), *range(1, MAX_GRAPHS + 3)]:
        batch = torch.randn(count, 4)
        found = graphed(batch, None, 1.0)
        assert torch.equal(found.losses['total'], one(batch, None).losses['total'])
        assert all(gradient.abs().sum() > 0.0 for gradient in gradients(one))
    assert (recorder.recorded, recorder.replays) == (MAX_GRAPHS, 2 * MAX_GRAPHS)


def test_a_told_and_a_hidden_camera_are_two_recordings() -> None:
    seen = []

    class Told(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))

        def forward(self, frames, memory) -> Outcome:
            seen.append(frames[0].intrinsics_known)
            return Outcome({'total': self.weight * frames[0].image.mean()})

    told = clip(1)
    hidden = [dataclasses.replace(told[0], intrinsics_known=False)]
    one = Told()
    recorder = Replayed()
    graphed = GraphedStep(one, list(one.parameters()), CPU, recorder)
    for frames in (told, hidden, told, hidden):
        graphed(frames, None, 1.0)
    assert recorder.recorded == 2
    assert seen == [True, True, False, False, True, False]  # each recorded, then replayed


ALL_LOSSES = {
    'weight_depth': 1.0,
    'weight_relative_depth': 1.0,
    'weight_depth_gradient': 1.0,
    'weight_focal': 0.2,
    'weight_detection': 1.0,
}


def with_places(frame: ClipFrame, told: bool) -> ClipFrame:
    """A frame with a place for either hand in every image, one of them empty, and with hands to be found."""
    side = preset('tiny').hand.crop_size
    present = torch.tensor([True, False, True, True])
    boxes = torch.tensor([[4.0, 4.0, 20.0, 20.0]]).repeat(4, 1) * present[:, None]
    right, images = torch.tensor([False, True] * 2), torch.tensor([0, 0, 1, 1])
    wrist = torch.rand(4, 3) + 0.5
    found = present.view(2, 2)
    return dataclasses.replace(
        frame,
        hands=HandBoxes(torch.randn(4, 3, side, side), boxes, right, images, present),
        hand_wrist=wrist,
        hand_keypoints=wrist[:, None].repeat(1, 21, 1),
        detection=DetectionBatch(frame.image, boxes.view(2, 2, 4), found, ~found),
        intrinsics_known=told,
    )


@pytest.mark.parametrize('told', [True, False])
def test_a_scene_step_asks_the_device_for_nothing(told) -> None:
    config = TrainingConfig('scene').with_values({'weight_table': 1.0, **ALL_LOSSES})
    network = Hand3R(with_detection_head('tiny'))
    learner = SceneLearner(network)
    frames = [with_places(frame, told) for frame in clip(2)]
    compute = EagerStep(SceneObjective(network, learner, config), CPU)
    assert asked(lambda: compute(frames, None, 1.0)) == []


def test_a_hand_step_asks_the_device_for_nothing() -> None:
    config = TrainingConfig('hand')
    stream = Hand3R(preset('tiny')).hand
    layer = HandLayer(load_open_hand())
    rotations = matrix_from_rotation_6d(torch.randn(3, 16, 6))
    generator = torch.Generator().manual_seed(0)
    lifting = lifting_task(rotations, torch.zeros(3, 10), layer, 2.0, generator)
    side = stream.config.crop_size
    hands = HandBatch(
        torch.randn(3, 3, side, side), rotations, torch.zeros(3, 10), torch.rand(3, 21, 2), torch.zeros(3, 2)
    )
    compute = EagerStep(HandObjective(stream, layer, config), CPU)
    assert asked(lambda: compute(HandStep(hands, lifting), None, 1.0)) == []


@pytest.mark.parametrize('told', [True, False])
def test_a_fusion_step_with_fixed_places_asks_the_device_for_nothing(told) -> None:
    config = TrainingConfig('fusion').with_values({'cuda_graphs': True, **ALL_LOSSES})
    network = Hand3R(with_detection_head('tiny'))
    frames = [with_places(frame, told) for frame in clip(2)]
    compute = EagerStep(FusionObjective(network, HandLayer(load_open_hand()), config), CPU)
    assert asked(lambda: compute(frames, None, 1.0)) == []


def test_asking_is_noticed() -> None:
    values = torch.ones(3, 2, requires_grad=True)
    assert asked(lambda: values.sum().item())
    assert asked(lambda: values.new_tensor([1.0]))
    assert asked(lambda: values[values > 0.0])
    assert asked(lambda: values.prod(-1).sum().backward())
    assert not asked(lambda: (values[:, 0] * values[:, 1]).sum().backward())


@pytest.mark.skipif(not torch.cuda.is_available(), reason='CUDA graphs need a CUDA GPU')
def test_a_run_of_cuda_graphs_ends_near_an_eager_one(tmp_path) -> None:
    weights = []
    for recorded in (False, True):
        config = configuration(tmp_path / str(recorded), device='cuda', cuda_graphs=recorded)
        stage = sum_stage(config)
        stage.objective.dropout.p = 0.0
        TrainingLoop(config, stage).run()
        weights.append(stage.trained.weight.cpu())
    torch.testing.assert_close(*weights, rtol=1e-5, atol=1e-6)
