"""Training in two processes, as torchrun starts them, ends where one process with both batches ends."""

import json
import math
import subprocess
import sys
from pathlib import Path

import torch
from fitting import SumObjective, configuration, sum_stage

from hand3r_lab.training.loop import TrainingLoop

SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
import dataclasses, torch
from fitting import configuration, sum_stage
from hand3r_lab.training.loop import TrainingLoop
from hand3r_lab.training.processes import Processes

torch.set_num_threads(1)
config = configuration({out!r}, steps=6)
stage = sum_stage(config)
stage.objective.dropout.p = 0.0
processes = Processes.join('cpu')
bad = {bad}

def draw(generator, draw=stage.draw):
    batch = draw(generator)
    return [batch[0] * float('nan')] if bad and processes.rank == 1 else batch

loop = TrainingLoop(config, dataclasses.replace(stage, draw=draw), processes)
loop.run()
if processes.chief:
    torch.save(stage.trained.state_dict(), {out!r} + '/result.pt')
processes.leave()
"""

TRUNCATED = """
import sys
sys.path.insert(0, {folder!r})
import dataclasses, torch
from fitting import clip, configuration
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset
from hand3r_lab.training.loop import TrainingLoop
from hand3r_lab.training.processes import Processes
from hand3r_lab.training.scene_stage import SceneLearner, SceneObjective
from hand3r_lab.training.stage import ParameterGroup, Stage, segments

torch.set_num_threads(1)
config = dataclasses.replace(configuration({out!r}, steps=2, clip_frames=2, truncate_frames=1), stage='scene')
torch.manual_seed(0)
network = Hand3R(preset('tiny'))
learner = SceneLearner(network)
groups = [ParameterGroup([p for p in learner.parameters() if p.requires_grad], 1e-4)]
draw = lambda generator: segments(clip(2, 1), config.truncate_frames)
processes = Processes.join('cpu')
TrainingLoop(config, Stage(learner, SceneObjective(network, learner, config), groups, draw), processes).run()
processes.leave()
"""

APART = """
import sys
sys.path.insert(0, {folder!r})
from fitting import configuration, sum_stage
from hand3r_lab.training.loop import TrainingLoop
from hand3r_lab.training.processes import Processes

processes = Processes.join('cpu')
config = configuration({out!r} + '/' + str(processes.rank), steps=6)
TrainingLoop(config, sum_stage(config), processes).run()
"""


def run_two(tmp_path, bad=False, script_text=SCRIPT):
    script = tmp_path / 'script.py'
    script.write_text(script_text.format(folder=str(Path(__file__).parent), out=str(tmp_path), bad=bad))
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2', str(script)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_two_processes_average_their_gradients(tmp_path):
    result = run_two(tmp_path)
    assert result.returncode == 0, result.stderr[-2000:]
    together = torch.load(tmp_path / 'result.pt', weights_only=True)

    config = configuration(tmp_path / 'alone', steps=6)
    torch.manual_seed(0)
    objective = SumObjective()
    objective.dropout.p = 0.0
    optimizer = torch.optim.AdamW(objective.map.parameters(), lr=1e-2, betas=(0.9, 0.95), weight_decay=0.05)
    for step in range(6):
        streams = [torch.Generator().manual_seed(config.seed * 1_000_003 + 2 * step + rank) for rank in (0, 1)]
        both = torch.cat([torch.randn(config.batch, 4, generator=stream) for stream in streams])
        optimizer.zero_grad()
        objective(both, None).losses['total'].backward()
        torch.nn.utils.clip_grad_norm_(objective.map.parameters(), config.gradient_clip)
        cosine = 0.01 + 0.495 * (1.0 + math.cos(math.pi * (step - 2) / 4))
        optimizer.param_groups[0]['lr'] = 1e-2 * ((step + 1) / 2 if step < 2 else cosine)
        optimizer.step()
    torch.testing.assert_close(together['weight'], objective.map.weight, rtol=1e-4, atol=1e-6)
    logged = (tmp_path / 'hand' / 'log.jsonl').read_text().splitlines()
    assert [json.loads(line)['step'] for line in logged] == [5, 6]  # once, not once per process


def test_all_processes_stop_at_the_bad_loss_of_one(tmp_path):
    result = run_two(tmp_path, bad=True)
    assert result.returncode != 0
    assert 'NonFiniteLossError' in result.stderr
    assert (tmp_path / 'hand' / 'bad_batch_0_1.pt').exists()
    assert not (tmp_path / 'hand' / 'checkpoint.pt').exists()


def test_two_processes_train_through_a_truncated_clip(tmp_path):
    """The state that goes into the next segment must not count as an output that gradients will come from."""
    result = run_two(tmp_path, script_text=TRUNCATED)
    assert result.returncode == 0, result.stderr[-2000:]
    assert torch.load(tmp_path / 'scene' / 'checkpoint.pt', weights_only=True)['step'] == 2


def test_processes_that_do_not_share_a_folder_are_refused(tmp_path):
    config = configuration(tmp_path / '0', steps=3, checkpoint_every=3)
    TrainingLoop(config, sum_stage(config)).run()  # the second process has no checkpoint
    result = run_two(tmp_path, script_text=APART)
    assert result.returncode != 0
    assert 'must be a folder that all machines share' in result.stderr
