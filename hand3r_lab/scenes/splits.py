"""Seeds of the training, validation and test sequences; nothing random is shared between the splits.

A sequence seed decides its split, and the split decides which texture bank, articulation pool and grasp pool the
sequence may use. So two splits share no seed, no texture, no hand pose and no grasp. Training sequences take turns with
several such pools, because a network soon knows the textures of one.
"""

from __future__ import annotations

SPLITS: tuple[str, ...] = ('train', 'validation', 'test')
SEEDS_PER_SPLIT = 100_000_000

TRAINING_POOLS = 16  # each takes a process about 3 s and 30 MB
SEQUENCES_PER_TURN = 512  # so that processes which draw sequences in order rarely change pools

_POOL_SEEDS = {'train': 104_729, 'validation': 224_737, 'test': 350_377}
POOLS = TRAINING_POOLS + len(_POOL_SEEDS) - 1  # of all splits, what a process keeps at most
_POOL_STEP = 1_000_003


def sequence_seed(split: str, index: int) -> int:
    """Seed of sequence ``index`` (0, 1, ...) of a split.

    Raises:
        ValueError: the split is unknown or the index is outside 0 .. SEEDS_PER_SPLIT - 1.
    """
    if split not in SPLITS:
        raise ValueError(f'split must be one of {", ".join(SPLITS)}, got {split!r}')
    if not 0 <= index < SEEDS_PER_SPLIT:
        raise ValueError(f'index must be 0 .. {SEEDS_PER_SPLIT - 1}, got {index}')
    return SPLITS.index(split) * SEEDS_PER_SPLIT + index


def split_of(seed: int) -> str:
    """The split a sequence seed belongs to.

    Raises:
        ValueError: the seed belongs to no split.
    """
    if not 0 <= seed < len(SPLITS) * SEEDS_PER_SPLIT:
        raise ValueError(f'seed must be 0 .. {len(SPLITS) * SEEDS_PER_SPLIT - 1}, got {seed}')
    return SPLITS[seed // SEEDS_PER_SPLIT]


def pool_seed(seed: int) -> int:
    """Seed from which the textures, articulations and grasps of the sequence with this seed are drawn.

    Raises:
        ValueError: the seed belongs to no split.
    """
    split = split_of(seed)
    turn = seed % SEEDS_PER_SPLIT // SEQUENCES_PER_TURN % TRAINING_POOLS if split == 'train' else 0
    return _POOL_SEEDS[split] + turn * _POOL_STEP
