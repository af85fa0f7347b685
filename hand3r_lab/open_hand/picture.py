"""Draws the shipped hand in several poses and from several sides, shaded, with its skin regions (docs/images)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hand3r_lab.open_hand.rigging import vertex_normals
from hand3r_ros.hand_model.articulation import axis_angle_from_articulation
from hand3r_ros.hand_model.data import HandModelData, load_open_hand
from hand3r_ros.hand_model.joints import KEYPOINT_BONES
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.hand_model.mirror import mirror_points
from hand3r_ros.hand_model.pose_prior import GRIPS, grip_articulation
from hand3r_ros.hand_model.rig import HandRig, load_open_hand_rig
from hand3r_ros.hand_model.sides import HandSide

FloatArray = NDArray[np.float64]

_SKIN, _PALM = np.array([0.72, 0.53, 0.43]), np.array([0.86, 0.66, 0.58])
_NAIL, _KNUCKLE = np.array([0.93, 0.76, 0.72]), np.array([0.66, 0.42, 0.34])
_LIGHT = np.array([0.4, 0.5, 0.76])
_REST = 'rest pose'
_VIEWS = (
    ('back', HandSide.RIGHT),
    ('palm', HandSide.RIGHT),
    ('thumb side', HandSide.RIGHT),
    ('palm, left', HandSide.LEFT),
)


def draw_gallery(path: Path) -> None:
    """Writes a picture of every grip (one per row) seen from the back, the palm, the thumb, and as a left hand."""
    import matplotlib

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    data, rig = load_open_hand(), load_open_hand_rig()
    layer = HandLayer(data)
    names = [_REST, *GRIPS]
    rows = (len(names) + 1) // 2
    figure, axes = plt.subplots(rows, 8, figsize=(16, 2.0 * rows))
    for index, name in enumerate(names):
        half = 4 * (index // rows)
        for column, (view, side) in enumerate(_VIEWS):
            axis = axes[index % rows, half + column]
            vertices, keypoints = _posed(layer, rig, name, view, side)
            _draw(axis, vertices, keypoints, data, rig, side)
            axis.set_title(f'{name.replace("_", " ")}' if column == 0 else view, fontsize=8)
    for axis in axes.ravel():
        axis.set_axis_off()
    figure.tight_layout(pad=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=70)
    plt.close(figure)


def _posed(layer: HandLayer, rig: HandRig, grip: str, view: str, side: HandSide) -> tuple[FloatArray, FloatArray]:
    """Vertices and keypoints, turned so that +z looks at the viewer, y is up and the fingers point up."""
    pose = np.zeros((15, 3))
    if grip != _REST:
        pose = axis_angle_from_articulation(grip_articulation(grip, 0.85), rig.bone_frames)[0]
    rotations = np.concatenate([np.eye(3)[None], Rotation.from_rotvec(pose).as_matrix()])
    mesh = layer(torch.tensor(rotations[None]), torch.zeros(1, 10), torch.tensor([side == HandSide.RIGHT]))
    fingers_up = {'back': (0, 1, 0), 'palm': (0, -1, 0), 'thumb side': (-0.25, -0.35, 0.9)}
    towards_viewer = np.array(fingers_up[view.split(',')[0]], float)
    up = np.array([-1.0, 0.0, 0.0])
    if side == HandSide.LEFT:
        towards_viewer, up = mirror_points(towards_viewer), mirror_points(up)
    towards_viewer /= np.linalg.norm(towards_viewer)
    up = up - (up @ towards_viewer) * towards_viewer
    up /= np.linalg.norm(up)
    axes = np.stack([np.cross(up, towards_viewer), up, towards_viewer])
    return mesh.vertices[0].double().numpy() @ axes.T, mesh.keypoints[0].double().numpy() @ axes.T


def _draw(
    axis: object, vertices: FloatArray, keypoints: FloatArray, data: HandModelData, rig: HandRig, side: HandSide
) -> None:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection

    assert isinstance(axis, Axes)
    faces = data.faces(side)
    normals = vertex_normals(vertices, faces)
    color = _SKIN + rig.palm_weights[:, None] * (_PALM - _SKIN)
    back = ((1.0 - rig.palm_weights) * rig.knuckle_weights * 0.5)[:, None]
    color = color + back * (_KNUCKLE - color)
    color = color + rig.nail_weights[:, None] * (_NAIL - color)
    color = color * (0.35 + 0.75 * np.clip(normals @ _LIGHT, 0.0, 1.0))[:, None]
    corners = vertices[faces]
    facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] > 0.0
    order = np.flatnonzero(facing)
    order = order[np.argsort(corners[order].mean(1)[:, 2])]
    face_colors = np.clip(color[faces[order]].mean(1), 0.0, 1.0)
    axis.add_collection(
        PolyCollection(list(corners[order][..., :2]), facecolors=face_colors, edgecolors=face_colors, linewidths=0.4)
    )
    for start, end in KEYPOINT_BONES:
        axis.plot(*keypoints[[start, end], :2].T, color=(0.1, 0.2, 0.5, 0.35), linewidth=0.6)
    center = 0.5 * (vertices.min(0) + vertices.max(0))
    half = max(0.075, 0.51 * float(np.ptp(vertices, axis=0)[:2].max()))
    axis.set_xlim(center[0] - half, center[0] + half)
    axis.set_ylim(center[1] - half, center[1] + half)
    axis.set_aspect('equal')
