"""Places of the facts folder, and a skip where it is absent."""

from __future__ import annotations

from pathlib import Path

import pytest

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
