"""The training loop: resumable, reproducible, and it stops at a bad loss without losing the last good state."""

import dataclasses

import pytest
import torch
from torch import nn

from hand3r_ros.training.config import TrainingConfig
from hand3r_ros.training.loop import NonFiniteLossError, TrainingLoop


def make(tmp_path, steps, seed=0):
    torch.manual_seed(seed)
    module = nn.Linear(4, 1)
    config = TrainingConfig('hand', out=str(tmp_path), steps=steps, checkpoint_every=5, warmup_steps=2)
    loop = TrainingLoop(config, module, [(list(module.parameters()), 1e-2)])

    def step(generator):
        inputs = torch.randn(8, 4, generator=generator)
        return {'total': (module(inputs) - inputs.sum(-1, keepdim=True)).square().mean()}

    return module, loop, step


def test_an_interrupted_run_ends_like_an_uninterrupted_one(tmp_path):
    whole, loop, step = make(tmp_path / 'whole', 20)
    loop.run(step)
    interrupted, loop, step = make(tmp_path / 'parts', 20)

    def stops_at_twelve(generator):
        if loop.step_index == 12:
            raise KeyboardInterrupt
        return step(generator)

    with pytest.raises(KeyboardInterrupt):
        loop.run(stops_at_twelve)
    resumed, loop, step = make(tmp_path / 'parts', 20, seed=99)
    loop.run(step)
    assert loop.step_index == 20
    torch.testing.assert_close(resumed.weight, whole.weight)
    assert interrupted.weight is not resumed.weight


def test_a_bad_loss_stops_and_keeps_the_checkpoint(tmp_path):
    _, loop, step = make(tmp_path, 20)

    def breaks(generator):
        losses = step(generator)
        return {'total': losses['total'] * float('nan')} if loop.step_index == 7 else losses

    with pytest.raises(NonFiniteLossError, match='step 7'):
        loop.run(breaks)
    state = torch.load(loop.checkpoint_path, weights_only=True)
    assert state['step'] == 5
    assert torch.isfinite(state['module']['weight']).all()


def test_overrides_are_typed_and_named():
    config = TrainingConfig('scene').with_overrides(['steps=7', 'learning_rate=1e-3'])
    assert (config.steps, config.learning_rate) == (7, 1e-3)
    with pytest.raises(ValueError, match='step_count'):
        config.with_overrides(['step_count=7'])
    with pytest.raises(ValueError, match='steps must be a int'):
        config.with_overrides(['steps=many'])
    with pytest.raises(ValueError, match='stage'):
        dataclasses.replace(config, stage='all')
