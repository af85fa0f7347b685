"""Hands and arms over a sequence: where they go, what they hold, their surfaces and their ground truth.

A hand is planned as a right hand. For a left hand the plan lives in the mirrored world (x -> -x), and everything is
mirrored when it is drawn; so the planned rotations of both sides are the right-looking ones that ``HandLayer`` takes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d
from scipy.spatial.transform import Rotation

from hand3r_lab.scenes.arms import ArmPath, hand_orientation, reach
from hand3r_lab.scenes.grasps import Grasp
from hand3r_lab.scenes.paths import Array, ease, key_count, through, wander
from hand3r_lab.scenes.room import Table
from hand3r_lab.scenes.skinning import skin_hands
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.sides import HandSide

_CLEARANCE = 0.003  # m between a hand and the table
_APART = 0.015  # m between two hands
# Ranges of forearm rotation in degrees and how often each is chosen.
_HOLDING_ROLLS = (((50.0, 100.0), (0.0, 50.0), (100.0, 160.0)), (0.7, 0.2, 0.1))
_FREE_ROLLS = (((-10.0, 30.0), (30.0, 95.0), (95.0, 175.0)), (0.45, 0.37, 0.18))


@dataclass(frozen=True, eq=False)
class HandPools:
    """Articulations and grasps a sequence may use."""

    articulations: Array  # (N, 15, 3)
    grasps: tuple[Grasp, ...]


@dataclass(frozen=True, eq=False)
class HandMotion:
    """A hand over T frames, right-looking (see the module's first lines)."""

    side: HandSide
    shoulder: Array  # (T, 3) m
    wrist: Array  # (T, 3) m
    orientation: Array  # (T, 3, 3)
    articulation: Array  # (T, 15, 3) axis-angle
    betas: Array  # (10,)
    grasp: Grasp | None

    @cached_property
    def rotations(self) -> Array:
        """(T, 16, 3, 3) global orientation and joint rotations, right-looking."""
        frames = len(self.wrist)
        joints = Rotation.from_rotvec(self.articulation.reshape(-1, 3)).as_matrix().reshape(frames, 15, 3, 3)
        return np.concatenate([self.orientation[:, None], joints], axis=1)


@dataclass(frozen=True, eq=False)
class PosedHand:
    """A hand motion with its skinned surface, right-looking."""

    motion: HandMotion
    vertices: Array  # (T, 778, 3) m
    keypoints: Array  # (T, 21, 3) m
    held_points: Array  # (T, P, 3) extreme points of the held object; P may be 0

    def arm(self, table: Table) -> ArmPath:
        """The arm that carries the hand."""
        return reach(self.motion.shoulder, self.motion.wrist, table.height)

    def moved(self, offset: Array) -> PosedHand:
        """The same hand shifted by ``offset`` (T, 3) or (3,)."""
        offset = np.broadcast_to(offset, self.motion.wrist.shape)
        motion = replace(self.motion, wrist=self.motion.wrist + offset)
        shift = offset[:, None]
        return PosedHand(motion, self.vertices + shift, self.keypoints + shift, self.held_points + shift)


def plan_hand(
    rng: np.random.Generator,
    side: HandSide,
    shoulder: Array,
    table: Table,
    fps: float,
    pools: HandPools,
    betas: Array,
    near: Array | None = None,
) -> HandMotion:
    """A hand that works above the table, often holding something; it may come or leave during the sequence.

    Args:
        rng: source of all choices.
        side: anatomical side.
        shoulder: (T, 3) path of the shoulder, mirrored for a left hand.
        table: where to work.
        fps: frames per second.
        pools: articulations and grasps of the split.
        betas: (10,) shape of the person's hands.
        near: (3,) where to work, e.g. over the other hand, mirrored for a left hand; None = anywhere.
    """
    frames = len(shoulder)
    wrist = _wrist_path(rng, frames, fps, table, near)
    keys = key_count(frames, rng.uniform(0.6, 1.3) * fps)
    arm = reach(shoulder, wrist, table.height)
    flexion = np.deg2rad(through(rng.normal(-6.0, 14.0, keys), frames))
    deviation = np.deg2rad(through(rng.normal(0.0, 8.0, keys), frames))
    grasp = pools.grasps[rng.integers(len(pools.grasps))] if rng.random() < 0.45 else None
    roll = np.deg2rad(_choose_roll(rng, grasp is not None) + through(rng.normal(0.0, 14.0, keys), frames))
    orientation = hand_orientation(arm.forearm, roll, flexion, deviation)
    if grasp is None:
        chosen = pools.articulations[rng.integers(len(pools.articulations), size=keys)]
        articulation = through(chosen, frames) + wander(rng, frames, np.full(45, 0.01), fps).reshape(frames, 15, 3)
    else:
        articulation = np.repeat(grasp.articulation[None], frames, axis=0)
    return HandMotion(side, arm.shoulder, wrist, orientation, articulation, betas, grasp)


def pose_hands(motions: list[HandMotion], table: Table) -> list[PosedHand]:
    """Skins all hands in one pass, fits held objects to the hands and keeps everything above the table and apart."""
    if not motions:
        return []
    hands = [_fit_grasp(hand) for hand in _skin(motions)]
    hands = [_above_table(hand, table) for hand in hands]
    if len(hands) == 2:
        hands = _separate(hands)
    return hands


def _wrist_path(rng: np.random.Generator, frames: int, fps: float, table: Table, near: Array | None) -> Array:
    middle = np.array([rng.uniform(-0.03, 0.24), rng.uniform(0.06, 0.32), table.height + rng.uniform(0.05, 0.22)])
    if near is not None:
        middle = near + rng.normal(0.0, 0.03, 3) + [0.0, 0.02, rng.uniform(0.04, 0.11)]
    keys = key_count(frames, rng.uniform(0.7, 1.4) * fps)
    steps = rng.normal(0.0, 1.0, (keys, 3)) * [0.07, 0.06, 0.04]
    wrist = middle + through(steps, frames) + wander(rng, frames, [0.002] * 3, 0.5 * fps)
    wrist[:, 2] = np.maximum(wrist[:, 2], table.height + 0.04)
    away = np.array([0.3, -0.26, table.height - rng.uniform(0.0, 0.1)])
    choice = rng.random()
    if choice < 0.34:
        moment = rng.uniform(0.1, 0.6) * frames
        gone = ease(frames, moment, rng.uniform(0.6, 1.1) * fps)
        gone = 1.0 - gone if choice < 0.17 else gone
        way = np.stack([gone, gone, gone], -1)
        way[:, 2] = np.clip(1.6 * gone - 0.6, 0.0, 1.0)  # first back over the edge, then down
        wrist = wrist + way * (away - wrist)
    return wrist


def _choose_roll(rng: np.random.Generator, holding: bool) -> float:
    """Degrees of forearm rotation: 0 = palm down, 90 = thumb up, 180 = palm up."""
    ranges, shares = _HOLDING_ROLLS if holding else _FREE_ROLLS
    return float(rng.uniform(*ranges[rng.choice(len(ranges), p=shares)]))


def _skin(motions: list[HandMotion]) -> list[PosedHand]:
    hands = []
    for motion in motions:
        mesh = skin_hands(motion.rotations, motion.betas)
        wrist = motion.wrist[:, None]
        held = np.zeros((len(wrist), 0, 3))
        hands.append(PosedHand(motion, mesh.vertices + wrist, mesh.keypoints + wrist, held))
    return hands


def _fit_grasp(hand: PosedHand) -> PosedHand:
    """Refits the held object to this person's fingers and notes its extreme points."""
    motion = hand.motion
    if motion.grasp is None:
        return hand
    local = (hand.vertices[0] - motion.wrist[0]) @ motion.orientation[0]
    grasp = motion.grasp.refitted(local)
    reach_z = grasp.radius if grasp.shape == 'sphere' else 0.085
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    corners *= [0.8 * grasp.radius, 0.8 * grasp.radius, reach_z]
    points = corners @ grasp.axes.T + grasp.centre
    held = np.einsum('tij,pj->tpi', motion.orientation, points) + motion.wrist[:, None]
    return replace(hand, motion=replace(motion, grasp=grasp), held_points=held)


def _above_table(hand: PosedHand, table: Table) -> PosedHand:
    """Lifts the hand smoothly in the frames in which it or its object would sink into the table."""
    lowest = hand.vertices[..., 2].min(1)
    if hand.held_points.shape[1]:
        lowest = np.minimum(lowest, hand.held_points[..., 2].min(1))
    over = (hand.vertices[..., 1].max(1) > -0.02) & (np.abs(hand.motion.wrist[:, 0]) < table.width / 2.0)
    lift = np.where(over, np.maximum(table.height + _CLEARANCE - lowest, 0.0), 0.0)
    lift = uniform_filter1d(maximum_filter1d(lift, 7, mode='nearest'), 7, mode='nearest')
    return hand.moved(np.stack([0.0 * lift, 0.0 * lift, lift], -1))


def _separate(hands: list[PosedHand]) -> list[PosedHand]:
    """Moves two hands sideways until they do not touch."""
    for _ in range(8):
        first, second = (_outline(hand)[::3] for hand in hands)
        mirrored = first * [-1.0, 1.0, 1.0]  # both sides in one world
        gap = _smallest_gap(np.ascontiguousarray(mirrored), np.ascontiguousarray(second))
        if gap > _APART:
            break
        hands = [hand.moved(np.array([0.025, 0.0, 0.0])) for hand in hands]
    return hands


@njit(cache=True, error_model='numpy')
def _smallest_gap(first: Array, second: Array) -> float:
    """Smallest distance of two point sets (T, N, 3) and (T, M, 3) of the same frames."""
    best = 1e30
    for t in range(first.shape[0]):
        for i in range(first.shape[1]):
            for j in range(second.shape[1]):
                x, y = first[t, i, 0] - second[t, j, 0], first[t, i, 1] - second[t, j, 1]
                z = first[t, i, 2] - second[t, j, 2]
                best = min(best, x * x + y * y + z * z)
    return math.sqrt(best)


def _outline(hand: PosedHand) -> Array:
    return np.concatenate([hand.vertices[:, ::7], hand.held_points], axis=1)


def hand_faces(side: HandSide) -> NDArray[np.int32]:
    """(F, 3) outward triangles of the hand as it is drawn."""
    return np.ascontiguousarray(load_open_hand().faces(side), np.int32)
