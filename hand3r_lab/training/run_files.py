"""The files of a run: configuration, checkpoint, log, TensorBoard curves, and batches whose numbers are not finite.

All lie in ``<out>/<stage>``. The checkpoint appears completely or not at all, and is read without executing anything.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import torch

from hand3r_lab.training.config import TrainingConfig
from hand3r_lab.training.tensor_tree import as_plain
from hand3r_ros.files import replacing

logger = logging.getLogger(__name__)


class CheckpointError(RuntimeError):
    """A checkpoint cannot be continued; the message says why and what to do."""


class RunFiles:
    """Reads and writes what a run leaves behind."""

    def __init__(self, config: TrainingConfig, write: bool = True) -> None:
        """Opens the folder of the run.

        Args:
            config: which run.
            write: False in all but one process of a distributed run.

        """
        self.config = config
        self.directory = Path(config.out) / config.stage
        self._write = write
        self._curves = None
        if write:
            self.directory.mkdir(parents=True, exist_ok=True)

    def begin(self) -> None:
        """Saves the configuration and opens the curves, once the checkpoint that lies there has been accepted."""
        if self._write:
            self.config.save(self.directory / 'config.yaml')
            self._curves = _tensorboard(self.directory / 'tensorboard')

    @property
    def checkpoint(self) -> Path:
        """The newest complete state of the run."""
        return self.directory / 'checkpoint.pt'

    def load(self) -> dict[str, Any] | None:
        """The newest checkpoint; None where the run is new.

        Raises:
            CheckpointError: it is damaged, or of another stage or preset.

        """
        if not self.checkpoint.exists():
            return None
        state = read_checkpoint(self.checkpoint)
        for name in ('stage', 'preset'):
            wanted, found = getattr(self.config, name), state.get(name, getattr(self.config, name))
            if found != wanted:
                raise CheckpointError(
                    f'{self.checkpoint} is of {name} {found!r}, this run is of {wanted!r}: choose another out='
                )
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Replaces the checkpoint."""
        if not self._write:
            return
        with replacing(self.checkpoint) as file:
            torch.save({**state, 'stage': self.config.stage, 'preset': self.config.preset}, file)

    def log(self, step: int, numbers: dict[str, float]) -> None:
        """One line of the log and one point of every curve."""
        if not self._write:
            return
        with (self.directory / 'log.jsonl').open('a') as file:
            file.write(json.dumps({'step': step, **numbers}) + '\n')
        if self._curves is not None:
            for name, value in numbers.items():
                self._curves.add_scalar(f'{self.config.stage}/{name}', value, step)
            self._curves.flush()

    def keep_bad_batch(self, step: int, rank: int, batch: Any) -> Path:
        """Saves a batch that gave numbers that are not finite, as plain dictionaries of tensors."""
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / f'bad_batch_{step}_{rank}.pt'
        torch.save({'step': step, 'batch': as_plain(batch)}, path)
        return path

    def close(self) -> None:
        """Ends the curves."""
        if self._curves is not None:
            self._curves.close()


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a checkpoint of ours.

    Raises:
        CheckpointError: it is damaged or something else.

    """
    try:
        state = torch.load(path, weights_only=True, map_location='cpu')
    except Exception as error:  # torch raises many kinds for a damaged file
        raise CheckpointError(
            f'{path} cannot be read ({type(error).__name__}): it is damaged or no checkpoint of `hand3r-lab train`; '
            'remove it to start again'
        ) from error
    if not isinstance(state, dict) or not {'module', 'optimizer', 'step'} <= state.keys():
        raise CheckpointError(f'{path} is no checkpoint of `hand3r-lab train`: choose another out= or remove it')
    return state


def _tensorboard(directory: Path) -> Any:
    """A writer of TensorBoard curves; None where TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        logger.warning('no TensorBoard curves: pip install -r requirements-training.txt')
        return None
    return SummaryWriter(str(directory))
