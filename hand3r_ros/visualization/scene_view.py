"""The 3D picture of a reconstruction: cloud, camera path, cameras and hands, seen from beside the camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hand3r_ros.geometry import Intrinsics, transform_points
from hand3r_ros.hand_model.joints import KEYPOINT_BONES
from hand3r_ros.visualization.hands import SIDE_COLORS, DrawnHand
from hand3r_ros.visualization.painter import Painter
from hand3r_ros.visualization.view import View, view_beside_camera

BACKGROUND_TOP = np.array([38.0, 44.0, 56.0])
BACKGROUND_BOTTOM = np.array([16.0, 18.0, 23.0])
PATH_COLOR = (92.0, 224.0, 140.0)
CAMERA_COLOR = (240.0, 244.0, 250.0)
OVERSAMPLING = 2
FRUSTUM_DEPTH = 0.10  # m
_SURROUNDINGS = 1.3  # of the distance from camera to hands: cloud so near to the hands has to be inside the picture
_SMALLEST_SURROUNDINGS = 0.35  # m


@dataclass(frozen=True, eq=False)
class SceneToDraw:
    """Everything in one world frame, metres."""

    points: NDArray[np.floating]  # (N, 3) cloud
    colors: NDArray[np.uint8]  # (N, 3) RGB
    path: NDArray[np.floating]  # (T, 4, 4) T_world_camera, in order
    T_world_camera: NDArray[np.floating]  # (4, 4) camera of the moment that is shown
    intrinsics: Intrinsics  # of that camera
    hands: Sequence[DrawnHand]  # of that moment, in its camera's optical frame
    point_radius: float = 0.0075


def draw_scene(scene: SceneToDraw, width: int, height: int) -> NDArray[np.uint8]:
    """(height, width, 3) RGB."""
    view = view_beside_camera(scene.T_world_camera, _what_must_be_seen(scene), width, height)
    large = View(view.intrinsics.resized(width * OVERSAMPLING, height * OVERSAMPLING), view.T_world_view)
    painter = Painter(large.intrinsics, _background(height * OVERSAMPLING, width * OVERSAMPLING))
    if len(scene.points):
        painter.points(large.from_world(scene.points), scene.colors, scene.point_radius)
    painter.relief()
    _draw_cameras(painter, large, scene)
    for hand in scene.hands:
        _draw_hand(painter, large, scene.T_world_camera, hand)
    return np.asarray(cv2.resize(painter.image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _what_must_be_seen(scene: SceneToDraw) -> NDArray[np.float64]:
    """(N, 3) the cameras, the hands and the cloud around them (without hands: around the middle of the cloud)."""
    hands = [transform_points(scene.T_world_camera, hand.keypoints) for hand in scene.hands]
    cameras = [np.asarray(scene.path, float)[:, :3, 3], _frustum(scene)]
    cloud = np.asarray(scene.points, float).reshape(-1, 3)
    if len(cloud):
        focus = np.concatenate(hands).mean(0) if hands else np.median(cloud, axis=0)
        radius = max(_SURROUNDINGS * float(np.linalg.norm(focus - cameras[1][0])), _SMALLEST_SURROUNDINGS)
        cloud = cloud[np.linalg.norm(cloud - focus, axis=1) <= radius]
    return np.concatenate([*cameras, *hands, cloud])


def _background(height: int, width: int) -> NDArray[np.float64]:
    """(H, W, 3) from light above to dark below."""
    fraction = np.linspace(0.0, 1.0, height)[:, None, None]
    rows = BACKGROUND_TOP * (1.0 - fraction) + BACKGROUND_BOTTOM * fraction
    return np.broadcast_to(rows, (height, width, 3))


def _draw_cameras(painter: Painter, view: View, scene: SceneToDraw) -> None:
    path = np.asarray(scene.path, float)
    if len(path):
        positions = view.from_world(path[:, :3, 3])
        painter.tube(positions, PATH_COLOR, 0.0025)
        painter.balls(positions, PATH_COLOR, 0.0045)
    tip, *corners = view.from_world(_frustum(scene))
    painter.tube(np.array(corners), CAMERA_COLOR, 0.003, closed=True)
    for corner in corners:
        painter.tube(np.array([tip, corner]), CAMERA_COLOR, 0.003)
    painter.balls(tip[None], CAMERA_COLOR, 0.009)


def _frustum(scene: SceneToDraw) -> NDArray[np.float64]:
    """(5, 3) camera centre and corners of its image at FRUSTUM_DEPTH."""
    camera = scene.intrinsics
    u = (np.array([0, camera.width, camera.width, 0]) - 0.5 - camera.cx) / camera.fx
    v = (np.array([0, 0, camera.height, camera.height]) - 0.5 - camera.cy) / camera.fy
    rays = np.vstack([np.zeros(3), FRUSTUM_DEPTH * np.column_stack([u, v, np.ones(4)])])
    return transform_points(scene.T_world_camera, rays)


def _draw_hand(painter: Painter, view: View, T_world_camera: NDArray[np.floating], hand: DrawnHand) -> None:
    if len(hand.vertices):
        vertices = view.from_world(transform_points(T_world_camera, hand.vertices))
        painter.mesh(vertices, hand.faces, SIDE_COLORS[hand.side])
        return
    keypoints = view.from_world(transform_points(T_world_camera, hand.keypoints))
    for parent, child in KEYPOINT_BONES:
        painter.tube(keypoints[[parent, child]], SIDE_COLORS[hand.side], 0.004)
