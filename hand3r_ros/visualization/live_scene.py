"""The reconstruction as a live scene in the browser (viser): cloud, map, camera, its path, hands and a status line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import viser
from numpy.typing import NDArray

from hand3r_ros.geometry import Intrinsics, quaternion_from_matrix
from hand3r_ros.hand_model.joints import KEYPOINT_BONES
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.visualization.hands import SIDE_COLORS

LOCAL_HOST = '127.0.0.1'
PATH_COLOR = (92, 224, 140)
CAMERA_COLOR = (240, 244, 250)
FRUSTUM_SIZE = 0.08
THUMBNAIL_WIDTH = 320
_SHORTEST_STEP = 0.003  # m; smaller motion adds nothing to the path


@dataclass(frozen=True, eq=False)
class LiveHand:
    """A hand in the world."""

    side: HandSide
    vertices: NDArray[np.floating]  # (778, 3) m; (0, 3) when not known
    keypoints: NDArray[np.floating]  # (21, 3) m
    faces: NDArray[np.integer]  # (F, 3)


class LiveScene:
    """A local web page; every method may be called from any thread. Nothing leaves this machine by default."""

    def __init__(self, port: int, host: str = LOCAL_HOST, point_size: float = 0.006) -> None:
        """Serve; raises OSError when no port from ``port`` on is free."""
        self._server = viser.ViserServer(host=host, port=port, verbose=False, label='hand3r_ros')
        self._point_size = point_size
        self._path: list[NDArray[np.floating]] = []
        self._hand_nodes: set[str] = set()
        self._viewpoint_set = False
        scene = self._server.scene
        scene.set_up_direction('+z')
        # The default environment map would be one more download of the page; plain lights are enough.
        scene.configure_environment_map(None)
        scene.add_light_ambient('/lights/ambient', intensity=0.9)
        scene.add_light_directional('/lights/key', intensity=2.2, position=(-2.0, 2.0, 4.0))
        self._server.gui.configure_theme(dark_mode=True, show_logo=False, show_share_button=False)
        self._status = self._server.gui.add_markdown('waiting for images')
        self._image: viser.GuiImageHandle | None = None
        self._add_switches()

    @property
    def address(self) -> str:
        """What to open in the browser."""
        return f'http://{self._server.get_host()}:{self._server.get_port()}'

    def close(self) -> None:
        """Stop serving."""
        self._server.stop()

    def show_status(self, lines: Sequence[str]) -> None:
        """Text beside the scene, Markdown."""
        self._status.content = '\n\n'.join(lines)

    def show_map(self, points: NDArray[np.floating], colors: NDArray[np.uint8]) -> None:
        """The map, points (N, 3) in the world."""
        self._show_cloud('/map', points, colors, self._map_switch.value)

    def show_points(self, points: NDArray[np.floating], colors: NDArray[np.uint8]) -> None:
        """The cloud of the newest image, points (N, 3) in the world."""
        self._show_cloud('/points', points, colors, self._points_switch.value)

    def show_camera(
        self, T_world_camera: NDArray[np.floating], intrinsics: Intrinsics, image: NDArray[np.uint8] | None
    ) -> None:
        """The camera with what it sees, (H, W, 3) RGB, and the way it took."""
        position = np.asarray(T_world_camera, float)[:3, 3]
        small = None if image is None else _thumbnail(image)
        self._show_image(small)
        self._server.scene.add_camera_frustum(
            '/camera',
            fov=float(2.0 * np.arctan(intrinsics.height / 2.0 / intrinsics.fy)),
            aspect=intrinsics.width / intrinsics.height,
            scale=FRUSTUM_SIZE,
            thickness=0.003,
            color=CAMERA_COLOR,
            image=small,
            format='jpeg',
            wxyz=np.roll(quaternion_from_matrix(np.asarray(T_world_camera)[:3, :3]), 1),
            position=position,
        )
        if not self._viewpoint_set:
            self._look_from_behind(np.asarray(T_world_camera, float))
        self._extend_path(position)

    def show_hands(self, hands: Sequence[LiveHand]) -> None:
        """The hands of the newest image; those of earlier images disappear."""
        shown = {self._add_hand(hand) for hand in hands if self._hands_switch.value}
        # What is still there was replaced under its name: removing it first would make it flicker.
        for name in self._hand_nodes - shown:
            self._server.scene.remove_by_name(name)
        self._hand_nodes = shown

    def forget_session(self) -> None:
        """The world is another one from now on."""
        self._path.clear()
        for name in ('/path', '/map', '/points'):
            self._server.scene.remove_by_name(name)
        self._viewpoint_set = False

    def _add_switches(self) -> None:
        with self._server.gui.add_folder('Show'):
            self._map_switch = self._server.gui.add_checkbox('map', True)
            self._points_switch = self._server.gui.add_checkbox('points of the newest image', False)
            self._hands_switch = self._server.gui.add_checkbox('hands', True)

    def _show_image(self, image: NDArray[np.uint8] | None) -> None:
        if image is None:
            return
        if self._image is None:
            self._image = self._server.gui.add_image(image, label='camera', format='jpeg')
        else:
            self._image.image = image

    def _show_cloud(self, name: str, points: NDArray[np.floating], colors: NDArray[np.uint8], wanted: bool) -> None:
        if not wanted or not len(points):
            self._server.scene.remove_by_name(name)
            return
        self._server.scene.add_point_cloud(
            name,
            np.asarray(points, np.float32),
            colors,
            point_size=self._point_size,
            point_shape='circle',
            precision='float32',
            point_shading='flat',
        )

    def _add_hand(self, hand: LiveHand) -> str:
        """Add or replace a hand; gives the name of its node."""
        folder = f'/hands/{hand.side.name.lower()}'
        color = np.array(SIDE_COLORS[hand.side], np.uint8)
        if len(hand.vertices):
            vertices = np.asarray(hand.vertices, np.float32)
            self._server.scene.add_mesh_simple(f'{folder}/mesh', vertices, hand.faces, color=color, side='double')
            return f'{folder}/mesh'
        bones = np.asarray(hand.keypoints, np.float32)[np.asarray(KEYPOINT_BONES)]
        self._server.scene.add_line_segments(f'{folder}/bones', bones, color, thickness=0.006)
        return f'{folder}/bones'

    def _extend_path(self, position: NDArray[np.floating]) -> None:
        if self._path and np.linalg.norm(position - self._path[-1]) < _SHORTEST_STEP:
            return
        self._path.append(position)
        if len(self._path) > 1:
            steps = np.stack([np.array(self._path[:-1]), np.array(self._path[1:])], axis=1)
            self._server.scene.add_line_segments('/path', steps.astype(np.float32), PATH_COLOR, thickness=0.004)

    def _look_from_behind(self, T_world_camera: NDArray[np.floating]) -> None:
        """Place viewers who come from now on behind and above the camera."""
        self._viewpoint_set = True
        right, up, forward = T_world_camera[:3, 0], -T_world_camera[:3, 1], T_world_camera[:3, 2]
        position = T_world_camera[:3, 3]
        view = self._server.initial_camera
        view.position = tuple(position - 0.45 * forward + 0.5 * up - 0.45 * right)
        view.look_at = tuple(position + 0.55 * forward)
        view.up = tuple(up)
        for client in self._server.get_clients().values():
            client.camera.position, client.camera.look_at = view.position, view.look_at
            client.camera.up_direction = tuple(up)


def _thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    size = (THUMBNAIL_WIDTH, max(round(height * THUMBNAIL_WIDTH / width), 1))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
