"""What all training stages share: optimiser, schedule, checkpoints that can be resumed, a progress bar and a log."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from hand3r_ros.training.config import TrainingConfig

StepFunction = Callable[[torch.Generator], dict[str, Tensor]]


class NonFiniteLossError(RuntimeError):
    """A loss became NaN or infinite; the last good checkpoint was kept."""


class TrainingLoop:
    """Runs a step function until ``config.steps``; resumes from the newest checkpoint in ``config.out``.

    The step function gets the random generator of the step (seeded by the step number, so a resumed run sees the same
    data) and returns named losses; ``total`` is minimised.
    """

    def __init__(self, config: TrainingConfig, module: nn.Module, groups: Iterable[tuple[list[nn.Parameter], float]]):
        self.config = config
        self.module = module
        self.directory = Path(config.out) / config.stage
        self.directory.mkdir(parents=True, exist_ok=True)
        config.save(self.directory / 'config.json')
        self.groups = [(parameters, rate) for parameters, rate in groups if parameters]
        self.parameters = [parameter for parameters, _ in self.groups for parameter in parameters]
        self.optimizer = torch.optim.AdamW(
            [{'params': parameters, 'lr': rate, 'peak': rate} for parameters, rate in self.groups],
            betas=(0.9, 0.95),
            weight_decay=config.weight_decay,
        )
        self.step_index = 0

    @property
    def checkpoint_path(self) -> Path:
        """The newest complete state of the run."""
        return self.directory / 'checkpoint.pt'

    def resume(self) -> None:
        """Continues from the checkpoint of an earlier, interrupted run of the same stage, if there is one."""
        if not self.checkpoint_path.exists():
            return
        state = torch.load(self.checkpoint_path, weights_only=True)
        self.module.load_state_dict(state['module'])
        self.optimizer.load_state_dict(state['optimizer'])
        self.step_index = int(state['step'])

    def save(self) -> None:
        """Writes the checkpoint completely or not at all."""
        temporary = self.checkpoint_path.with_suffix('.tmp')
        state = {
            'module': self.module.state_dict(),
            'optimizer': self.optimizer.state_dict(),
            'step': self.step_index,
        }
        torch.save(state, temporary)
        temporary.replace(self.checkpoint_path)

    def run(self, step: StepFunction) -> None:
        """Trains to the end.

        Raises:
            NonFiniteLossError: when a loss is not finite; the checkpoint on disk is the last good one.
        """
        self.resume()
        self.module.train()
        progress = tqdm(total=self.config.steps, initial=self.step_index, desc=self.config.stage, mininterval=5.0)
        averages: dict[str, float] = {}
        started, first_step = time.monotonic(), self.step_index
        with (self.directory / 'log.jsonl').open('a') as log:
            while self.step_index < self.config.steps:
                losses = self._one_step(step)
                for name, value in losses.items():
                    averages[name] = 0.98 * averages.get(name, value) + 0.02 * value
                progress.update()
                progress.set_postfix({name: f'{value:.3f}' for name, value in averages.items()}, refresh=False)
                if self.step_index % self.config.checkpoint_every == 0 or self.step_index == self.config.steps:
                    self.save()
                    seconds = (time.monotonic() - started) / (self.step_index - first_step)
                    record = {'step': self.step_index, 'seconds_per_step': round(seconds, 4), **averages}
                    log.write(json.dumps(record) + '\n')
                    log.flush()
        progress.close()

    def _one_step(self, step: StepFunction) -> dict[str, float]:
        factor = self._schedule(self.step_index)
        for group in self.optimizer.param_groups:
            group['lr'] = group['peak'] * factor
        generator = torch.Generator().manual_seed(self.config.seed * 1_000_003 + self.step_index)
        losses = step(generator)
        if not bool(torch.isfinite(losses['total'])):
            raise NonFiniteLossError(
                f'{self.config.stage}: loss is {float(losses["total"].detach())} at step {self.step_index}; '
                f'the checkpoint {self.checkpoint_path} was kept. Lower learning_rate or look at the data of this step.'
            )
        self.optimizer.zero_grad(set_to_none=True)
        losses['total'].backward()
        nn.utils.clip_grad_norm_(self.parameters, self.config.gradient_clip)
        self.optimizer.step()
        self.step_index += 1
        return {name: float(value.detach()) for name, value in losses.items()}

    def _schedule(self, step: int) -> float:
        """Linear warm-up, then a cosine down to a hundredth."""
        warmup = min(self.config.warmup_steps, self.config.steps)
        if step < warmup:
            return (step + 1) / warmup
        done = (step - warmup) / max(1, self.config.steps - warmup)
        return 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * done))
