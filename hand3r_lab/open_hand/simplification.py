"""Fewer vertices: the source mesh becomes 778 vertices, with the fingertips where MANO users look for them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hand3r_lab.open_hand.source import SourceHand
from hand3r_ros.hand_model.joints import FINGERS, FINGERTIP_VERTICES, NUM_VERTICES, OPENPOSE_FINGERS

FloatArray = NDArray[np.float64]
_MILLIMETRES = 1e3  # the simplifier rounds to float32 and has absolute thresholds


def simplify(hand: SourceHand) -> tuple[SourceHand, dict[str, float]]:
    """The hand with exactly 778 vertices, and how far its surface lies from the source (millimetres)."""
    import fast_simplification
    import trimesh

    vertices, faces = fast_simplification.simplify(
        (hand.vertices * _MILLIMETRES).astype(np.float32),
        hand.faces.astype(np.int32),
        target_count=2 * (NUM_VERTICES - 2),  # Euler: a closed surface has F = 2 (V - 2)
    )
    vertices, faces = vertices.astype(float) / _MILLIMETRES, faces.astype(np.int64)
    if len(vertices) != NUM_VERTICES:
        raise RuntimeError(f'the simplifier left {len(vertices)} vertices instead of {NUM_VERTICES}')
    source_mesh = trimesh.Trimesh(hand.vertices, hand.faces, process=False)
    closest, _, triangles = trimesh.proximity.closest_point(source_mesh, vertices)
    corners = hand.faces[triangles]
    barycentric = trimesh.triangles.points_to_barycentric(hand.vertices[corners], closest)
    weights = np.clip(np.einsum('nk,nkj->nj', barycentric, hand.weights[corners]), 0.0, None)
    weights /= weights.sum(1, keepdims=True)
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    samples, _ = trimesh.sample.sample_surface(source_mesh, 20000, seed=0)
    deviation = trimesh.proximity.closest_point(mesh, samples)[1] * _MILLIMETRES
    quality = {
        'watertight': float(mesh.is_watertight),
        'deviation_mean_mm': float(deviation.mean()),
        'deviation_max_mm': float(deviation.max()),
    }
    simplified = SourceHand(vertices, faces, weights, hand.joints, hand.bone_frames)
    return _with_fingertips_in_place(simplified), quality


def fingertip_vertex(hand: SourceHand, finger: int) -> int:
    """The vertex farthest along the last bone of ``finger`` (MANO order) among those that move with it."""
    joint = 3 * finger + 3
    along = (hand.vertices - hand.joints[joint]) @ hand.bone_frames[joint, :, 2]
    along[hand.weights[:, joint] < 0.9] = -np.inf
    return int(np.argmax(along))


def _with_fingertips_in_place(hand: SourceHand) -> SourceHand:
    """Swaps vertices so that the fingertips get the indices of ``FINGERTIP_VERTICES``."""
    order = np.arange(len(hand.vertices))
    for finger, name in enumerate(FINGERS):
        target = FINGERTIP_VERTICES[OPENPOSE_FINGERS.index(name)]
        found = int(np.flatnonzero(order == fingertip_vertex(hand, finger))[0])
        order[found], order[target] = order[target], order[found]
    new_index = np.argsort(order)
    return SourceHand(hand.vertices[order], new_index[hand.faces], hand.weights[order], hand.joints, hand.bone_frames)
