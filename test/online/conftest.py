"""Places of the facts folder, and a skip where it is absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from hand3r_lab.scenes.sequence import RenderedFrame, SceneConfig, Sequence

SHARED = Path(__file__).resolve().parents[2].parent / 'shared'


def shared_path(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f'{name} is not in the facts folder beside this repository')
    return path


@pytest.fixture
def golden_cut3r() -> Path:
    return shared_path('reference/golden_cut3r')


@pytest.fixture
def real_footage() -> Path:
    return shared_path('real')


@pytest.fixture(scope='session')
def two_hands() -> list[RenderedFrame]:
    """Consecutive frames of a rendered table with both hands, at twice the network's resolution."""
    sequence = Sequence(2, SceneConfig(width=448, height=320, frames=12, fps=10.0, hands='both', effects=False))
    return [sequence.frame(i) for i in range(len(sequence))]
