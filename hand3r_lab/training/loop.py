"""What all stages share: optimiser, schedule, data in its own processes, resuming, progress."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from hand3r_lab.training.config import TrainingConfig
from hand3r_lab.training.cuda_graphs import EagerStep, ForwardBackward, GraphedStep
from hand3r_lab.training.processes import Processes
from hand3r_lab.training.run_files import CheckpointError, RunFiles
from hand3r_lab.training.sources import listed_skips
from hand3r_lab.training.stage import Draw, Stage

SMOOTHING = 0.98  # of the numbers on the progress bar


class NonFiniteLossError(RuntimeError):
    """A loss, a gradient or a parameter became NaN or infinite; the last good checkpoint and the batch were kept."""


class StepBatches(Dataset[list[Any]]):
    """Item ``step`` is the batch of that step, whoever asks for it and whenever: nothing depends on workers."""

    def __init__(self, draw: Draw, config: TrainingConfig, processes: Processes) -> None:
        self._draw = draw
        self._seed = config.seed
        self._processes = processes

    def __getitem__(self, step: int) -> list[Any]:
        stream = step * self._processes.count + self._processes.rank
        return self._draw(torch.Generator().manual_seed(self._seed * 1_000_003 + stream))


class TrainingLoop:
    """Trains a stage until ``config.steps``; resumes from the newest checkpoint in ``config.out``."""

    def __init__(self, config: TrainingConfig, stage: Stage, processes: Processes | None = None) -> None:
        """Prepares a run; joins the processes of ``torchrun`` if none are given."""
        self.config = config
        self.stage = stage
        self.processes = Processes.join(config.device) if processes is None else processes
        self.files = RunFiles(config, write=self.processes.chief)
        stage.objective.to(self.processes.device)
        stage.trained.to(self.processes.device)
        groups = [group for group in stage.groups if group.parameters]
        self.parameters = [parameter for group in groups for parameter in group.parameters]
        self.optimizer = torch.optim.AdamW(
            [{'params': g.parameters, 'lr': g.learning_rate, 'peak': g.learning_rate} for g in groups],
            betas=(0.9, 0.95),
            weight_decay=config.weight_decay,
            fused=self.processes.device.type == 'cuda' or None,
        )
        self.step_index = 0

    def run(self) -> None:
        """Trains to the end.

        Raises:
            NonFiniteLossError: a loss, gradient or parameter is not finite; the checkpoint on disk is the last good
                one, the batch is saved.
            CheckpointError: the checkpoint in ``config.out`` is damaged or of another run, or not the same for all
                processes.
            ValueError: ``config.cuda_graphs`` with several processes.

        """
        self._resume()
        self.stage.objective.train()
        objective = self.processes.parallel(self.stage.objective)
        compute = self._pass(objective)
        meter = _Meter(self.config, self.step_index, self.processes.chief)
        with listed_skips(self.stage), contextlib.closing(self.files), contextlib.closing(meter):
            for batch in meter.waiting_for(self._batches()):
                meter.add(self._one_step(objective, compute, batch))
                if self.step_index % self.config.checkpoint_every == 0 or self.step_index == self.config.steps:
                    self._require_finite_parameters(batch)
                    self._save()
                    self.files.log(self.step_index, meter.numbers())

    def _pass(self, objective: nn.Module) -> ForwardBackward:
        device = self.processes.device
        if self.config.cuda_graphs and device.type == 'cuda':
            if self.processes.count > 1:
                raise ValueError(f'cuda_graphs=true is for one process, found {self.processes.count}: leave it out')
            return GraphedStep(objective, self.parameters, device)
        return EagerStep(objective, device)

    def _batches(self) -> Iterator[list[Any]]:
        workers = self.config.workers
        loader = DataLoader(
            StepBatches(self.stage.draw, self.config, self.processes),
            batch_size=None,
            sampler=range(self.step_index, self.config.steps),
            num_workers=workers,
            prefetch_factor=4 if workers else None,
            # Workers share what was read before them; it is not sent to them. Python 3.14 forks only when told to.
            multiprocessing_context='fork' if workers else None,
            collate_fn=_unchanged,
            pin_memory=self.processes.device.type == 'cuda',
            generator=torch.Generator(),  # else starting it would draw from the global one
        )
        return iter(loader)

    def _resume(self) -> None:
        state = self.files.load()
        if state is not None:
            self._restore(state)
        earliest, latest = self.processes.extremes(self.step_index)
        if earliest != latest:
            raise CheckpointError(
                f'process {self.processes.rank} goes on at step {self.step_index}, others at steps {earliest} to '
                f'{latest}: `out` ({self.config.out}) must be a folder that all machines share'
            )
        self.files.begin()

    def _restore(self, state: dict[str, Any]) -> None:
        try:
            self.stage.trained.load_state_dict(state['module'])
            self._restore_optimizer(state['optimizer'])
        except (RuntimeError, ValueError) as error:
            raise CheckpointError(
                f'{self.files.checkpoint} was written by a run of another size or version ({str(error)[:200]}): '
                'choose another out= or remove it'
            ) from error
        self.step_index = int(state['step'])

    def _restore_optimizer(self, state: dict[str, Any]) -> None:
        """The moments of the checkpoint; learning rates and weight decay stay those of this run's configuration."""
        configured = [(group['peak'], group['weight_decay']) for group in self.optimizer.param_groups]
        self.optimizer.load_state_dict(state)
        for group, (peak, decay) in zip(self.optimizer.param_groups, configured, strict=True):
            group['peak'], group['weight_decay'] = peak, decay

    def _save(self) -> None:
        optimizer = self.optimizer.state_dict()
        self.files.save({'module': self.stage.trained.state_dict(), 'optimizer': optimizer, 'step': self.step_index})

    def _one_step(self, objective: nn.Module, compute: ForwardBackward, batch: list[Any]) -> dict[str, float]:
        """One optimiser step over all segments of a batch."""
        factor = self._schedule(self.step_index)
        for group in self.optimizer.param_groups:
            group['lr'] = group['peak'] * factor
        torch.manual_seed(self.config.seed * 1_000_003 + self.step_index)  # for layers that draw, such as dropout
        self.optimizer.zero_grad(set_to_none=True)
        memory: Any = None
        sums: dict[str, Tensor] = {}
        for index, segment in enumerate(batch):
            last = index + 1 == len(batch)
            waits = contextlib.nullcontext() if last or self.processes.count == 1 else objective.no_sync()  # type: ignore[operator]
            with waits:
                losses, memory = compute(segment, memory, 1.0 / len(batch))
            self._require_finite(losses['total'], 'loss', batch)
            for name, value in losses.items():
                sums[name] = sums.get(name, torch.zeros((), device=value.device)) + value / len(batch)
        norm = nn.utils.clip_grad_norm_(self.parameters, self.config.gradient_clip)
        self._require_finite(norm, 'norm of the gradients', batch)
        self.optimizer.step()
        self.step_index += 1
        means = self.processes.mean(torch.stack(list(sums.values())))
        return dict(zip(sums, means.tolist(), strict=True))

    def _require_finite_parameters(self, batch: list[Any]) -> None:
        numbers = [value for value in self.stage.trained.state_dict().values() if value.is_floating_point()]
        largest = torch.stack([value.abs().max().float() for value in numbers if value.numel()]).max()  # keeps NaN
        self._require_finite(largest, 'largest parameter', batch)

    def _require_finite(self, value: Tensor, name: str, batch: list[Any]) -> None:
        """Stops all processes where a number is not finite in one of them, and keeps that one's batch."""
        mine = bool(torch.isfinite(value))
        if self.processes.agree(mine):
            return
        where = ''
        if not mine:
            where = f' Its batch is in {self.files.keep_bad_batch(self.step_index, self.processes.rank, batch)}.'
        raise NonFiniteLossError(
            f'{self.config.stage}: the {name} is {float(value)} at step {self.step_index}; the checkpoint '
            f'{self.files.checkpoint} was kept.{where} Lower learning_rate or look at that data.'
        )

    def _schedule(self, step: int) -> float:
        """Linear warm-up, then a cosine down to a hundredth."""
        warmup = min(self.config.warmup_steps, self.config.steps)
        if step < warmup:
            return (step + 1) / warmup
        done = (step - warmup) / max(1, self.config.steps - warmup)
        return 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * done))


class _Meter:
    """Progress bar, smoothed losses, time per step and the share of it spent waiting for data."""

    def __init__(self, config: TrainingConfig, first_step: int, visible: bool) -> None:
        self._bar = tqdm(
            total=config.steps, initial=first_step, desc=config.stage, mininterval=5.0, disable=not visible
        )
        self._averages: dict[str, float] = {}
        self._samples = config.batch
        self._started = time.monotonic()
        self._waited = 0.0
        self._steps = 0

    def waiting_for(self, batches: Iterator[list[Any]]) -> Iterator[list[Any]]:
        """The batches, measuring how long each is waited for."""
        while True:
            asked = time.monotonic()
            batch = next(batches, None)
            self._waited += time.monotonic() - asked
            if batch is None:
                return
            yield batch

    def add(self, losses: dict[str, float]) -> None:
        """One more step."""
        self._steps += 1
        for name, value in losses.items():
            self._averages[name] = SMOOTHING * self._averages.get(name, value) + (1.0 - SMOOTHING) * value
        self._bar.update()
        self._bar.set_postfix({name: f'{value:.3f}' for name, value in self._averages.items()}, refresh=False)

    def numbers(self) -> dict[str, float]:
        """Smoothed losses and speed."""
        seconds = max(time.monotonic() - self._started, 1e-9)
        speed = {
            'seconds_per_step': round(seconds / self._steps, 4),
            'samples_per_second': round(self._samples * self._steps / seconds, 2),
            'share_waiting_for_data': round(self._waited / seconds, 4),
        }
        return {**speed, **self._averages}

    def close(self) -> None:
        """Ends the progress bar."""
        self._bar.close()


def _unchanged(batch: list[Any]) -> list[Any]:
    return batch
