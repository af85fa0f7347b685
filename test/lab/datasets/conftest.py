"""Miniature data sets, written once; tests that damage files work on copies."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from miniature_dexycb import DexYCBMiniature, write_dexycb
from miniature_hoi4d import HOI4DMiniature, write_hoi4d
from miniature_mano import write_mano

from hand3r_lab.datasets.mano_annotations import AnnotationModel


@pytest.fixture(scope='session')
def mano_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mano(tmp_path_factory.mktemp('mano') / 'models')


@pytest.fixture(scope='session')
def model(mano_folder: Path) -> AnnotationModel:
    return AnnotationModel.load(mano_folder)


@pytest.fixture(scope='session')
def dexycb(tmp_path_factory: pytest.TempPathFactory) -> DexYCBMiniature:
    root = tmp_path_factory.mktemp('dexycb')
    return DexYCBMiniature(root, write_dexycb(root))


@pytest.fixture(scope='session')
def hoi4d(tmp_path_factory: pytest.TempPathFactory) -> HOI4DMiniature:
    root = tmp_path_factory.mktemp('hoi4d')
    return HOI4DMiniature(root, write_hoi4d(root))


@pytest.fixture
def dexycb_copy(dexycb: DexYCBMiniature, tmp_path: Path) -> Path:
    return Path(shutil.copytree(dexycb.root, tmp_path / 'dexycb'))


@pytest.fixture
def hoi4d_copy(hoi4d: HOI4DMiniature, tmp_path: Path) -> Path:
    return Path(shutil.copytree(hoi4d.root, tmp_path / 'hoi4d'))
