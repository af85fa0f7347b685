"""Live 3D view of a run, from results instead of messages."""

from __future__ import annotations

import time

import numpy as np

from hand3r_ros.geometry import Intrinsics, transform_points
from hand3r_ros.hand_model.data import HandModelData
from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.node.frames import is_placed
from hand3r_ros.offline.frame_step import Step
from hand3r_ros.offline.inputs import InputImage
from hand3r_ros.offline.tally import Tally
from hand3r_ros.online.mapping import VoxelMap
from hand3r_ros.online.results import TrackingState
from hand3r_ros.visualization.live_scene import LiveHand, LiveScene

PORT = 8080
UPDATE_SECONDS = 0.12
MAP_SECONDS = 1.0


class LiveView:
    """A local web page that follows the run."""

    def __init__(self, hand_model: HandModelData, port: int = PORT) -> None:
        self._scene = LiveScene(port)
        self._faces = {side: np.asarray(hand_model.faces(side), np.uint32) for side in HandSide}
        self._shown_at = self._map_at = -float('inf')

    @property
    def address(self) -> str:
        """What to open in the browser."""
        return self._scene.address

    def show(self, image: InputImage, step: Step, scene_map: VoxelMap, tally: Tally) -> None:
        """The newest result; skipped when the last one was shown a moment ago."""
        now = time.monotonic()
        if step.new_session:
            self._scene.forget_session()
        elif now - self._shown_at < UPDATE_SECONDS:
            return
        self._shown_at = now
        result = step.result
        self._scene.show_status(
            [
                f'**{TrackingState(result.state).name.lower()}**, session {result.session_id}, {image.name}',
                f'{len(result.hands)} hands',
                f'{1e3 * tally.seconds / max(1, tally.processed):.0f} ms per image',
                f'{tally.processed} processed, {tally.skipped_images} skipped',
            ]
        )
        if is_placed(result):
            height, width = step.image.shape[:2]
            camera = step.frame.intrinsics or _resized(result.intrinsics, width, height)
            self._scene.show_camera(result.T_world_camera, camera, step.image)
            points = transform_points(result.T_world_camera, result.points_camera.reshape(-1, 3))
            self._scene.show_points(points, result.colors.reshape(-1, 3))
            self._scene.show_hands(
                [
                    LiveHand(HandSide(h.side), h.vertices_world, h.keypoints_world, self._faces[HandSide(h.side)])
                    for h in result.hands
                ]
            )
        if now - self._map_at >= MAP_SECONDS:
            self._map_at = now
            self.show_map(scene_map)

    def show_map(self, scene_map: VoxelMap) -> None:
        """The map as of now."""
        cloud = scene_map.snapshot()
        self._scene.show_map(cloud.points, cloud.colors)

    def close(self) -> None:
        """Stop serving."""
        self._scene.close()


def _resized(network: Intrinsics, width: int, height: int) -> Intrinsics:
    """The camera of the network's image as seen in an image of another size: near enough to draw it."""
    return network.resized(width, height)
