"""The moving surfaces of a sequence: hands, arms, sleeves and held objects, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hand3r_lab.scenes import instances
from hand3r_lab.scenes.arms import CUFF_RINGS, RING_POINTS, ArmPath, arm_rings, hand_orientation, sleeve_rings
from hand3r_lab.scenes.geometry_buffer import Part
from hand3r_lab.scenes.hand_appearance import hand_appearance, wrist_cut
from hand3r_lab.scenes.hands import PosedHand, hand_faces
from hand3r_lab.scenes.meshes import Mesh, tube
from hand3r_lab.scenes.objects import held_object
from hand3r_lab.scenes.palette import Palette
from hand3r_lab.scenes.paths import Array
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.visualization.rasterizer import vertex_normals

_MIRROR = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class Actor:
    """One hand with its arm and what it holds."""

    hand: PosedHand
    skin: int  # row of the material
    cloth: int
    arm: Array  # (T, K, N, 3) rings, right-looking
    sleeve: Array | None  # (T, K', N, 3)
    held: tuple[tuple[Mesh, int], ...]  # meshes in hand axes and their materials

    def parts(self, frame: int) -> list[Part]:
        """The surfaces of one frame in the world."""
        motion = self.hand.motion
        side = motion.side
        parts = [
            Part(self._hand_mesh(frame), self.skin, instances.hand_instance(side)),
            Part(
                _tube_mesh(self.arm[frame], side, (2.0, 0.35 * self.arm.shape[1])),
                self.skin,
                instances.arm_instance(side),
            ),
        ]
        if self.sleeve is not None:
            mesh = _tube_mesh(self.sleeve[frame], side, (1.0, 2.5))
            parts.append(Part(mesh, self.cloth, instances.sleeve_instance(side)))
        for mesh, material in self.held:
            placed = mesh.transformed(motion.orientation[frame], motion.wrist[frame])
            parts.append(Part(_to_side(placed, side), material, instances.held_instance(side)))
        return parts

    def _hand_mesh(self, frame: int) -> Mesh:
        appearance = hand_appearance()
        side = self.hand.motion.side
        vertices = self.hand.vertices[frame] * (_MIRROR if side == HandSide.LEFT else 1.0)
        vertices = np.ascontiguousarray(vertices, np.float32)
        faces = hand_faces(side)
        normals = np.empty_like(vertices)
        vertex_normals(vertices, faces, normals)
        return Mesh(vertices, normals, appearance.uvs, faces, appearance.shade)


@dataclass(frozen=True, eq=False)
class RestingArm:
    """An arm whose hand lies in the lap, out of sight of every camera; it only completes the body."""

    side: HandSide
    rings: Array  # (T, K, N, 3), right-looking
    material: int
    instance: int

    def parts(self, frame: int) -> list[Part]:
        """The surface of one frame in the world."""
        return [Part(_tube_mesh(self.rings[frame], self.side, (1.0, 2.5)), self.material, self.instance)]


@dataclass(frozen=True)
class Clothing:
    """What a person wears on both arms."""

    material: int
    cuff: str | None  # a key of ``CUFF_RINGS``; None = no sleeves
    thickness: float  # m


def choose_clothing(palette: Palette) -> Clothing:
    """Long, rolled-up, short or no sleeves."""
    rng = palette.rng
    cuffs = [*CUFF_RINGS, None]
    choice = cuffs[rng.choice(len(cuffs), p=[0.4, 0.15, 0.07, 0.28, 0.1])]
    return Clothing(palette.add(palette.cloth()), choice, float(rng.uniform(0.003, 0.008)))


def build_actor(palette: Palette, hand: PosedHand, arm: ArmPath, skin: int, clothing: Clothing) -> Actor:
    """Dresses a posed hand: arm, sleeve and the object of its grasp."""
    rng = palette.rng
    rings = arm_rings(arm, hand.motion.orientation, wrist_cut(hand.motion.betas, RING_POINTS))
    sleeve = None
    if clothing.cuff is not None:
        folds = 0.003 * np.abs(rng.normal(0.0, 1.0, rings.shape[1:3]))
        folds[:, -1] = folds[:, 0]
        sleeve = sleeve_rings(rings, CUFF_RINGS[clothing.cuff], clothing.thickness, folds)
        rings = rings[:, : CUFF_RINGS[clothing.cuff] + 2]  # the rest is under the sleeve
    held: tuple[tuple[Mesh, int], ...] = ()
    if hand.motion.grasp is not None:
        pieces = held_object(palette, hand.motion.grasp)
        held = tuple((mesh, palette.add(material)) for mesh, material in pieces)
    return Actor(hand, skin, clothing.material, rings, sleeve, held)


def build_resting_arm(side: HandSide, shoulder: Array, skin: int, clothing: Clothing) -> RestingArm:
    """An arm that hangs from ``shoulder`` (T, 3), mirrored for a left arm, with the hand below the table."""
    elbow = shoulder + np.array([0.06, -0.07, -0.27])
    wrist = elbow + np.array([-0.10, 0.10, -0.21])
    arm = ArmPath(shoulder, elbow, wrist)
    still = np.zeros(len(shoulder))
    orientation = hand_orientation(arm.forearm, still, still, still)
    rings = arm_rings(arm, orientation, wrist_cut(np.zeros(10), RING_POINTS))
    if clothing.cuff is None:
        return RestingArm(side, rings, skin, instances.BODY)
    cloth = sleeve_rings(rings, CUFF_RINGS['wrist'], clothing.thickness, np.zeros(rings.shape[1:3]))
    return RestingArm(side, cloth, clothing.material, instances.BODY)


def _tube_mesh(rings: Array, side: HandSide, repeats: tuple[float, float]) -> Mesh:
    count, around = rings.shape[:2]
    u, v = np.linspace(0.0, repeats[0], around), np.linspace(0.0, repeats[1], count)
    mesh = _to_side(tube(rings, np.stack(np.meshgrid(u, v), -1)), side)
    normals = np.empty_like(mesh.vertices)
    vertex_normals(mesh.vertices, mesh.faces, normals)
    return replace(mesh, normals=_close_seam(normals.reshape(count, around, 3)))


def _close_seam(normals: NDArray[np.float32]) -> NDArray[np.float32]:
    """Same normals on both copies of a ring's first point."""
    seam = normals[:, 0] + normals[:, -1]
    seam /= np.maximum(np.linalg.norm(seam, axis=1, keepdims=True), 1e-9)
    normals[:, 0] = normals[:, -1] = seam
    return normals.reshape(-1, 3)


def _to_side(mesh: Mesh, side: HandSide) -> Mesh:
    """Mirrors a right-looking mesh for a left hand."""
    if side == HandSide.RIGHT:
        return mesh
    mirror = _MIRROR.astype(np.float32)
    faces = np.ascontiguousarray(mesh.faces[:, ::-1])
    return replace(mesh, vertices=mesh.vertices * mirror, normals=mesh.normals * mirror, faces=faces)
