"""Fixtures of the demo tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from untrained import save_untrained_network


@pytest.fixture(scope='session')
def weights_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an untrained tiny network."""
    return save_untrained_network(tmp_path_factory.mktemp('weights'))


@pytest.fixture(scope='session')
def real_footage() -> Path:
    """The folder with real footage beside the repository."""
    folder = Path(__file__).parents[3] / 'shared' / 'real'
    if not folder.is_dir():
        pytest.skip('no real footage: ../shared/real is absent')
    return folder
