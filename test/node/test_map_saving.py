"""Maps are written as PLY that others can read, and never outside of the folder for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from hand3r_ros.node.confined_paths import ConfinedPathError
from hand3r_ros.node.map_saving import map_path, save_ply
from hand3r_ros.online.mapping import MapCloud


def cloud(count: int = 50) -> MapCloud:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(count, 3)).astype(np.float32)
    return MapCloud(points, rng.integers(0, 256, (count, 3)).astype(np.uint8), np.ones(count, np.int32))


def test_a_saved_map_reads_back(tmp_path: Path) -> None:
    path = tmp_path / 'rooms' / 'kitchen.ply'
    assert save_ply(path, cloud(), 'hand3r_world') == 50
    read = trimesh.load(path)
    np.testing.assert_allclose(read.vertices, cloud().points, atol=1e-6)
    np.testing.assert_array_equal(read.colors[:, :3], cloud().colors)
    assert [file.name for file in path.parent.iterdir()] == ['kitchen.ply']


def test_an_empty_map_is_a_valid_file(tmp_path: Path) -> None:
    path = tmp_path / 'empty.ply'
    assert save_ply(path, cloud(0), 'w') == 0
    assert b'element vertex 0' in path.read_bytes()


@pytest.mark.parametrize(
    ('requested', 'written'),
    [('scene.ply', 'scene.ply'), ('scene', 'scene.ply'), ('a/b.ply', 'a/b.ply'), ('a/../b.ply', 'b.ply')],
)
def test_paths_inside_of_the_folder_are_taken(tmp_path: Path, requested: str, written: str) -> None:
    assert map_path(str(tmp_path), requested) == tmp_path.resolve() / written


@pytest.mark.parametrize(
    'requested', ['', '  ', '.', '..', '../scene.ply', 'a/../../scene.ply', '/etc/scene.ply', 'scene.txt', 'a\0b.ply']
)
def test_paths_that_lead_out_are_refused(tmp_path: Path, requested: str) -> None:
    with pytest.raises(ConfinedPathError):
        map_path(str(tmp_path / 'maps'), requested)


def test_links_that_lead_out_are_refused(tmp_path: Path) -> None:
    inside, outside = tmp_path / 'maps', tmp_path / 'elsewhere'
    inside.mkdir()
    outside.mkdir()
    (inside / 'link').symlink_to(outside)
    (inside / 'file.ply').symlink_to(outside / 'file.ply')
    for requested in ('link/scene.ply', 'file.ply', 'file'):
        with pytest.raises(ConfinedPathError, match='leads out'):
            map_path(str(inside), requested)


def test_the_folder_may_be_given_from_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HOME', str(tmp_path))
    assert map_path('~/maps', 'scene') == tmp_path.resolve() / 'maps' / 'scene.ply'
