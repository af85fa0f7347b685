"""Large things on the table that hide hands from the camera, and where to put them: laptops, monitors, crates.

An occluder is put on a line of sight from the camera to a hand, such that it touches neither hands, arms nor the
camera and hides about a chosen share of the hands' points over the sequence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hand3r_lab.scenes.materials import Material
from hand3r_lab.scenes.meshes import Mesh, box
from hand3r_lab.scenes.objects import Block, Thing, household_object
from hand3r_lab.scenes.palette import Palette
from hand3r_lab.scenes.paths import Array
from hand3r_lab.scenes.room import Table

_MARGIN = 0.012  # m between an occluder and hands or arms
_CAMERA_MARGIN = 0.20  # m; nearer things would fill the picture
_TRIES = 48


@dataclass(frozen=True)
class Place:
    """Where a thing stands on the table: position in metres and turn about the vertical in radians."""

    x: float
    y: float
    turn: float


def draw_occluder(palette: Palette) -> Thing:
    """A laptop, monitor, crate or pile of boxes; sometimes an ordinary household object."""
    rng = palette.rng
    choice = rng.random()
    return _KINDS[int(rng.integers(len(_KINDS)))](palette) if choice < 0.8 else household_object(palette)


def find_place(
    rng: np.random.Generator, thing: Thing, table: Table, taken: Array, seen: Array, camera: Array
) -> Place | None:
    """The place that comes nearest to hiding a random share of the hands; None when nothing fits or hides.

    Args:
        rng: source of all choices.
        thing: what is to be placed.
        table: where it stands.
        taken: (N, 3) points that must stay free, world, metres.
        seen: (T, P, 3) points of the hands that may be hidden.
        camera: (T, 3) positions of the camera.
    """
    frames, points = seen.shape[:2]
    frame, point = rng.integers(frames, size=_TRIES), rng.integers(points, size=_TRIES)
    eye, target = camera[frame], seen[frame, point]
    share = rng.uniform(0.4, 0.97, (_TRIES, 1))
    spot = (eye + share * (target - eye))[:, :2] + rng.normal(0.0, 0.03, (_TRIES, 2))
    across = np.arctan2(target[:, 1] - eye[:, 1], target[:, 0] - eye[:, 0]) + np.pi / 2
    turn = across + rng.normal(0.0, 0.35, _TRIES) + np.pi * rng.integers(0, 2, _TRIES)
    aim = rng.uniform(0.25, 1.0)
    rays = np.repeat(camera, points, axis=0), np.ascontiguousarray(seen.reshape(-1, 3))
    hidden = _hidden_shares(
        np.column_stack([spot, turn]), bounds(thing), thing.radius, table.size(), taken, *rays, camera
    )
    possible = np.flatnonzero(hidden > 0.05)
    if len(possible) == 0:
        return None
    best = possible[np.abs(hidden[possible] - aim).argmin()]
    return Place(float(spot[best, 0]), float(spot[best, 1]), float(turn[best]))


def bounds(thing: Thing) -> Array:
    """(B, 6) x, y, half x, half y, low and high of the boxes around a thing; metres, its own axes."""
    blocks = thing.blocks or (Block(0.0, 0.0, thing.radius, thing.radius, 0.0, thing.height),)
    return np.array([[one.x, one.y, one.half_x, one.half_y, one.low, one.high] for one in blocks])


@njit(cache=True, error_model='numpy')
def _hidden_shares(
    places: NDArray,
    blocks: NDArray,
    radius: float,
    table: NDArray,
    taken: NDArray,
    eyes: NDArray,
    targets: NDArray,
    camera: NDArray,
) -> NDArray:
    """(K,) share of the lines from ``eyes`` to ``targets`` (M, 3) that the thing cuts at each place; -1 = no room."""
    width, depth, ground = table[0], table[1], table[2]
    shares = np.full(len(places), -1.0)
    for k in range(len(places)):
        x, y, cosine, sine = places[k, 0], places[k, 1], np.cos(places[k, 2]), np.sin(places[k, 2])
        edge = 0.7 * radius
        if abs(x) > 0.5 * width - edge or y < edge or y > depth - edge:
            continue
        free = True
        for group in range(2):
            points, margin = (taken, _MARGIN) if group == 0 else (camera, _CAMERA_MARGIN)
            for i in range(len(points)):
                dx, dy, z = points[i, 0] - x, points[i, 1] - y, points[i, 2] - ground
                u, v = cosine * dx + sine * dy, cosine * dy - sine * dx
                for b in range(len(blocks)):
                    if (
                        abs(u - blocks[b, 0]) < blocks[b, 2] + margin
                        and abs(v - blocks[b, 1]) < blocks[b, 3] + margin
                        and z < blocks[b, 5] + margin
                    ):
                        free = False
                        break
                if not free:
                    break
            if not free:
                break
        if not free:
            continue
        cut = 0
        for i in range(len(eyes)):
            ax, ay, az = eyes[i, 0] - x, eyes[i, 1] - y, eyes[i, 2] - ground
            bx, by, bz = targets[i, 0] - x, targets[i, 1] - y, targets[i, 2] - ground
            start = (cosine * ax + sine * ay, cosine * ay - sine * ax, az)
            end = (cosine * bx + sine * by, cosine * by - sine * bx, bz)
            for b in range(len(blocks)):
                if _crosses(start, end, blocks[b]):
                    cut += 1
                    break
        shares[k] = cut / max(len(eyes), 1)
    return shares


@njit(cache=True, error_model='numpy')
def _crosses(start: tuple[float, float, float], end: tuple[float, float, float], block: NDArray) -> bool:
    """Whether the segment between two points meets a block."""
    first, last = 0.0, 1.0
    for axis in range(3):
        low = block[axis] - block[2 + axis] if axis < 2 else block[4]
        high = block[axis] + block[2 + axis] if axis < 2 else block[5]
        step = end[axis] - start[axis]
        if abs(step) < 1e-9:
            if start[axis] < low or start[axis] > high:
                return False
            continue
        a, b = (low - start[axis]) / step, (high - start[axis]) / step
        first, last = max(first, min(a, b)), min(last, max(a, b))
    return first < last


def _laptop(palette: Palette) -> Thing:
    """An open laptop; its keyboard lies on the -y side of the lid."""
    rng = palette.rng
    width, depth = rng.uniform(0.28, 0.37), rng.uniform(0.19, 0.25)
    body, screen = _shell(palette), _screen(palette)
    keys = Material((0.03, 0.03, 0.035), palette.texture('tiles'), 0.8, 0.1)
    lean = np.deg2rad(rng.uniform(5.0, 25.0))
    cosine, sine = np.cos(lean), np.sin(lean)
    tilt = np.array([[1.0, 0.0, 0.0], [0.0, cosine, sine], [0.0, -sine, cosine]])  # the top leans towards +y
    hinge = np.array([0.0, depth / 2, 0.016])
    lid = hinge + tilt @ [0.0, 0.0, depth / 2]
    glass = lid + tilt @ [0.0, -0.0045, 0.0]
    parts: list[tuple[Mesh, Material]] = [
        (box([width, depth, 0.016]).transformed(np.eye(3), [0.0, 0.0, 0.008]), body),
        (box([0.88 * width, 0.5 * depth, 0.001], 22.0).transformed(np.eye(3), [0.0, 0.16 * depth, 0.0165]), keys),
        (box([width, 0.008, depth]).transformed(tilt, lid), body),
        (box([0.94 * width, 0.001, 0.9 * depth]).transformed(tilt, glass), screen),
    ]
    top, back = 0.016 + depth * cosine, depth * sine
    blocks = (
        Block(0.0, 0.0, width / 2, depth / 2, 0.0, 0.017),
        Block(0.0, depth / 2 + back / 2, width / 2, back / 2 + 0.008, 0.0, top),
    )
    return Thing(tuple(parts), float(np.hypot(width, depth) / 2), top, blocks)


def _monitor(palette: Palette) -> Thing:
    """A screen on a foot that faces -y."""
    rng = palette.rng
    width, height, lift = rng.uniform(0.30, 0.5), rng.uniform(0.2, 0.3), rng.uniform(0.03, 0.1)
    body, screen = _shell(palette), _screen(palette)
    parts: list[tuple[Mesh, Material]] = [
        (box([0.18, 0.14, 0.012]).transformed(np.eye(3), [0.0, 0.02, 0.006]), body),
        (box([0.04, 0.02, lift + 0.1]).transformed(np.eye(3), [0.0, 0.03, (lift + 0.1) / 2]), body),
        (box([width, 0.03, height]).transformed(np.eye(3), [0.0, 0.0, lift + height / 2]), body),
        (box([width - 0.02, 0.001, height - 0.02]).transformed(np.eye(3), [0.0, -0.0158, lift + height / 2]), screen),
    ]
    blocks = (
        Block(0.0, 0.02, 0.09, 0.07, 0.0, lift),
        Block(0.0, 0.0, width / 2, 0.017, lift, lift + height),
    )
    return Thing(tuple(parts), width / 2, lift + height, blocks)


def _crate(palette: Palette) -> Thing:
    """A cereal box, parcel or wooden crate."""
    rng = palette.rng
    size = np.array([rng.uniform(0.10, 0.30), rng.uniform(0.04, 0.18), rng.uniform(0.12, 0.32)])
    kinds = (palette.printed, palette.wood, palette.glazed, palette.cloth)
    material = kinds[rng.choice(4, p=[0.5, 0.2, 0.2, 0.1])]()
    mesh = box(size).transformed(np.eye(3), [0.0, 0.0, size[2] / 2])
    block = Block(0.0, 0.0, size[0] / 2, size[1] / 2, 0.0, size[2])
    return Thing(((mesh, material),), float(np.hypot(size[0], size[1]) / 2), float(size[2]), (block,))


def _pile(palette: Palette) -> Thing:
    """Two or three boxes on top of each other."""
    rng = palette.rng
    parts: list[tuple[Mesh, Material]] = []
    z, size = 0.0, np.array([rng.uniform(0.14, 0.28), rng.uniform(0.09, 0.18)])
    half = size / 2
    for _ in range(int(rng.integers(2, 4))):
        height = rng.uniform(0.05, 0.12)
        shift = [*rng.uniform(-0.01, 0.01, 2), z + height / 2]
        parts.append((box([*size, height]).transformed(np.eye(3), shift), palette.printed()))
        z += height
        size = size * rng.uniform(0.7, 1.0, 2)
    block = Block(0.0, 0.0, half[0] + 0.01, half[1] + 0.01, 0.0, z)
    return Thing(tuple(parts), float(np.hypot(*half)), z, (block,))


def _shell(palette: Palette) -> Material:
    """Casing of a device: aluminium, black or white."""
    value = float(palette.rng.choice([0.03, 0.06, 0.35, 0.5, 0.75]))
    return Material((value, value, value * 1.02), -1, 0.0, 0.35, 40.0)


def _screen(palette: Palette) -> Material:
    """A screen that shows something, or is off."""
    if palette.rng.random() < 0.3:
        return Material((0.015, 0.015, 0.02), -1, 0.0, 0.5, 60.0)
    return Material((0.95, 0.98, 1.05), palette.texture('print'), 1.0, 0.2, 60.0)


_KINDS: tuple[Callable[[Palette], Thing], ...] = (_laptop, _monitor, _crate, _crate, _pile)
