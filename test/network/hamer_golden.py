"""Reads the golden data of the published hand stream; tests that need it skip where it is absent."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

REFERENCE = Path(__file__).resolve().parents[3] / 'shared' / 'reference'
FOLDER = REFERENCE / 'golden_hamer'

needs_golden = pytest.mark.skipif(not FOLDER.is_dir(), reason='golden data of the hand stream not found')


def arrays(name: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / f'{name}.npz') as file:
        return dict(file)


def description(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f'{name}.json').read_text())


def manifest() -> dict[str, tuple[int, ...]]:
    """Name and shape of all tensors of the published checkpoint."""
    entries = json.loads((REFERENCE / 'hamer_manifest.json').read_text())['tensors']
    return {entry['name']: tuple(entry['shape']) for entry in entries}


def generators() -> ModuleType:
    """The exact recipes of weights, inputs and images."""
    spec = importlib.util.spec_from_file_location('hamer_detgen', FOLDER / 'detgen.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
