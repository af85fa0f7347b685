"""The training loop: resumable, reproducible, and it stops at a bad loss without losing the last good state."""

import dataclasses
import json
import multiprocessing

import pytest
import torch
from fitting import configuration, sum_stage

from hand3r_lab.training.config import TrainingConfig
from hand3r_lab.training.loop import NonFiniteLossError, TrainingLoop
from hand3r_lab.training.run_files import CheckpointError


def stopping(stage, step, error=KeyboardInterrupt):
    """The stage with data that ends in an error at a step."""
    loop_steps = iter(range(10_000))
    draw = stage.draw

    def draws_until(generator):
        if next(loop_steps) == step:
            raise error
        return draw(generator)

    return dataclasses.replace(stage, draw=draws_until)


def test_an_interrupted_run_ends_like_an_uninterrupted_one(tmp_path):
    whole = sum_stage(configuration(tmp_path / 'whole'))
    TrainingLoop(configuration(tmp_path / 'whole'), whole).run()
    config = configuration(tmp_path / 'parts')
    with pytest.raises(KeyboardInterrupt):
        TrainingLoop(config, stopping(sum_stage(config), 12)).run()
    resumed = sum_stage(config, seed=99)
    loop = TrainingLoop(config, resumed)
    loop.run()
    assert loop.step_index == 20
    torch.testing.assert_close(resumed.trained.weight, whole.trained.weight, rtol=0.0, atol=0.0)


def test_going_on_takes_the_new_learning_rate_and_weight_decay(tmp_path):
    config = configuration(tmp_path)
    TrainingLoop(config, sum_stage(config)).run()
    other = dataclasses.replace(config, steps=25, weight_decay=0.5)
    stage = sum_stage(other)
    (group,) = stage.groups
    slower = dataclasses.replace(group, learning_rate=group.learning_rate / 8)
    loop = TrainingLoop(other, dataclasses.replace(stage, groups=[slower]))
    loop.run()
    (used,) = loop.optimizer.param_groups
    assert loop.step_index == 25
    assert (used['peak'], used['weight_decay']) == (slower.learning_rate, 0.5)
    assert 0.0 < used['lr'] < slower.learning_rate


@pytest.fixture
def start_method_of_python_3_14():
    before = multiprocessing.get_start_method()
    multiprocessing.set_start_method('forkserver', force=True)
    yield
    multiprocessing.set_start_method(before, force=True)


@pytest.mark.usefixtures('start_method_of_python_3_14')
def test_data_does_not_depend_on_the_number_of_workers(tmp_path):
    results = []
    for workers in (0, 2):
        config = configuration(tmp_path / str(workers), workers=workers)
        stage = sum_stage(config)
        TrainingLoop(config, stage).run()
        results.append(stage.trained.weight)
    torch.testing.assert_close(results[0], results[1], rtol=0.0, atol=0.0)


def test_segments_share_a_memory_without_its_history_and_one_step(tmp_path):
    config = configuration(tmp_path, steps=5)
    stage = sum_stage(config, parts=4)
    loop = TrainingLoop(config, stage)
    loop.run()
    assert loop.step_index == 5
    seen = [json.loads(line)['seen'] for line in (tmp_path / 'hand' / 'log.jsonl').read_text().splitlines()]
    assert seen == pytest.approx([1.5])  # the mean of 0, 1, 2 and 3 segments seen before


def test_a_bad_loss_stops_and_keeps_checkpoint_and_batch(tmp_path):
    config = configuration(tmp_path)
    stage = sum_stage(config)
    loop = TrainingLoop(config, stage)

    def draw(generator):
        batch = stage.draw(generator)
        return [batch[0] * float('nan')] if loop.step_index == 7 else batch

    loop.stage = dataclasses.replace(stage, draw=draw)
    with pytest.raises(NonFiniteLossError, match=r'step 7.*bad_batch_7_0\.pt'):
        loop.run()
    state = torch.load(loop.files.checkpoint, weights_only=True)
    assert state['step'] == 5
    assert torch.isfinite(state['module']['weight']).all()
    kept = torch.load(tmp_path / 'hand' / 'bad_batch_7_0.pt', weights_only=True)
    assert kept['step'] == 7
    assert kept['batch'][0].isnan().all()


def breaking_at(loop, stage, step, damage):
    """The stage with ``damage`` done to its parameter when the batch of a step is drawn."""

    def draw(generator):
        if loop.step_index == step:
            damage(stage.trained.weight)
        return stage.draw(generator)

    return dataclasses.replace(stage, draw=draw)


def test_a_gradient_that_is_not_finite_stops_before_the_step(tmp_path):
    config = configuration(tmp_path)
    stage = sum_stage(config)
    loop = TrainingLoop(config, stage)
    loop.stage = breaking_at(loop, stage, 7, lambda weight: weight.register_hook(lambda gradient: gradient / 0.0))
    with pytest.raises(NonFiniteLossError, match=r'norm of the gradients is (inf|nan) at step 7.*bad_batch_7_0\.pt'):
        loop.run()
    assert torch.isfinite(stage.trained.weight).all()
    assert torch.load(loop.files.checkpoint, weights_only=True)['step'] == 5


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_a_parameter_that_is_not_finite_is_never_saved(tmp_path, value):
    config = configuration(tmp_path)
    stage = sum_stage(config)
    stage.trained.register_buffer('unused', torch.zeros(2))
    loop = TrainingLoop(config, stage)
    loop.stage = breaking_at(loop, stage, 7, lambda _: stage.trained.unused.fill_(value))
    with pytest.raises(NonFiniteLossError, match=r'largest parameter is (inf|nan) at step 10'):
        loop.run()
    state = torch.load(loop.files.checkpoint, weights_only=True)
    assert state['step'] == 5
    assert torch.isfinite(state['module']['unused']).all()


def test_the_log_holds_losses_speed_and_the_wait_for_data(tmp_path):
    config = configuration(tmp_path)
    TrainingLoop(config, sum_stage(config)).run()
    lines = [json.loads(line) for line in (tmp_path / 'hand' / 'log.jsonl').read_text().splitlines()]
    assert [line['step'] for line in lines] == [5, 10, 15, 20]
    assert lines[-1]['samples_per_second'] > 0.0
    assert 0.0 <= lines[-1]['share_waiting_for_data'] <= 1.0
    assert all(line['total'] > 0.0 for line in lines)


def test_curves_are_written_for_tensorboard(tmp_path):
    accumulator = pytest.importorskip('tensorboard.backend.event_processing.event_accumulator', reason='optional')
    config = configuration(tmp_path)
    TrainingLoop(config, sum_stage(config)).run()
    events = accumulator.EventAccumulator(str(tmp_path / 'hand' / 'tensorboard')).Reload()
    assert [event.step for event in events.Scalars('hand/total')] == [5, 10, 15, 20]


def test_a_checkpoint_of_another_preset_is_refused(tmp_path):
    config = configuration(tmp_path)
    TrainingLoop(config, sum_stage(config)).run()
    before = (tmp_path / 'hand' / 'config.yaml').read_text()
    other = dataclasses.replace(config, preset='full')
    with pytest.raises(CheckpointError, match=r"preset 'tiny'.*'full'.*out="):
        TrainingLoop(other, sum_stage(other)).run()
    assert (tmp_path / 'hand' / 'config.yaml').read_text() == before  # still that of the checkpoint beside it


def test_a_checkpoint_of_other_sizes_is_refused(tmp_path):
    config = configuration(tmp_path)
    TrainingLoop(config, sum_stage(config)).run()
    stage = sum_stage(config)
    wider = torch.nn.Linear(5, 1)
    other = dataclasses.replace(config, batch=4)
    with pytest.raises(CheckpointError, match='another size'):
        TrainingLoop(other, dataclasses.replace(stage, trained=wider)).run()
    assert TrainingConfig.load(tmp_path / 'hand' / 'config.yaml', 'hand') == config


@pytest.mark.parametrize('content', [b'', b'not a checkpoint', b'PK\x03\x04 cut off'])
def test_a_damaged_checkpoint_is_named(tmp_path, content):
    config = configuration(tmp_path)
    loop = TrainingLoop(config, sum_stage(config))
    loop.files.checkpoint.write_bytes(content)
    with pytest.raises(CheckpointError, match=r'checkpoint\.pt cannot be read'):
        loop.run()
