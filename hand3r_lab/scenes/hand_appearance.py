"""Texture coordinates, nails and the cut at the wrist of the open hand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hand3r_lab.scenes.hand_poses import flexion_axes
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.joints import FINGERS, FINGERTIP_VERTICES, OPENPOSE_FINGERS
from hand3r_ros.visualization.rasterizer import vertex_normals

_REPEATS_PER_METRE = 9.0
_CUT_SLANT = -0.35  # the mesh ends nearer to the wrist joint on the back of the hand
_RIM_LENGTH = 0.009  # m


@dataclass(frozen=True, eq=False)
class HandAppearance:
    """What the drawing needs beside the vertices."""

    faces: NDArray[np.int32]  # (F, 3) of a right hand
    uvs: NDArray[np.float32]  # (778, 2)
    shade: NDArray[np.float32]  # (778,) > 1 on nails


@lru_cache(maxsize=1)
def hand_appearance() -> HandAppearance:
    """Appearance of the open hand."""
    data = load_open_hand()
    faces = np.ascontiguousarray(data.f, np.int32)
    uvs = np.ascontiguousarray(data.v_template[:, [0, 2]] * _REPEATS_PER_METRE, np.float32)
    return HandAppearance(faces, uvs, _nails(faces))


@dataclass(frozen=True, eq=False)
class WristCut:
    """Where the hand mesh ends: a slanted plane x = ``offset`` + ``slant`` y and the outline of its cross-section."""

    offset: float  # m, in hand axes from the wrist joint
    slant: float
    outline: NDArray[np.float64]  # (N, 2) y and z, from the back of the hand towards the thumb; the last is the first


def wrist_cut(betas: NDArray, points: int) -> WristCut:
    """The end of a hand of shape ``betas`` (10,), its outline with ``points`` points."""
    data = load_open_hand()
    rim = _rim_vertices()
    shaped = data.v_template + data.shapedirs @ np.asarray(betas, np.float32)
    x, y, z = (shaped[rim] - data.J_regressor[0] @ shaped).astype(float).T
    centre_y, centre_z = (y.min() + y.max()) / 2.0, (z.min() + z.max()) / 2.0
    angle = np.arctan2(z - centre_z, y - centre_y)
    waves = np.linalg.lstsq(_fourier(angle), np.hypot(z - centre_z, y - centre_y), rcond=None)[0]
    around = np.linspace(0.0, 2.0 * np.pi, points)
    radius = _fourier(around) @ waves
    outline = np.stack([centre_y + radius * np.cos(around), centre_z + radius * np.sin(around)], -1)
    return WristCut(float(np.mean(x - _CUT_SLANT * y)), _CUT_SLANT, outline)


@lru_cache(maxsize=1)
def _rim_vertices() -> NDArray[np.intp]:
    """Vertices of the last millimetres before the cut."""
    data = load_open_hand()
    local = data.v_template - data.J_regressor[0] @ data.v_template
    plane = local[:, 0] - _CUT_SLANT * local[:, 1]
    return np.flatnonzero(plane > plane.max() - _RIM_LENGTH)


def _fourier(angle: NDArray) -> NDArray[np.float64]:
    waves = [np.ones_like(angle)]
    for order in (1, 2, 3):
        waves += [np.cos(order * angle), np.sin(order * angle)]
    return np.stack(waves, -1)


def _nails(faces: NDArray[np.int32]) -> NDArray[np.float32]:
    """(778,) brightness: 1 on skin, up to 2 on the back of the fingertips."""
    data = load_open_hand()
    vertices = data.v_template
    joints = data.J_regressor @ vertices
    normals = np.empty_like(vertices)
    vertex_normals(vertices, faces, normals)
    shade = np.ones(len(vertices), np.float32)
    owner = data.weights.argmax(1)
    axes = flexion_axes()
    for number, finger in enumerate(FINGERS):
        last = 3 + 3 * number
        tip = vertices[FINGERTIP_VERTICES[OPENPOSE_FINGERS.index(finger)]]
        bone = tip - joints[last]
        length = np.linalg.norm(bone)
        bone = bone / length
        back = np.cross(bone, axes[last - 1])  # opposite to where the finger bends
        back = back if np.dot(np.cross(axes[last - 1], bone), back) < 0 else -back
        along = (vertices - joints[last]) @ bone / length
        facing = normals @ back
        on_nail = (owner == last) & (along > 0.45) & (along < 1.05) & (facing > 0.55)
        shade[on_nail] = 1.9
    return shade
