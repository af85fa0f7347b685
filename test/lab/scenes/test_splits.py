"""Training, validation and test share no seed, texture, articulation or grasp."""

from itertools import combinations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from hand3r_lab.scenes import splits
from hand3r_lab.scenes.grasps import grasp_pool
from hand3r_lab.scenes.hand_poses import articulation_pool
from hand3r_lab.scenes.textures import LEVELS, SIZE, texture_bank


def test_every_seed_belongs_to_one_split():
    for split in splits.SPLITS:
        for index in (0, 1, 12345, splits.SEEDS_PER_SPLIT - 1):
            assert splits.split_of(splits.sequence_seed(split, index)) == split
    edges = [splits.sequence_seed(split, i) for split in splits.SPLITS for i in (0, splits.SEEDS_PER_SPLIT - 1)]
    assert len(set(edges)) == len(edges)


def test_seeds_outside_the_splits_are_refused():
    with pytest.raises(ValueError, match='split must be'):
        splits.sequence_seed('dev', 0)
    with pytest.raises(ValueError, match='index must be'):
        splits.sequence_seed('train', splits.SEEDS_PER_SPLIT)
    for seed in (-1, len(splits.SPLITS) * splits.SEEDS_PER_SPLIT):
        with pytest.raises(ValueError, match='seed must be'):
            splits.split_of(seed)


@pytest.mark.parametrize('first, second', list(combinations(splits.SPLITS, 2)))
def test_splits_share_no_textures_poses_or_grasps(first, second):
    seeds = [splits.pool_seed(splits.sequence_seed(split, 0)) for split in (first, second)]
    textures = [texture_bank(seed) for seed in seeds]
    images = [
        {
            bank.pixels[start : start + SIZE * SIZE * 3].tobytes()
            for start in range(0, len(bank.kinds) * SIZE * SIZE * 3, SIZE * SIZE * 3)
        }
        for bank in textures
    ]
    assert all(len(one) == len(bank.kinds) for one, bank in zip(images, textures, strict=True))
    assert not images[0] & images[1]
    poses = [articulation_pool(seed).reshape(-1, 45) for seed in seeds]
    assert cKDTree(poses[0]).query(poses[1])[0].min() > 1e-3
    grasps = [np.stack([grasp.articulation.reshape(-1) for grasp in grasp_pool(seed)]) for seed in seeds]
    assert cKDTree(grasps[0]).query(grasps[1])[0].min() > 1e-3


def test_training_takes_turns_with_pools_that_no_other_split_uses():
    turns = [splits.pool_seed(turn * splits.SEQUENCES_PER_TURN) for turn in range(2 * splits.TRAINING_POOLS)]
    assert turns[: splits.TRAINING_POOLS] == turns[splits.TRAINING_POOLS :]
    assert len(set(turns)) == splits.TRAINING_POOLS
    seeds = [splits.sequence_seed(split, index) for split in ('validation', 'test') for index in (0, 99_999)]
    others = {splits.pool_seed(seed) for seed in seeds}
    assert len(others) == 2 and not others & set(turns)
    assert splits.pool_seed(splits.SEQUENCES_PER_TURN - 1) == turns[0]


def test_reduced_texture_levels_keep_the_mean_colour():
    bank = texture_bank(splits.pool_seed(0))
    count = len(bank.kinds)
    full = bank.pixels[: bank.level_offsets[1]].reshape(count, -1, 3).mean(1)
    smallest = bank.pixels[bank.level_offsets[LEVELS - 1] :].reshape(count, -1, 3).mean(1)
    assert smallest.shape == full.shape
    np.testing.assert_allclose(smallest, full, atol=2.5)
