"""A stage small enough to train in milliseconds, a linear map that has to learn a sum; and a small clip of noise."""

from __future__ import annotations

import torch
from torch import nn

from hand3r_lab.training.clips import ClipFrame
from hand3r_lab.training.config import TrainingConfig
from hand3r_lab.training.stage import Outcome, ParameterGroup, Stage
from hand3r_ros.network.types import HandBoxes


class SumObjective(nn.Module):
    """Squared error of a linear map; the memory counts segments."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(4, 1)
        self.dropout = nn.Dropout(0.3)

    def forward(self, inputs: torch.Tensor, memory: torch.Tensor | None) -> Outcome:
        seen = torch.zeros((), device=inputs.device, requires_grad=True) if memory is None else memory
        assert not seen.requires_grad or memory is None
        error = self.map(self.dropout(inputs)) - inputs.sum(-1, keepdim=True)
        return Outcome({'total': error.square().mean(), 'seen': seen.detach()}, seen + 1.0)


def configuration(out, steps=20, **changes) -> TrainingConfig:
    """Settings of a short run in ``out``."""
    values = {'out': str(out), 'steps': steps, 'checkpoint_every': 5, 'warmup_steps': 2, 'batch': 8, 'device': 'cpu'}
    return TrainingConfig('hand').with_values({**values, **changes})


def sum_stage(config: TrainingConfig, seed: int = 0, parts: int = 1) -> Stage:
    """A fresh stage; batches of ``config.batch`` rows in ``parts`` segments."""
    torch.manual_seed(seed)
    objective = SumObjective()

    def draw(generator: torch.Generator) -> list[torch.Tensor]:
        return list(torch.randn(config.batch, 4, generator=generator).chunk(parts))

    return Stage(objective.map, objective, [ParameterGroup(list(objective.map.parameters()), 1e-2)], draw)


def clip(count: int = 2, batch: int = 2) -> list[ClipFrame]:
    """``count`` frames of 32 x 48 pixels without hands, for preset tiny."""
    generator = torch.Generator().manual_seed(1)
    pose = torch.tensor([[0.0, 0, 0, 1, 0, 0, 0]]).expand(batch, -1)
    camera = torch.tensor([[60.0, 60.0, 24.0, 16.0]]).expand(batch, -1)
    return [
        ClipFrame(
            torch.rand(batch, 3, 32, 48, generator=generator) * 2.0 - 1.0,
            torch.ones(batch, 32, 48, 3),
            torch.ones(batch, 32, 48, dtype=torch.bool),
            pose,
            HandBoxes.empty(128),
            torch.zeros(0, 3),
            torch.zeros(0, 21, 3),
            intrinsics=camera,
            T_table_camera=torch.eye(4)[None, :3].expand(batch, -1, -1),
        )
        for _ in range(count)
    ]
