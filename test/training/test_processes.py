"""Training in two processes, as torchrun starts them, ends where one process with both batches ends."""

import json
import math
import subprocess
import sys
from pathlib import Path

import torch
from fitting import SumObjective, configuration

SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
import dataclasses, torch
from fitting import configuration, sum_stage
from hand3r_ros.training.loop import TrainingLoop
from hand3r_ros.training.processes import Processes

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


def run_two(tmp_path, bad=False):
    script = tmp_path / 'script.py'
    script.write_text(SCRIPT.format(folder=str(Path(__file__).parent), out=str(tmp_path), bad=bad))
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
