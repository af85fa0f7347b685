"""Occluders stand on the table between camera and hands and touch nothing."""

import numpy as np

from hand3r_lab.scenes.objects import Block, Thing
from hand3r_lab.scenes.occluders import find_place
from hand3r_lab.scenes.room import Table

TABLE = Table(0.75, 1.6, 0.9)
BOX = Thing((), 0.13, 0.2, (Block(0.0, 0.0, 0.12, 0.05, 0.0, 0.2),))


def scene():
    """A camera beyond the table that looks at a hand low over it, over 4 frames."""
    rng = np.random.default_rng(0)
    seen = np.array([0.1, 0.2, 0.82]) + rng.uniform(-0.05, 0.05, (4, 11, 3))
    return seen, np.tile([0.0, 1.1, 1.1], (4, 1))


def in_box(points, place):
    """(...) whether points (..., 3) lie in the placed box."""
    offset = points - [place.x, place.y, TABLE.height]
    cosine, sine = np.cos(place.turn), np.sin(place.turn)
    u, v = cosine * offset[..., 0] + sine * offset[..., 1], cosine * offset[..., 1] - sine * offset[..., 0]
    return (np.abs(u) < 0.12) & (np.abs(v) < 0.05) & (offset[..., 2] > 0.0) & (offset[..., 2] < 0.2)


def test_an_occluder_cuts_lines_of_sight_and_touches_no_hand():
    seen, camera = scene()
    share = np.linspace(0.0, 1.0, 400)[:, None, None, None]
    hidden = []
    for seed in range(20):
        place = find_place(np.random.default_rng(seed), BOX, TABLE, seen.reshape(-1, 3), seen, camera)
        assert place is not None
        assert not in_box(seen, place).any()
        assert abs(place.x) < TABLE.width / 2 and 0.0 < place.y < TABLE.depth
        hidden.append(in_box(camera[:, None] + share * (seen - camera[:, None]), place).any(0).mean())
    assert min(hidden) > 0.02
    assert np.ptp(hidden) > 0.3  # from a little to nearly all of the hand


def test_there_is_no_place_where_arms_are_everywhere():
    seen, camera = scene()
    grid = np.stack(np.meshgrid(np.linspace(-0.8, 0.8, 60), np.linspace(0.0, 0.9, 40), [0.8]), -1).reshape(-1, 3)
    assert find_place(np.random.default_rng(0), BOX, TABLE, grid, seen, camera) is None
