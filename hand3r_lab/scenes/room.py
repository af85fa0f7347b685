"""The room around the table: floor, walls, pictures, a window, furniture and the table itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from hand3r_lab.scenes import instances
from hand3r_lab.scenes.geometry_buffer import Part
from hand3r_lab.scenes.materials import Material
from hand3r_lab.scenes.meshes import Mesh, box, quad
from hand3r_lab.scenes.palette import Palette

_CEILING = 2.5  # m


@dataclass(frozen=True)
class Table:
    """The table at whose near edge (y = 0) the person is; x is centred on her."""

    height: float  # m, of the top
    width: float  # m, along x
    depth: float  # m, along y

    def size(self) -> np.ndarray:
        """(3,) width, depth and height, metres."""
        return np.array([self.width, self.depth, self.height])


def choose_table(rng: np.random.Generator) -> Table:
    """A desk or dining table."""
    return Table(rng.uniform(0.70, 0.78), rng.uniform(1.1, 2.0), rng.uniform(0.6, 0.95))


def build_room(palette: Palette, table: Table) -> list[Part]:
    """Floor, four walls, ceiling and what stands or hangs there; surfaces face inwards."""
    rng = palette.rng
    left, right = -rng.uniform(1.3, 2.4), rng.uniform(1.3, 2.4)
    back, front = -rng.uniform(1.3, 2.0), table.depth + rng.uniform(0.35, 1.6)
    w, d, h = right - left, front - back, _CEILING
    density = rng.uniform(0.5, 0.9)  # texture repeats per metre
    floor, wall = palette.add(palette.floor()), palette.add(palette.wall())
    accent = palette.add(palette.wall()) if rng.random() < 0.4 else wall
    ceiling = palette.add(Material((0.8, 0.8, 0.78), palette.texture('plaster')))
    surfaces = [
        (quad([left, back, 0], [w, 0, 0], [0, d, 0], (w * density, d * density)), floor),
        (quad([left, back, h], [0, d, 0], [w, 0, 0], (d, w)), ceiling),
        (quad([left, front, 0], [w, 0, 0], [0, 0, h], (w * density, h * density)), accent),
        (quad([right, back, 0], [-w, 0, 0], [0, 0, h], (w * density, h * density)), wall),
        (quad([left, back, 0], [0, d, 0], [0, 0, h], (d * density, h * density)), wall),
        (quad([right, front, 0], [0, -d, 0], [0, 0, h], (d * density, h * density)), wall),
    ]
    parts = [Part(mesh, material, instances.ROOM) for mesh, material in surfaces]
    parts += _wall_pictures(palette, (left, right, back, front))
    parts += _furniture(palette, table, (left, right, back, front))
    return parts


def build_table(palette: Palette, table: Table) -> list[Part]:
    """The top, four legs and sometimes a mat or cloth."""
    rng = palette.rng
    top_material = palette.add(palette.table_top())
    thick = rng.uniform(0.02, 0.045)
    top = box([table.width, table.depth, thick], rng.uniform(0.7, 1.3))
    centre = [0.0, table.depth / 2.0, table.height - thick / 2.0]
    parts = [Part(top.transformed(np.eye(3), centre), top_material, instances.TABLE)]
    leg_material = top_material if rng.random() < 0.6 else palette.add(palette.metal())
    leg = box([0.05, 0.05, table.height - thick], 2.0)
    for x in (-1.0, 1.0):
        for y in (0.05, table.depth - 0.05):
            place = [x * (table.width / 2.0 - 0.05), y, (table.height - thick) / 2.0]
            parts.append(Part(leg.transformed(np.eye(3), place), leg_material, instances.TABLE))
    if rng.random() < 0.35:
        parts.append(_mat(palette, table))
    return parts


def _mat(palette: Palette, table: Table) -> Part:
    rng = palette.rng
    size = [rng.uniform(0.28, 0.6), rng.uniform(0.22, 0.4), 0.002]
    turn = Rotation.from_euler('z', rng.normal(0.0, 6.0), degrees=True).as_matrix()
    place = [rng.normal(0.0, 0.15), rng.uniform(0.22, 0.4), table.height + 0.0011]
    material = palette.cloth() if rng.random() < 0.7 else palette.printed()
    return Part(box(size, 4.0).transformed(turn, place), palette.add(material), instances.TABLE)


def _wall_pictures(palette: Palette, walls: tuple[float, float, float, float]) -> list[Part]:
    """Framed prints, shelves' worth of posters and a bright window."""
    rng = palette.rng
    parts = []
    for wall in range(4):
        for slot in range(int(rng.integers(0, 3))):
            width, height = rng.uniform(0.3, 0.8), rng.uniform(0.3, 0.7)
            along, z = -0.9 + 1.0 * slot + rng.uniform(0.0, 0.6), rng.uniform(1.0, 1.6)
            is_window = rng.random() < 0.25
            if is_window:
                width, height, picture = (
                    width * 1.3,
                    height * 1.5,
                    Material((1.4, 1.5, 1.6), palette.texture('plaster')),
                )
            else:
                picture = palette.printed()
            frame = palette.wood() if rng.random() < 0.6 else palette.glazed()
            for mesh, material in (
                (box([width + 0.06, 0.03, height + 0.06]), frame),
                (box([width, 0.036, height]), picture),
            ):
                parts.append(Part(_hang(mesh, wall, along, z, walls), palette.add(material), instances.ROOM))
    return parts


def _hang(mesh: Mesh, wall: int, along: float, z: float, walls: tuple[float, float, float, float]) -> Mesh:
    left, right, back, front = walls
    quarter = Rotation.from_euler('z', 90.0 * wall, degrees=True).as_matrix()
    x, y = (left + right) / 2.0, (back + front) / 2.0
    place = [(x + along, front, z), (left, y + along, z), (x + along, back, z), (right, y + along, z)][wall]
    return mesh.transformed(quarter, place)


def _furniture(palette: Palette, table: Table, walls: tuple[float, float, float, float]) -> list[Part]:
    """Cabinets, shelves and a sofa along the walls, out of the way of the table."""
    rng = palette.rng
    left, right, _, front = walls
    parts = []
    for _ in range(int(rng.integers(1, 5))):
        size = np.array([rng.uniform(0.3, 0.9), rng.uniform(0.25, 0.45), rng.uniform(0.4, 1.5)])
        side = rng.integers(3)
        if side == 0 and front - table.depth > size[1] + 0.1:
            place, turn = [rng.uniform(left + 0.5, right - 0.5), front - size[1] / 2, size[2] / 2], 0.0
        elif side == 1 and left + size[1] < -table.width / 2 - 0.05:
            place, turn = [left + size[1] / 2, rng.uniform(-0.6, front - 0.5), size[2] / 2], 90.0
        elif side == 2 and right - size[1] > table.width / 2 + 0.05:
            place, turn = [right - size[1] / 2, rng.uniform(-0.6, front - 0.5), size[2] / 2], 270.0
        else:
            continue
        rotation = Rotation.from_euler('z', turn, degrees=True).as_matrix()
        material = (
            palette.wood() if rng.random() < 0.6 else (palette.cloth() if rng.random() < 0.5 else palette.glazed())
        )
        parts.append(Part(box(size, 1.0).transformed(rotation, place), palette.add(material), instances.FURNITURE))
        parts += _on_top(palette, size, rotation, place)
    return parts


def _on_top(palette: Palette, size: np.ndarray, rotation: np.ndarray, place: list[float]) -> list[Part]:
    """A few boxes and books on a piece of furniture."""
    rng = palette.rng
    parts = []
    for slot in range(int(rng.integers(0, 3))):
        item = np.array([rng.uniform(0.08, 0.25), rng.uniform(0.08, 0.2), rng.uniform(0.08, 0.35)])
        offset = rotation @ np.array([-0.22 * size[0] + 0.44 * size[0] * slot, 0.0, (size[2] + item[2]) / 2])
        material = palette.printed() if rng.random() < 0.6 else palette.glazed()
        mesh = box(item).transformed(rotation, np.array(place) + offset)
        parts.append(Part(mesh, palette.add(material), instances.FURNITURE))
    return parts
