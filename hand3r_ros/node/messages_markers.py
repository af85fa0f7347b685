"""Pure builders of markers for RViz: hand meshes and skeletons, the camera and the way it took."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from numpy.typing import ArrayLike, NDArray
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from hand3r_ros.geometry import Intrinsics, transform_points
from hand3r_ros.hand_model.joints import KEYPOINT_BONES
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.online.results import HandResult

LIFETIME_SECONDS = 1
FRUSTUM_DEPTH = 0.08  # m
SIDE_COLORS = {HandSide.LEFT: (0.20, 0.55, 0.95), HandSide.RIGHT: (0.95, 0.55, 0.20)}
CAMERA_COLOR = (0.15, 0.75, 0.35)


def clear_markers(header: Header) -> MarkerArray:
    """Removes everything that was shown before."""
    return MarkerArray(markers=[_marker(header, '', 0, Marker.ARROW, action=Marker.DELETEALL)])


def hand_markers(
    header: Header, hand: HandResult, faces: NDArray[np.integer], vertices: ArrayLike, keypoints: ArrayLike
) -> list[Marker]:
    """Mesh and skeleton of one hand; vertices (778, 3) and keypoints (21, 3) in ``header.frame_id``."""
    side = HandSide(hand.side).name.lower()
    color = SIDE_COLORS[HandSide(hand.side)]
    mesh = _marker(
        header, f'{side}_mesh', hand.track_id, Marker.TRIANGLE_LIST, color, alpha=0.85 if hand.is_seen else 0.35
    )
    mesh.scale = Vector3(x=1.0, y=1.0, z=1.0)
    mesh.points = _shared_points(vertices, faces.reshape(-1))
    skeleton = _marker(header, f'{side}_skeleton', hand.track_id, Marker.LINE_LIST, (1.0, 1.0, 1.0))
    skeleton.scale.x = 0.003
    skeleton.points = _shared_points(keypoints, np.asarray(KEYPOINT_BONES).reshape(-1))
    return [mesh, skeleton]


def camera_marker(header: Header, T_frame_camera: ArrayLike, intrinsics: Intrinsics) -> Marker:
    """The camera as a small pyramid, with the true angle of view."""
    corners_px = np.array(
        [[0, 0], [intrinsics.width, 0], [intrinsics.width, intrinsics.height], [0, intrinsics.height]]
    )
    rays = np.column_stack(
        [
            (corners_px[:, 0] - 0.5 - intrinsics.cx) / intrinsics.fx,
            (corners_px[:, 1] - 0.5 - intrinsics.cy) / intrinsics.fy,
            np.ones(4),
        ]
    )
    corners = transform_points(T_frame_camera, np.vstack([np.zeros(3), rays * FRUSTUM_DEPTH]))
    marker = _marker(header, 'camera', 0, Marker.LINE_LIST, CAMERA_COLOR)
    marker.scale.x = 0.003
    marker.points = _shared_points(corners, np.array([0, 1, 0, 2, 0, 3, 0, 4, 1, 2, 2, 3, 3, 4, 4, 1]))
    return marker


def path_marker(header: Header, positions: Sequence[NDArray[np.floating]]) -> Marker:
    """The way of the camera, oldest position first, each (3,) in ``header.frame_id``."""
    marker = _marker(header, 'camera_path', 0, Marker.LINE_STRIP, CAMERA_COLOR, alpha=0.7)
    marker.scale.x = 0.004
    marker.points = _shared_points(np.array(positions).reshape(-1, 3), np.arange(len(positions)))
    return marker


def _marker(
    header: Header,
    namespace: str,
    identity: int,
    kind: int,
    color: tuple[float, float, float] = (1.0, 1.0, 1.0),
    alpha: float = 1.0,
    action: int = Marker.ADD,
) -> Marker:
    red, green, blue = color
    return Marker(
        header=header,
        ns=namespace,
        id=int(identity),
        type=kind,
        action=action,
        pose=Pose(orientation=Quaternion(w=1.0)),
        color=ColorRGBA(r=red, g=green, b=blue, a=alpha),
        lifetime=Duration(sec=LIFETIME_SECONDS),
        frame_locked=False,
    )


def _shared_points(points: ArrayLike, indices: NDArray[np.integer]) -> list[Point]:
    """``points[indices]`` as messages; a point that is used several times is one object (six times faster)."""
    made = [Point(x=x, y=y, z=z) for x, y, z in np.asarray(points, float).tolist()]
    return [made[index] for index in indices.tolist()]
