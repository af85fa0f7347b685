"""Virtual cameras for views of a scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hand3r_ros.geometry import Intrinsics, invert_transform, make_transform, project_points, transform_points

MARGIN = 0.07  # of the picture, kept free at each edge
NEAREST = 0.05  # m; the view stays at least this far from what it shows


@dataclass(frozen=True, eq=False)
class View:
    """A virtual camera in the world."""

    intrinsics: Intrinsics
    T_world_view: NDArray[np.float64]  # (4, 4) optical axes

    def from_world(self, points_world: ArrayLike) -> NDArray[np.float64]:
        """Points (N, 3) of the world in the view's optical frame."""
        return transform_points(invert_transform(self.T_world_view), points_world)

    def project(self, points_world: ArrayLike) -> NDArray[np.float64]:
        """Pixels (N, 2) of points (N, 3) of the world; NaN behind the view."""
        return project_points(self.from_world(points_world), self.intrinsics)


def look_at(eye: ArrayLike, target: ArrayLike, up: ArrayLike) -> NDArray[np.float64]:
    """(4, 4) optical frame at ``eye`` that looks at ``target``; ``up`` must not be parallel to the line of sight."""
    eye, target = np.asarray(eye, float), np.asarray(target, float)
    forward = _unit(target - eye)
    right = _unit(np.cross(forward, np.asarray(up, float)))
    return make_transform(np.stack([right, np.cross(forward, right), forward], axis=-1), eye)


def view_beside_camera(
    T_world_camera: ArrayLike,
    shown: ArrayLike,
    width: int,
    height: int,
    azimuth: float = 38.0,
    elevation: float = 12.0,
    field_of_view: float = 42.0,
) -> View:
    """A view from beside and above a camera that shows all points (N, 3) of the world, ``shown``.

    Args:
        T_world_camera: (4, 4) optical frame; its axes say what is up and where to look, so no gravity is needed.
        shown: what must be inside the picture, points (N, 3) of the world, N >= 1.
        width: pixels.
        height: pixels.
        azimuth: degrees by which the view goes around to the left of the camera.
        elevation: degrees by which it goes up.
        field_of_view: horizontal, degrees.
    """
    T, points = np.asarray(T_world_camera, float), np.asarray(shown, float).reshape(-1, 3)
    right, up, forward = T[:3, 0], -T[:3, 1], T[:3, 2]
    phi, theta = np.deg2rad(azimuth), np.deg2rad(elevation)
    sight = np.cos(theta) * (np.cos(phi) * forward + np.sin(phi) * right) - np.sin(theta) * up
    intrinsics = Intrinsics.from_field_of_view(field_of_view, width, height)
    rotation = look_at(np.zeros(3), sight, up)[:3, :3]
    along = points @ rotation  # (N, 3) in the view's axes
    tangents = (1.0 - 2.0 * MARGIN) * np.array([width / 2.0 / intrinsics.fx, height / 2.0 / intrinsics.fy])
    eye = _fitting_eye(along, tangents)
    return View(intrinsics, make_transform(rotation, rotation @ eye))


def _fitting_eye(points: NDArray[np.float64], tangents: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3,) the position farthest forward from which points (N, 3) in optical axes fit between the edges."""
    eye = np.empty(3)
    depths = []
    for axis in (0, 1):
        # A point is inside when |x - eye_x| <= tangent * (z - eye_z): the tightest edge on each side meets in the eye.
        above = float((points[:, axis] - tangents[axis] * points[:, 2]).max())
        below = float((-points[:, axis] - tangents[axis] * points[:, 2]).max())
        eye[axis] = (above - below) / 2.0
        depths.append(-(above + below) / 2.0 / tangents[axis])
    eye[2] = min(*depths, float(points[:, 2].min()) - NEAREST)
    return eye


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    length = float(np.linalg.norm(vector))
    if length < 1e-9:
        raise ValueError('eye and target coincide, or up is parallel to the line of sight')
    return vector / length
