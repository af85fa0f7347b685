"""Texture coordinates, nails and the cut at the wrist of the open hand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.joints import FINGERS, FINGERTIP_VERTICES, OPENPOSE_FINGERS
from hand3r_ros.synthetic.hand_poses import flexion_axes
from hand3r_ros.synthetic.rasterizer import vertex_normals

_REPEATS_PER_METRE = 9.0
_CUT_LENGTH = 0.016  # m of the mesh's end that shows the wrist's cross-section


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


def wrist_cut(betas: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre (3,) relative to the wrist joint and half thickness (2,) along y and z of the mesh's open end."""
    data = load_open_hand()
    shaped = data.v_template + data.shapedirs @ np.asarray(betas, np.float32)
    wrist = data.J_regressor[0] @ shaped
    end = shaped[data.v_template[:, 0] > data.v_template[:, 0].max() - _CUT_LENGTH] - wrist
    low, high = end.min(0), end.max(0)
    centre = (low + high) / 2.0
    centre[0] = high[0]
    return centre.astype(float), ((high - low) / 2.0)[1:].astype(float)


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
