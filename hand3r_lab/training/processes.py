"""Training on several GPUs or machines: one process each, started by ``torchrun``, gradients averaged by DDP.

Started without ``torchrun`` a run is its own only process and nothing here communicates.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
import torch.distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Processes:
    """This process among all that train together."""

    rank: int
    count: int
    device: torch.device

    @classmethod
    def join(cls, device: str = 'auto') -> Processes:
        """Meets the other processes (variables RANK, LOCAL_RANK and WORLD_SIZE, which ``torchrun`` sets).

        Args:
            device: 'cpu', 'cuda', or 'auto' for CUDA where there is any. Every process takes the GPU of its local rank.

        Raises:
            ValueError: the device is not there.

        """
        chosen = device_of(device)
        count = int(os.environ.get('WORLD_SIZE', '1'))
        on_gpu = chosen.type == 'cuda'
        if on_gpu:
            torch.cuda.set_device(chosen)
        if count == 1:
            return cls(0, 1, chosen)
        torch.distributed.init_process_group('nccl' if on_gpu else 'gloo')
        return cls(torch.distributed.get_rank(), count, chosen)

    @property
    def chief(self) -> bool:
        """Whether this process writes files and the progress bar."""
        return self.rank == 0

    def parallel(self, objective: nn.Module) -> nn.Module:
        """The objective with gradients averaged over the processes."""
        if self.count == 1:
            return objective
        devices = [self.device.index] if self.device.type == 'cuda' else None
        # Hands are missing in some batches, and then nothing behind a prompt has a gradient.
        return DistributedDataParallel(objective, device_ids=devices, find_unused_parameters=True)

    def agree(self, good: bool) -> bool:
        """Whether it is good in every process."""
        if self.count == 1:
            return good
        flag = torch.tensor(float(good), device=self.device)
        torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MIN)
        return bool(flag)

    def extremes(self, value: int) -> tuple[int, int]:
        """Its smallest and largest value over the processes."""
        if self.count == 1:
            return value, value
        ends = torch.tensor([-value, value], device=self.device)
        torch.distributed.all_reduce(ends, torch.distributed.ReduceOp.MAX)
        return -int(ends[0]), int(ends[1])

    def mean(self, values: Tensor) -> Tensor:
        """Mean over the processes."""
        if self.count == 1:
            return values
        torch.distributed.all_reduce(values, torch.distributed.ReduceOp.SUM)
        return values / self.count

    def leave(self) -> None:
        """Says goodbye to the others."""
        if self.count > 1 and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def device_of(name: str) -> torch.device:
    """The device of this process: 'cpu', 'cuda', or 'auto' for CUDA where there is any; the GPU of its local rank.

    Raises:
        ValueError: the device is not there.

    """
    if name not in ('auto', 'cpu', 'cuda'):
        raise ValueError(f'device must be auto, cpu or cuda, got {name!r}')
    if name == 'cuda' and not torch.cuda.is_available():
        raise ValueError('device is cuda, but torch finds no CUDA GPU: use device=cpu or install a CUDA torch')
    if name == 'cpu' or not torch.cuda.is_available():
        return torch.device('cpu')
    return torch.device('cuda', int(os.environ.get('LOCAL_RANK', '0')))
