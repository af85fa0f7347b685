"""Plausible finger poses for rendered scenes: sampled grips within joint limits whose fingers do not pass through.

A sample mixes the postures of a named grip with correlated noise, is clipped to the joint limits, and is drawn again
while its fingers, as capsules around the bones, penetrate each other or the palm. The same generator state gives the
same poses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hand3r_ros.hand_model.articulation import (
    FLEXION_LIMITS,
    SPREAD_LIMITS,
    TWIST_LIMITS,
    Articulation,
    axis_angle_from_articulation,
)
from hand3r_ros.hand_model.penetration import penetration_depth
from hand3r_ros.hand_model.rig import HandRig, load_open_hand_rig

FloatArray = NDArray[np.float64]

MAX_PENETRATION = 0.004  # m; flesh gives way by about this much
MAX_ROUNDS = 12


@dataclass(frozen=True)
class Grip:
    """A family of postures between an open and a closed end; degrees, rows index, middle, little, ring, thumb."""

    open_flexion: tuple[tuple[float, float, float], ...]
    closed_flexion: tuple[tuple[float, float, float], ...]
    spread: tuple[float, float, float, float, float]
    thumb_twist: float
    noise: float = 5.0  # standard deviation of every angle
    share: float = 1.0  # how often it is drawn, relative to the others


_STRAIGHT = (-3.0, 2.0, 2.0)
_CURLED = (75.0, 92.0, 55.0)
_OPEN_THUMB = (-5.0, 0.0, 0.0)


def _fingers(index: tuple, middle: tuple, little: tuple, ring: tuple, thumb: tuple) -> tuple:
    return (index, middle, little, ring, thumb)


def _same(finger: tuple, thumb: tuple) -> tuple:
    return (finger, finger, finger, finger, thumb)


# The thumbs of the pinches and fists were found by minimising the distance of the pads that touch.
GRIPS: dict[str, Grip] = {
    'relaxed': Grip(
        _same((5.0, 10.0, 5.0), (0.0, 5.0, 5.0)), _same((30.0, 40.0, 20.0), (12.0, 15.0, 20.0)), (0, 0, 2, 0, 5), 8, 6
    ),
    'flat': Grip(_same(_STRAIGHT, _OPEN_THUMB), _same((12.0, 6.0, 4.0), _OPEN_THUMB), (5, 0, 8, 3, 0), 0),
    'spread': Grip(
        _same((-12.0, 2.0, 2.0), (-14.0, -5.0, -5.0)), _same((8.0, 12.0, 6.0), _OPEN_THUMB), (14, 2, 20, 9, 5), 0
    ),
    'power_grasp': Grip(
        _same((18.0, 25.0, 15.0), (5.0, 5.0, 10.0)), _same((62.0, 75.0, 40.0), (28.0, 25.0, 25.0)),
        (3, 0, 4, 1, 26), 28, 5, 2.5,
    ),
    'disk_grasp': Grip(
        _same((10.0, 20.0, 12.0), (0.0, 5.0, 10.0)), _same((35.0, 48.0, 30.0), (15.0, 10.0, 25.0)),
        (12, 1, 16, 8, 18), 25,
    ),
    'pinch_index': Grip(
        _fingers((35.0, 20.0, 10.0), (15.0, 20.0, 10.0), (10.0, 15.0, 8.0), (12.0, 18.0, 10.0), (25.0, -8.0, -8.0)),
        _fingers((66.0, 30.0, 18.0), (40.0, 45.0, 25.0), (45.0, 55.0, 30.0), (45.0, 50.0, 30.0), (43.0, -14.0, -14.0)),
        (8, 2, 4, 2, 18), 38, 4, 1.3,
    ),
    'tripod': Grip(
        _fingers((35.0, 20.0, 12.0), (40.0, 20.0, 12.0), (30.0, 40.0, 20.0), (30.0, 35.0, 20.0), (25.0, 0.0, 0.0)),
        _fingers((64.0, 32.0, 20.0), (70.0, 28.0, 17.0), (65.0, 75.0, 40.0), (68.0, 70.0, 40.0), (44.0, -4.0, -12.0)),
        (3, 2, 2, 0, 23), 39, 4, 1.3,
    ),
    'pinch_middle': Grip(
        _fingers((15.0, 15.0, 8.0), (40.0, 20.0, 10.0), (12.0, 15.0, 8.0), (20.0, 20.0, 10.0), (25.0, 5.0, -5.0)),
        _fingers((40.0, 35.0, 20.0), (71.0, 28.0, 17.0), (35.0, 40.0, 25.0), (50.0, 45.0, 28.0), (45.0, 6.0, -14.0)),
        (6, 4, 6, 2, 27), 39, 4, 0.5,
    ),
    'lateral_pinch': Grip(
        _same((40.0, 60.0, 30.0), (8.0, 10.0, 10.0)), _same((55.0, 82.0, 45.0), (22.0, 15.0, 25.0)),
        (0, 0, 0, 0, -5), 0, 4,
    ),
    'hook': Grip(
        _same((0.0, 55.0, 35.0), _OPEN_THUMB), _same((15.0, 95.0, 60.0), (15.0, 15.0, 15.0)), (0, 0, 2, 0, 5), 8
    ),
    'fist': Grip(
        _same((60.0, 75.0, 45.0), (12.0, 48.0, 50.0)), _same(_CURLED, (5.0, 54.0, 65.0)), (0, 0, 0, 0, 33), 25, 4
    ),
    'point': Grip(
        _fingers(_STRAIGHT, (50.0, 70.0, 40.0), (50.0, 70.0, 40.0), (50.0, 70.0, 40.0), (18.0, 40.0, 48.0)),
        _fingers((15.0, 15.0, 8.0), _CURLED, _CURLED, _CURLED, (13.0, 44.0, 75.0)),
        (2, 0, 0, 0, 22), 20, 5,
    ),
    'victory': Grip(
        _fingers(_STRAIGHT, _STRAIGHT, (55.0, 75.0, 40.0), (55.0, 75.0, 40.0), (22.0, 45.0, 52.0)),
        _fingers((8.0, 8.0, 5.0), (8.0, 8.0, 5.0), _CURLED, _CURLED, (18.0, 53.0, 75.0)),
        (14, -9, 0, 0, 18), 12, 4, 0.5,
    ),
    'thumb_up': Grip(
        _same((60.0, 75.0, 45.0), (-12.0, -8.0, -8.0)), _same(_CURLED, (-5.0, 0.0, -5.0)), (0, 0, 0, 0, -10), 0, 4, 0.5
    ),
}  # fmt: skip
"""The postures that ``sample_articulations`` mixes; ``'independent'`` is drawn from the joint limits instead."""

INDEPENDENT = 'independent'
_INDEPENDENT_SHARE = 2.0


def grip_articulation(name: str, closure: float) -> Articulation:
    """One hand (n = 1) in the grip ``name`` without noise, ``closure`` from 0 (open end) to 1 (closed end).

    Raises:
        KeyError: there is no such grip; the names are those of ``GRIPS``.
    """
    return _posture(GRIPS[name], np.array([[closure] * 5])).limited()


def sample_poses(
    rng: np.random.Generator, count: int, grips: Sequence[str] | None = None, rig: HandRig | None = None
) -> FloatArray:
    """(count, 15, 3) axis-angle rotations of the joints 1..15, MANO order, right hand; see ``sample_articulations``."""
    rig = rig or load_open_hand_rig()
    return axis_angle_from_articulation(sample_articulations(rng, count, grips, rig), rig.bone_frames)


def sample_articulations(
    rng: np.random.Generator, count: int, grips: Sequence[str] | None = None, rig: HandRig | None = None
) -> Articulation:
    """``count`` plausible articulations.

    Args:
        rng: the only source of chance.
        count: how many hands, 0 or more.
        grips: names of ``GRIPS`` or ``'independent'`` to choose from; None: all, by their shares.
        rig: of the hand that the fingers must not pass through; None: the open hand's.

    Raises:
        KeyError: there is no such grip.
    """
    rig = rig or load_open_hand_rig()
    samples = _draw(rng, count, grips)
    depth = penetration_depth(axis_angle_from_articulation(samples, rig.bone_frames), rig)
    for _ in range(MAX_ROUNDS):
        bad = np.flatnonzero(depth > MAX_PENETRATION)
        if len(bad) == 0:
            break
        again = _draw(rng, len(bad), grips)
        again_depth = penetration_depth(axis_angle_from_articulation(again, rig.bone_frames), rig)
        better = again_depth < depth[bad]
        replaced = bad[better]
        depth[replaced] = again_depth[better]
        for current, new in zip(_angles(samples), _angles(again), strict=True):
            current[replaced] = new[better]
    return samples


def _angles(articulation: Articulation) -> tuple[FloatArray, FloatArray, FloatArray]:
    return articulation.flexion, articulation.spread, articulation.twist


def _draw(rng: np.random.Generator, count: int, grips: Sequence[str] | None) -> Articulation:
    names = list(grips) if grips is not None else [*GRIPS, INDEPENDENT]
    shares = np.array([_INDEPENDENT_SHARE if name == INDEPENDENT else GRIPS[name].share for name in names])
    choice = rng.choice(len(names), size=count, p=shares / shares.sum())
    closure = np.clip(rng.uniform(-0.1, 1.1, (count, 1)) + rng.normal(0.0, 0.12, (count, 5)), 0.0, 1.0)
    noise = rng.standard_normal((count, 5, 5))
    drawn = _draw_independent(rng, count)
    for index, name in enumerate(names):
        if name == INDEPENDENT:
            continue
        mine = choice == index
        posture = _noisy(_posture(GRIPS[name], closure[mine]), noise[mine], GRIPS[name].noise)
        for current, new in zip(_angles(drawn), _angles(posture), strict=True):
            current[mine] = new
    return drawn.limited()


def _posture(grip: Grip, closure: FloatArray) -> Articulation:
    """Between the open and the closed end, by a closure (n, 5) for each finger."""
    low, high = np.deg2rad(grip.open_flexion), np.deg2rad(grip.closed_flexion)
    flexion = low + closure[..., None] * (high - low)
    spread = np.tile(np.deg2rad(grip.spread), (len(closure), 1))
    twist = np.zeros((len(closure), 5))
    twist[:, 4] = np.deg2rad(grip.thumb_twist)
    return Articulation(flexion, spread, twist)


def _noisy(posture: Articulation, noise: FloatArray, degrees: float) -> Articulation:
    """Adds noise (n, 5, 5); the last joint of a finger follows the middle one, as its tendon makes it do."""
    noise = np.deg2rad(degrees) * noise
    flexion = posture.flexion + noise[..., :3]
    flexion[:, :4, 2] += 0.6 * noise[:, :4, 1] - 0.4 * noise[:, :4, 2]
    return Articulation(flexion, posture.spread + 0.6 * noise[..., 3], posture.twist + 0.5 * noise[..., 4])


def _draw_independent(rng: np.random.Generator, count: int) -> Articulation:
    """Every finger for itself, over most of the range of its joints."""
    closing = rng.beta(0.8, 1.0, (count, 5, 2))
    flexion = np.empty((count, 5, 3))
    low, high = FLEXION_LIMITS[..., 0], FLEXION_LIMITS[..., 1]
    flexion[..., :2] = low[:, :2] + closing * (high - low)[:, :2]
    knuckles = flexion[:, :4, 0]  # tendons and skin tie the knuckles of neighbouring fingers together
    flexion[:, :4, 0] = 0.6 * knuckles + 0.4 * knuckles.mean(1, keepdims=True)
    coupling = np.clip(0.7 * closing[..., 1] + 0.3 * rng.random((count, 5)), 0.0, 1.0)
    flexion[..., 2] = low[:, 2] + coupling * (high - low)[:, 2]
    spread = rng.uniform(SPREAD_LIMITS[:, 0], SPREAD_LIMITS[:, 1], (count, 5))
    twist = rng.uniform(TWIST_LIMITS[:, 0], TWIST_LIMITS[:, 1], (count, 5))
    return Articulation(flexion, spread, twist)
