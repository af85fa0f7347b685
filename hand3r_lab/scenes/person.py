"""Trunk, neck and head of the person at the table, for cameras that look at her; arms are ``actors``."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hand3r_lab.scenes import instances
from hand3r_lab.scenes.actors import Clothing, RestingArm, build_resting_arm
from hand3r_lab.scenes.arms import ArmPath
from hand3r_lab.scenes.geometry_buffer import Part
from hand3r_lab.scenes.hands import PosedHand
from hand3r_lab.scenes.materials import Material
from hand3r_lab.scenes.meshes import Mesh, lathe, tube
from hand3r_lab.scenes.palette import Palette
from hand3r_lab.scenes.paths import Array, unit
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.visualization.rasterizer import vertex_normals

SHOULDER_HALF_WIDTH = 0.18  # m, middle of the chest to the shoulder joint

_SEGMENTS = 21
# Share of the way hips - shoulders, half width and half depth in metres.
_TRUNK = np.array(
    [
        [-0.05, 0.150, 0.105],
        [0.20, 0.140, 0.100],
        [0.45, 0.150, 0.108],
        [0.75, 0.178, 0.115],
        [0.93, 0.190, 0.095],
        [1.04, 0.165, 0.075],
        [1.13, 0.062, 0.055],
        [1.14, 0.001, 0.001],
    ]
)
_HEAD_HALF = np.array([0.076, 0.096, 0.118])  # m


@dataclass(frozen=True, eq=False)
class Person:
    """Trunk rings over time, the head that follows them and the arm that has nothing to do."""

    trunk: Array  # (T, K, N, 3) m
    neck: Array  # (T, 3) m
    up: Array  # (T, 3) from hips to neck
    cloth: int
    skin: int
    hair: int
    idle: tuple[RestingArm, ...]

    def parts(self, frame: int) -> list[Part]:
        """The surfaces of one frame in the world."""
        count, around = self.trunk.shape[1:3]
        u, v = np.linspace(0.0, 3.0, around), np.linspace(0.0, 2.5, count)
        trunk = _with_normals(tube(self.trunk[frame], np.stack(np.meshgrid(u, v), -1)))
        up, neck = self.up[frame], self.neck[frame]
        throat = lathe([(0.052, -0.03), (0.05, 0.10)], 12).transformed(np.eye(3), neck)
        head = _HEAD.transformed(np.eye(3), neck + 0.16 * up + [0.0, 0.02, 0.0])
        hair = _HAIR.transformed(np.eye(3), neck + 0.16 * up + [0.0, -0.006, 0.016])
        idle = [part for arm in self.idle for part in arm.parts(frame)]
        return [
            *idle,
            Part(trunk, self.cloth, instances.BODY),
            Part(throat, self.skin, instances.BODY),
            Part(head, self.skin, instances.BODY),
            Part(hair, self.hair, instances.BODY),
        ]


def build_person(
    palette: Palette, hands: list[PosedHand], arms: list[ArmPath], skin: int, clothing: Clothing, table_height: float
) -> Person | None:
    """The body between the shoulders of the arms; None without arms."""
    if not hands:
        return None
    middle = np.mean([_chest(hand, arm) for hand, arm in zip(hands, arms, strict=True)], axis=0)  # (T, 3)
    hips = np.array([middle[:, 0].mean(), min(-0.22, middle[:, 1].min()), table_height - 0.22])
    share = _TRUNK[:, 0, None]
    centre = hips + share * (middle[:, None] - hips)  # (T, K, 3)
    angle = np.linspace(0.0, 2.0 * np.pi, _SEGMENTS)
    ring = np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], -1)
    size = np.column_stack([_TRUNK[:, 1:], np.zeros(len(_TRUNK))])
    trunk = centre[:, :, None] + ring * size[:, None]
    hair_colour = palette.rng.choice([0.01, 0.03, 0.08, 0.25])
    hair = palette.add(Material((hair_colour, 0.7 * hair_colour, 0.45 * hair_colour), palette.texture('wood'), 0.5))
    neck = centre[:, -1]
    used = {hand.motion.side for hand in hands}
    idle = tuple(
        build_resting_arm(side, _shoulder(middle, side), skin, clothing) for side in HandSide if side not in used
    )
    return Person(trunk, neck, unit(middle - hips), clothing.material, skin, hair, idle)


def _shoulder(chest: Array, side: HandSide) -> Array:
    """(T, 3) shoulder of one side, mirrored for a left arm."""
    mirror = -1.0 if side == HandSide.LEFT else 1.0
    return chest * [mirror, 1.0, 1.0] + [SHOULDER_HALF_WIDTH, 0.0, 0.0]


def _chest(hand: PosedHand, arm: ArmPath) -> Array:
    """(T, 3) middle between the shoulders as this arm sees it, in the world."""
    mirror = -1.0 if hand.motion.side == HandSide.LEFT else 1.0
    return (arm.shoulder - [SHOULDER_HALF_WIDTH, 0.0, 0.0]) * [mirror, 1.0, 1.0]


def _ellipsoid(half: Array, lowest: float) -> Mesh:
    """Ellipsoid with half axes (3,), cut off below ``lowest`` (-1 = whole)."""
    angle = np.linspace(np.arcsin(lowest), np.pi / 2.0, 10)
    ball = lathe(np.stack([np.maximum(np.cos(angle), 1e-3), np.sin(angle)], -1), 18)
    normals = unit(ball.normals / half).astype(np.float32)
    return replace(ball, vertices=ball.vertices * half.astype(np.float32), normals=normals)


def _with_normals(mesh: Mesh) -> Mesh:
    normals = np.empty_like(mesh.vertices)
    vertex_normals(mesh.vertices, mesh.faces, normals)
    return replace(mesh, normals=normals)


_HEAD = _ellipsoid(_HEAD_HALF, -0.999)
_HAIR = _ellipsoid(_HEAD_HALF * 1.05, -0.25)
