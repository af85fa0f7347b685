"""Maps are written as PLY that others can read, and never outside of the folder for them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import trimesh

from hand3r_ros.node.map_saving import map_file, save_ply
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


def test_nothing_but_the_map_is_written(tmp_path: Path) -> None:
    """Whatever lies in the folder under the name that an unfinished file might have."""
    (tmp_path / 'victim').write_bytes(b'precious')
    maps = tmp_path / 'maps'
    maps.mkdir()
    (maps / 'x.ply.part').symlink_to(tmp_path / 'victim')
    os.mkfifo(maps / 'y.ply.part')
    (maps / 'z.ply').mkdir()
    for name in ('x', 'y'):
        assert save_ply(map_file(str(maps), name), cloud(), 'w') == 50
    with pytest.raises(IsADirectoryError):
        save_ply(map_file(str(maps), 'z'), cloud(), 'w')
    assert (tmp_path / 'victim').read_bytes() == b'precious'
    assert sorted(file.name for file in maps.iterdir()) == ['x.ply', 'x.ply.part', 'y.ply', 'y.ply.part', 'z.ply']


def test_a_full_disk_leaves_the_map_from_before(tmp_path: Path, full_disk) -> None:
    path = tmp_path / 'scene.ply'
    save_ply(path, cloud(), 'w')
    before = path.read_bytes()
    with full_disk(1000), pytest.raises(OSError, match='too large'):
        save_ply(path, cloud(50_000), 'w')
    assert path.read_bytes() == before and [file.name for file in tmp_path.iterdir()] == ['scene.ply']
