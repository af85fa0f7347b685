"""A set of 50 sequences shows wide and narrow lenses, all kinds of light, every degree of occlusion and no hands."""

import numpy as np
import pytest

from hand3r_lab.scenes.lights import KINDS, automatic_exposure, choose_light
from hand3r_lab.scenes.sequence import SceneConfig, Sequence


@pytest.fixture(scope='module')
def drawn():
    """50 small sequences of eight frames at 4 frames/s, with every second frame drawn."""
    config = SceneConfig(width=80, height=60, frames=8, fps=4.0)
    sequences = [Sequence(seed, config) for seed in range(50)]
    return [(sequence, [sequence.frame(index) for index in (0, 2, 4, 6)]) for sequence in sequences]


def test_all_degrees_of_occlusion_occur(drawn):
    hidden = [1.0 - hand.visible_fraction for _, frames in drawn for frame in frames for hand in frame.hands]
    shares = np.histogram(hidden, bins=[0.0, 0.25, 0.5, 0.75, 1.0001])[0] / len(hidden)
    assert shares[0] > 0.4
    assert (shares[1:] >= 0.04).all(), shares


def test_one_two_or_no_hands_and_both_kinds_of_camera(drawn):
    counts = np.bincount([len(sequence.hands) for sequence, _ in drawn], minlength=3)
    assert counts[0] >= 1 and counts[0] < 10
    assert counts[1] > 10 and counts[2] > 10
    assert 15 < sum(sequence.egocentric for sequence, _ in drawn) < 45


def test_fields_of_view_reach_from_45_to_100_degrees(drawn):
    degrees = np.array(
        [np.degrees(2.0 * np.arctan(40.0 / sequence.intrinsics.fx)) for sequence, _ in drawn]  # half of 80 pixels
    )
    assert degrees.min() >= 45.0 and degrees.max() <= 100.0
    assert degrees.min() < 52.0 and degrees.max() > 92.0


def test_lights_differ_in_direction_colour_and_strength():
    lights = [choose_light(np.random.default_rng(seed), 0.74) for seed in range(80)]
    elevation = np.degrees([np.arcsin(light.sun_direction[2]) for light in lights])
    assert elevation.min() < 30.0 and elevation.max() > 70.0
    strength = np.array([light.sun_colour.mean() + light.sky_colour.mean() for light in lights])
    assert strength.max() > 5.0 * strength.min()
    warmth = np.array([light.sun_colour[0] / light.sun_colour[2] for light in lights])
    assert warmth.max() > 1.4 and warmth.min() < 0.95
    assert sum(kind.share for kind in KINDS.values()) == pytest.approx(1.0)


def test_automatic_exposure_brightens_dim_scenes_but_not_fully():
    lights = [choose_light(np.random.default_rng(seed), 0.74) for seed in range(80)]
    level = np.array([(light.sun_colour * light.sun_direction[2] + light.sky_colour).mean() for light in lights])
    exposure = np.array([automatic_exposure(light) for light in lights])
    dim, bright = level.argmin(), level.argmax()
    assert exposure[dim] > 1.2 > 0.95 > exposure[bright]
    assert exposure[dim] * level[dim] < exposure[bright] * level[bright]
