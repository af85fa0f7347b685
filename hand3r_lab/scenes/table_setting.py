"""Puts household objects on the table where neither hands nor arms nor the camera will come."""

from __future__ import annotations

import numpy as np

from hand3r_lab.scenes import instances
from hand3r_lab.scenes.arms import ArmPath
from hand3r_lab.scenes.geometry_buffer import Part
from hand3r_lab.scenes.hands import PosedHand
from hand3r_lab.scenes.meshes import quad
from hand3r_lab.scenes.objects import Thing, household_object
from hand3r_lab.scenes.occluders import draw_occluder, find_place
from hand3r_lab.scenes.palette import Palette
from hand3r_lab.scenes.paths import Array
from hand3r_lab.scenes.room import Table
from hand3r_ros.hand_model.sides import HandSide

_MARGIN = 0.012  # m
_OCCLUDED_SHARE = 0.45  # of the sequences: something large is put between camera and hands
_ATTEMPTS = 6
_CAMERA_RADIUS = 0.12  # m kept free around the camera


def set_table(palette: Palette, table: Table, hands: list[PosedHand], arms: list[ArmPath], camera: Array) -> list[Part]:
    """Parts of two to eleven objects standing on the table, and of papers that lie there.

    Args:
        palette: materials and the source of all choices.
        table: the table.
        hands: posed hands, right-looking.
        arms: their arms.
        camera: (T, 3) positions of the camera.
    """
    rng = palette.rng
    taken = _taken_points(hands, arms)
    footprints: list[tuple[float, float, float]] = []
    parts: list[Part] = []
    if hands and rng.random() < _OCCLUDED_SHARE:
        occluder = draw_occluder(palette)
        spot = find_place(rng, occluder, table, taken, _seen_points(hands), camera)
        if spot is not None:
            footprints.append((spot.x, spot.y, occluder.radius))
            parts += _standing(palette, occluder, (spot.x, spot.y), spot.turn, table, instances.FIRST_OBJECT)
    parts += _loose_sheets(palette, table)
    for number in range(1, int(rng.integers(3, 13))):
        thing = household_object(palette)
        place = _free_place(rng, thing, table, taken, camera, footprints)
        if place is None:
            continue
        footprints.append((place[0], place[1], thing.radius))
        angle = rng.uniform(0.0, 2.0 * np.pi)
        parts += _standing(palette, thing, place, angle, table, instances.FIRST_OBJECT + number)
    return parts


def _standing(
    palette: Palette, thing: Thing, place: tuple[float, float], angle: float, table: Table, instance: int
) -> list[Part]:
    """A thing on the table, turned by ``angle`` radians about the vertical."""
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    ground = [place[0], place[1], table.height + 0.0025]
    return [Part(mesh.transformed(turn, ground), palette.add(material), instance) for mesh, material in thing.parts]


def _loose_sheets(palette: Palette, table: Table) -> list[Part]:
    """Papers, coasters and napkins that lie flat."""
    rng = palette.rng
    parts = []
    for number in range(int(rng.integers(0, 4))):
        half = rng.uniform(0.04, 0.15, 2)
        x, y = rng.normal(0.0, 0.3), rng.uniform(0.05, table.depth - 0.05)
        reach = float(np.hypot(*half))
        if abs(x) + reach > table.width / 2 or not reach < y < table.depth - reach:
            continue
        angle = rng.uniform(0.0, np.pi)
        along, across = np.array([np.cos(angle), np.sin(angle), 0.0]), np.array([-np.sin(angle), np.cos(angle), 0.0])
        corner = np.array([x, y, table.height + 0.0024 + 0.0003 * number]) - half[0] * along - half[1] * across
        material = palette.printed() if rng.random() < 0.6 else palette.cloth()
        sheet = quad(corner, 2.0 * half[0] * along, 2.0 * half[1] * across)
        parts.append(Part(sheet, palette.add(material), instances.TABLE))
    return parts


def _free_place(
    rng: np.random.Generator,
    thing: Thing,
    table: Table,
    taken: Array,
    camera: Array,
    footprints: list[tuple[float, float, float]],
) -> tuple[float, float] | None:
    half, top = table.width / 2.0 - thing.radius, table.height + thing.height + _MARGIN
    if table.depth < 2.2 * thing.radius or half <= 0.0:
        return None
    for _ in range(_ATTEMPTS):
        x = float(np.clip(rng.normal(0.0, 0.3), -half, half))
        y = float(rng.uniform(thing.radius, table.depth - thing.radius))
        if any(np.hypot(x - a, y - b) < thing.radius + r + _MARGIN for a, b, r in footprints):
            continue
        if len(taken):
            near = np.hypot(taken[:, 0] - x, taken[:, 1] - y) < thing.radius + _MARGIN
            if (near & (taken[:, 2] < top)).any():
                continue
        near = np.hypot(camera[:, 0] - x, camera[:, 1] - y) < thing.radius + _CAMERA_RADIUS
        if (near & (camera[:, 2] < top + _CAMERA_RADIUS)).any():
            continue
        return x, y
    return None


def _seen_points(hands: list[PosedHand]) -> Array:
    """(T, P, 3) points of all hands in the world."""
    points = []
    for hand in hands:
        mirror = [-1.0, 1.0, 1.0] if hand.motion.side == HandSide.LEFT else [1.0, 1.0, 1.0]
        points.append(hand.keypoints[:, ::2] * mirror)
    return np.concatenate(points, axis=1)


def _taken_points(hands: list[PosedHand], arms: list[ArmPath]) -> Array:
    """(N, 3) points of hands, held objects and forearms' undersides over the sequence, in the world."""
    points = [np.zeros((0, 3))]
    for hand, arm in zip(hands, arms, strict=True):
        share = np.linspace(0.0, 1.0, 8)[:, None, None]
        forearm = arm.elbow[::2] + share * (arm.wrist - arm.elbow)[::2]
        sides = [forearm + offset for offset in ([0.05, 0, -0.05], [-0.05, 0, -0.05], [0, 0, -0.05])]
        mine = np.concatenate(
            [hand.vertices[::2, ::5].reshape(-1, 3), hand.held_points[::2].reshape(-1, 3)]
            + [side.reshape(-1, 3) for side in sides]
        )
        points.append(mine * ([-1.0, 1.0, 1.0] if hand.motion.side == HandSide.LEFT else [1.0, 1.0, 1.0]))
    return np.concatenate(points)
