"""The voxel map: running means, bounded memory, what is left out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hand3r_ros.online.config import MapConfig
from hand3r_ros.online.mapping import VoxelMap, depth_edges, mappable_pixels

GRAY = np.uint8(100)


def gray(points) -> np.ndarray:
    return np.full((len(points), 3), GRAY)


def reference_map(frames, voxel_size):
    """The same by a dictionary: mean over frames of the mean over each frame's points in the voxel."""
    cells: dict[tuple, list] = {}
    for points in frames:
        inside: dict[tuple, list] = {}
        for point in points:
            inside.setdefault(tuple(np.floor(point / voxel_size).astype(int)), []).append(point)
        for cell, members in inside.items():
            cells.setdefault(cell, []).append(np.mean(members, axis=0))
    return {cell: (np.mean(means, axis=0), len(means)) for cell, means in cells.items()}


@settings(deadline=None, max_examples=40)
@given(st.lists(arrays(np.float64, (7, 3), elements=st.floats(-0.4, 0.4)), min_size=1, max_size=6))
def test_the_map_is_the_mean_of_what_was_seen_in_each_voxel(frames):
    voxels = VoxelMap(0.1, 10_000)
    for points in frames:
        voxels.add(points, gray(points))
    expected = reference_map(frames, 0.1)
    cloud = voxels.snapshot()
    assert len(voxels) == len(cloud.points) == len(expected)
    found = {(tuple(np.round(p, 5)), int(c)) for p, c in zip(cloud.points.astype(float), cloud.counts, strict=True)}
    wanted = {(tuple(np.round(mean.astype(np.float32).astype(float), 5)), n) for mean, n in expected.values()}
    missing = [w for w in wanted if not any(w[1] == f[1] and np.allclose(w[0], f[0], atol=2e-5) for f in found)]
    assert not missing


def test_colours_are_averaged_over_frames():
    voxels = VoxelMap(0.1, 100)
    point = np.array([[0.05, 0.05, 0.05]])
    for value in (0, 100, 200):
        voxels.add(point, np.full((1, 3), value, np.uint8))
    assert voxels.snapshot().colors.tolist() == [[100, 100, 100]]
    assert voxels.snapshot().counts.tolist() == [3]


def test_memory_is_bounded_and_often_seen_voxels_survive():
    voxels = VoxelMap(0.01, 5000)
    rng = np.random.default_rng(0)
    wall = rng.uniform(0.0, 0.3, (2000, 3)) * [1, 1, 0]
    for _ in range(5):
        voxels.add(wall, gray(wall))
    kept = {tuple(c) for c in np.floor(voxels.snapshot().points / 0.01).astype(int)}
    largest = 0
    for _ in range(60):
        noise = rng.uniform(1.0, 3.0, (1500, 3))
        voxels.add(noise, gray(noise))
        assert len(voxels) <= 5000
        largest = max(largest, voxels.memory_bytes())
    after = {tuple(c) for c in np.floor(voxels.snapshot().points / 0.01).astype(int)}
    assert len(kept - after) == 0
    assert largest < 5000 * 100 + 1500 * 100


def test_among_rarely_seen_voxels_the_oldest_go_first():
    voxels = VoxelMap(1.0, 10)
    for index in range(30):
        voxels.add(np.array([[index + 0.5, 0.5, 0.5]]), gray([0]))
    seen = np.sort(voxels.snapshot().points[:, 0])
    assert seen[-1] == 29.5
    assert (np.diff(seen) == 1.0).all()


def test_a_frame_larger_than_the_map_is_cut_to_it():
    voxels = VoxelMap(0.01, 50)
    points = np.random.default_rng(1).uniform(-1, 1, (3000, 3))
    voxels.add(points, gray(points))
    assert 0 < len(voxels) <= 50
    voxels.add(points, gray(points))
    assert len(voxels) <= 50


def test_points_that_are_not_finite_or_too_far_are_left_out():
    voxels = VoxelMap(0.01, 100)
    points = np.array([[np.nan, 0, 0], [np.inf, 0, 0], [1e9, 0, 0], [-1e9, 0, 0], [0.1, 0.1, 0.1]])
    voxels.add(points, gray(points))
    assert np.allclose(voxels.snapshot().points, [[0.1, 0.1, 0.1]])
    voxels.add(np.zeros((0, 3)), np.zeros((0, 3), np.uint8))
    assert len(voxels) == 1


def test_neighbouring_voxels_across_zero_are_apart():
    voxels = VoxelMap(0.1, 100)
    points = np.array([[0.01, 0.01, 0.01], [-0.01, 0.01, 0.01], [0.01, -0.01, 0.01], [0.01, 0.01, -0.01]])
    voxels.add(points, gray(points))
    assert len(voxels) == 4


def test_clear_and_snapshot_are_independent_of_later_frames():
    voxels = VoxelMap(0.1, 100)
    voxels.add(np.array([[0.05, 0.05, 0.05]]), gray([0]))
    cloud = voxels.snapshot()
    voxels.add(np.array([[0.09, 0.09, 0.09]]), gray([0]))
    voxels.clear()
    assert len(voxels) == 0
    assert np.allclose(cloud.points, 0.05)
    assert cloud.counts.tolist() == [1]


def plane(depth=1.0):
    points = np.zeros((6, 8, 3), np.float32)
    points[..., 2] = depth
    return points


@pytest.mark.parametrize(
    ('change', 'why'),
    [
        (lambda p, c: p.__setitem__((2, 3), np.nan), 'not finite'),
        (lambda p, c: c.__setitem__((2, 3), np.nan), 'confidence not finite'),
        (lambda p, c: c.__setitem__((2, 3), 1.2), 'not sure'),
        (lambda p, c: p.__setitem__((2, 3, 2), -1.0), 'behind'),
        (lambda p, c: p.__setitem__((2, 3, 2), 7.0), 'far'),
        (lambda p, c: p.__setitem__((2, 3, 2), 1.3), 'between surfaces'),
    ],
)
def test_doubtful_pixels_are_not_mapped(change, why):
    points, confidence = plane(), np.full((6, 8), 3.0, np.float32)
    config = MapConfig(min_confidence=1.5, max_range=5.0)
    assert mappable_pixels(points, confidence, config).all()
    change(points, confidence)
    keep = mappable_pixels(points, confidence, config)
    assert not keep[2, 3], why
    assert keep[0, 0]
    assert keep[5, 7]


def test_depth_edges_mark_both_sides_of_a_step_and_nothing_else():
    depth = np.ones((5, 6))
    depth[:, 3:] = 2.0
    edges = depth_edges(depth, 0.1)
    assert edges[:, 2:4].all()
    assert not edges[:, [0, 1, 4, 5]].any()
    assert not depth_edges(depth, 1.5).any()
