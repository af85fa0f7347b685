"""Household objects that stand on the table or are held in a hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hand3r_lab.scenes.grasps import Grasp
from hand3r_lab.scenes.materials import Material
from hand3r_lab.scenes.meshes import Mesh, box, lathe, make_mesh, tube
from hand3r_lab.scenes.palette import Palette
from hand3r_lab.scenes.paths import Array, unit
from hand3r_ros.visualization.rasterizer import vertex_normals

_POLE = 1e-4  # radius of a profile's pole; zero would make degenerate normals


@dataclass(frozen=True)
class Block:
    """An upright box that bounds a part of a thing, in the thing's axes; metres."""

    x: float
    y: float
    half_x: float
    half_y: float
    low: float
    high: float


@dataclass(frozen=True)
class Thing:
    """An object made of several materials."""

    parts: tuple[tuple[Mesh, Material], ...]
    radius: float  # m, of the upright cylinder around it
    height: float  # m
    blocks: tuple[Block, ...] = ()  # tighter bounds of large things; () = the cylinder's square


def household_object(palette: Palette) -> Thing:
    """A random object standing on z = 0, centred on the z axis."""
    kinds = list(_STANDING)
    weights = np.array([_STANDING[kind][1] for kind in kinds])
    return _STANDING[str(palette.rng.choice(kinds, p=weights / weights.sum()))][0](palette)


def held_object(palette: Palette, grasp: Grasp) -> tuple[tuple[Mesh, Material], ...]:
    """An object that fits the grasp, in the axes of the resting right hand with the wrist joint at the origin."""
    rng, r = palette.rng, grasp.radius
    if grasp.shape == 'sphere':
        parts: list[tuple[Mesh, Material]] = [(lathe(_sphere(r), 20), palette.glazed())]
    elif grasp.shape == 'bar':
        length = rng.uniform(0.10, 0.17)
        parts = [(box([2.0 * r, 2.0 * r, length]), palette.printed())]
    else:
        parts = _held_cylinder(palette, r)
    return tuple((mesh.transformed(grasp.axes, grasp.centre), material) for mesh, material in parts)


def _held_cylinder(palette: Palette, r: float) -> list[tuple[Mesh, Material]]:
    """Can, bottle, tumbler or tool handle; all are straight where the fingers are (|z| < 5 cm)."""
    rng = palette.rng
    choice = rng.random()
    if r < 0.02:  # tool: a handle with a head
        handle = lathe(_cylinder(r, -0.065, 0.075), 14, (1.0, 2.0))
        head = box([r * 1.6, rng.uniform(0.02, 0.06), rng.uniform(0.03, 0.06)]).transformed(np.eye(3), [0, 0, 0.09])
        return [(handle, palette.wood()), (head, palette.metal())]
    if choice < 0.4:
        profile = [(_POLE, -0.075), (r, -0.075), (r, 0.055), (0.8 * r, 0.075), (0.36 * r, 0.095), (0.34 * r, 0.118)]
        cap = [(_POLE, 0.114), (0.4 * r, 0.114), (0.4 * r, 0.132), (_POLE, 0.132)]
        label = _cylinder(r + 0.0004, -0.045, 0.03)
        return [
            (lathe([*profile, (_POLE, 0.118)], 20), palette.glazed()),
            (lathe(cap, 14), palette.glazed()),
            (lathe(label, 20, (2.0, 1.0)), palette.printed()),
        ]
    length = rng.uniform(0.10, 0.15)
    if choice < 0.75:
        return [(lathe(_cylinder(r, -length / 2, length / 2), 20, (2.0, 1.0)), palette.printed())]
    wall = max(0.0025, 0.08 * r)
    tumbler = [(_POLE, -length / 2), (r, -length / 2), (r, length / 2), (r - wall, length / 2)]
    inside = [(r - wall, -length / 2 + 0.01), (_POLE, -length / 2 + 0.01)]
    return [(lathe([*tumbler, *inside], 20), palette.glazed())]


def _mug(palette: Palette) -> Thing:
    rng = palette.rng
    r, h = rng.uniform(0.034, 0.046), rng.uniform(0.075, 0.11)
    profile = [(_POLE, 0.0), (0.8 * r, 0.0), (0.97 * r, 0.012), (r, h), (0.93 * r, h), (0.88 * r, 0.012), (_POLE, 0.01)]
    material = palette.glazed()
    return Thing(((lathe(profile), material), (_handle(r * 0.95, h), material)), r + 0.03, h)


def _handle(radius: float, height: float) -> Mesh:
    """Half a ring beside a mug, on the +x side."""
    angle = np.linspace(-0.45 * np.pi, 0.45 * np.pi, 9)
    reach = 0.55 * height * 0.5
    centre = np.stack(
        [radius + reach * np.cos(angle) * 1.1 - 0.004, 0 * angle, 0.5 * height + reach * np.sin(angle)], -1
    )
    return _bent_tube(centre, 0.0052, np.array([0.0, 1.0, 0.0]))


def _bent_tube(centre: Array, radius: float, binormal: Array) -> Mesh:
    """Tube of constant radius through points (K, 3) in the plane normal to ``binormal``."""
    tangent = unit(np.gradient(centre, axis=0))
    side = np.cross(binormal, tangent)
    around = np.linspace(0.0, 2.0 * np.pi, 9)
    # side x binormal = tangent direction, so this order runs counter-clockwise seen from the end of the path
    rings = centre[:, None] + radius * (np.cos(around)[:, None] * side[:, None] + np.sin(around)[:, None] * binormal)
    mesh = tube(rings, np.zeros((*rings.shape[:2], 2)))
    normals = np.empty_like(mesh.vertices)
    vertex_normals(mesh.vertices, mesh.faces, normals)
    return make_mesh(mesh.vertices, normals, mesh.uvs, mesh.faces)


def _bottle(palette: Palette) -> Thing:
    rng = palette.rng
    r, h = rng.uniform(0.026, 0.042), rng.uniform(0.17, 0.27)
    neck = rng.uniform(0.3, 0.42) * r
    body = [(_POLE, 0.0), (0.94 * r, 0.0), (r, 0.01), (r, 0.58 * h), (0.86 * r, 0.68 * h), (neck, 0.82 * h), (neck, h)]
    cap = [(_POLE, h - 0.004), (neck * 1.12, h - 0.004), (neck * 1.12, h + 0.016), (_POLE, h + 0.016)]
    label = [(r + 0.0005, 0.16 * h), (r + 0.0005, 0.48 * h)]
    parts = [
        (lathe([*body, (_POLE, h)], crease_degrees=50.0), palette.glazed()),
        (lathe(cap, 16), palette.glazed()),
        (lathe(label, repeats=(2.0, 1.0)), palette.printed()),
    ]
    return Thing(tuple(parts), r, h + 0.016)


def _can(palette: Palette) -> Thing:
    rng = palette.rng
    r, h = rng.uniform(0.028, 0.05), rng.uniform(0.07, 0.15)
    lid = palette.metal()
    side = lathe([(r, 0.003), (r, h - 0.003)], repeats=(2.0, 1.0))
    rims = (
        lathe([(_POLE, 0.0), (0.93 * r, 0.0), (r, 0.003)]),
        lathe([(r, h - 0.003), (0.93 * r, h), (_POLE, h - 0.002)]),
    )
    return Thing(((side, palette.printed()), (rims[0], lid), (rims[1], lid)), r, h)


def _bowl(palette: Palette) -> Thing:
    rng = palette.rng
    r, h = rng.uniform(0.055, 0.11), rng.uniform(0.03, 0.07)
    t = np.linspace(0.15, 1.0, 7)
    outer = np.stack([r * np.sin(t * np.pi / 2), h * (1.0 - np.cos(t * np.pi / 2))], -1)
    inner = outer[::-1] * [0.94, 1.0] + [0.0, 0.004]
    profile = [(_POLE, 0.0), (outer[0, 0], 0.0), *outer, *inner, (_POLE, inner[-1, 1])]
    thing = [(lathe(profile, 28, crease_degrees=60.0), palette.glazed())]
    for _ in range(int(rng.integers(0, 4))):  # fruit
        size, angle = rng.uniform(0.022, 0.034), rng.uniform(0.0, 2.0 * np.pi)
        place = [0.45 * r * np.cos(angle), 0.45 * r * np.sin(angle), 0.3 * h + size]
        thing.append((lathe(_sphere(size), 14).transformed(np.eye(3), place), palette.glazed()))
    return Thing(tuple(thing), r, h + 0.04)


def _plate(palette: Palette) -> Thing:
    rng = palette.rng
    r, h = rng.uniform(0.07, 0.13), rng.uniform(0.012, 0.022)
    profile = [(_POLE, 0.0), (0.6 * r, 0.0), (r, h), (r, h + 0.003), (0.62 * r, 0.005), (_POLE, 0.005)]
    return Thing(((lathe(profile, 32, crease_degrees=60.0), palette.glazed()),), r, h)


def _carton(palette: Palette) -> Thing:
    rng = palette.rng
    size = np.array([rng.uniform(0.05, 0.16), rng.uniform(0.035, 0.10), rng.uniform(0.05, 0.22)])
    mesh = box(size).transformed(np.eye(3), [0.0, 0.0, size[2] / 2])
    return Thing(((mesh, palette.printed()),), float(np.hypot(size[0], size[1]) / 2), float(size[2]))


def _books(palette: Palette) -> Thing:
    rng = palette.rng
    parts: list[tuple[Mesh, Material]] = []
    z, width, depth = 0.0, rng.uniform(0.12, 0.19), rng.uniform(0.17, 0.25)
    paper = Material((0.75, 0.72, 0.64), palette.texture('plaster'))
    for _ in range(int(rng.integers(1, 4))):
        thick = rng.uniform(0.012, 0.035)
        turn = _about_z(rng.normal(0.0, 0.15))
        shift = np.array([*rng.normal(0.0, 0.006, 2), z + thick / 2])
        parts.append((box([width - 0.006, depth - 0.006, thick - 0.004]).transformed(turn, shift), paper))
        cover = palette.printed()
        for sign in (-1.0, 1.0):
            parts.append(
                (
                    box([width, depth, 0.002]).transformed(
                        turn, shift + np.array([0.0, 0.0, sign * (thick / 2 - 0.001)])
                    ),
                    cover,
                )
            )
        spine = box([0.003, depth, thick]).transformed(turn, shift + turn @ np.array([-width / 2, 0.0, 0.0]))
        parts.append((spine, cover))
        z += thick
    return Thing(tuple(parts), float(np.hypot(width, depth) / 2), z)


def _ball(palette: Palette) -> Thing:
    r = palette.rng.uniform(0.025, 0.045)
    return Thing(((lathe(_sphere(r)).transformed(np.eye(3), [0, 0, r]), palette.glazed()),), r, 2 * r)


def _phone(palette: Palette) -> Thing:
    size = np.array([0.072, 0.15, 0.009])
    body = Material((0.03, 0.03, 0.035), -1, 0.0, 0.4, 60.0)
    screen = box([0.066, 0.142, 0.001]).transformed(np.eye(3), [0, 0, 0.0092])
    parts = ((box(size).transformed(np.eye(3), [0, 0, 0.0045]), body), (screen, palette.printed()))
    return Thing(parts, 0.084, 0.01)


def _vase(palette: Palette) -> Thing:
    rng = palette.rng
    h, r = rng.uniform(0.14, 0.26), rng.uniform(0.035, 0.06)
    z = np.linspace(0.0, h, 9)
    bulge = rng.uniform(0.25, 0.6)
    radius = r * (0.55 + 0.45 * np.sin(np.pi * np.clip(z / h / (2.0 * bulge), 0.0, 1.0)))
    outer = np.stack([radius, z], -1)
    profile = [(_POLE, 0.0), *outer, (radius[-1] * 0.85, h), (radius[-1] * 0.8, h - 0.03), (_POLE, h - 0.03)]
    return Thing(((lathe(profile, crease_degrees=50.0), palette.glazed()),), r, h)


def _pen(palette: Palette) -> Thing:
    mesh = lathe(_cylinder(0.0045, -0.07, 0.07), 10)
    lying = mesh.transformed([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], [0, 0, 0.0045])
    return Thing(((lying, palette.glazed()),), 0.07, 0.01)


def _cylinder(radius: float, low: float, high: float) -> list[tuple[float, float]]:
    bevel = min(0.0025, 0.1 * radius)
    side = [(radius - bevel, low), (radius, low + bevel), (radius, high - bevel), (radius - bevel, high)]
    return [(_POLE, low), *side, (_POLE, high)]


def _sphere(radius: float) -> Array:
    angle = np.linspace(-np.pi / 2, np.pi / 2, 12)
    return np.stack([np.maximum(radius * np.cos(angle), _POLE), radius * np.sin(angle)], -1)


def _about_z(angle: float) -> Array:
    return np.array([[np.cos(angle), -np.sin(angle), 0.0], [np.sin(angle), np.cos(angle), 0.0], [0.0, 0.0, 1.0]])


_STANDING: dict[str, tuple[Callable[[Palette], Thing], float]] = {
    'mug': (_mug, 3.0),
    'bottle': (_bottle, 2.0),
    'can': (_can, 2.0),
    'bowl': (_bowl, 1.5),
    'plate': (_plate, 1.5),
    'carton': (_carton, 3.0),
    'books': (_books, 2.0),
    'ball': (_ball, 1.0),
    'phone': (_phone, 1.0),
    'vase': (_vase, 1.0),
    'pen': (_pen, 1.0),
}
