"""The node's services: ~/reset, ~/enable, ~/save_map, and those of ``state_saving``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from std_srvs.srv import SetBool, Trigger

from hand3r_msgs.srv import SaveMap
from hand3r_ros.node.confined_paths import ConfinedPathError
from hand3r_ros.node.frame_processor import FrameProcessor
from hand3r_ros.node.map_saving import map_file, save_ply
from hand3r_ros.node.parameters import NodeParameters
from hand3r_ros.node.state_saving import StateServices


class Services:
    """Answers between configure and cleanup; a failure is a reply with its reason, never an exception."""

    def __init__(
        self,
        node: Node,
        processor: FrameProcessor,
        parameters: Callable[[], NodeParameters],
        enable: Callable[[bool], None],
    ) -> None:
        self._node = node
        self._processor = processor
        self._parameters = parameters
        self._enable = enable
        self._services = [
            node.create_service(Trigger, '~/reset', self._on_reset),
            node.create_service(SetBool, '~/enable', self._on_enable),
            node.create_service(SaveMap, '~/save_map', self._on_save_map),
            *StateServices(node, processor, parameters).services,
        ]

    def close(self) -> None:
        """Stop answering."""
        for service in self._services:
            self._node.destroy_service(service)
        self._services.clear()

    def _on_reset(self, request: Any, response: Any) -> Any:
        session_id = self._processor.reset('asked for by ~/reset')
        response.success, response.message = True, f'session {session_id} begins with the next image'
        return response

    def _on_enable(self, request: Any, response: Any) -> Any:
        self._enable(bool(request.data))
        response.success = True
        response.message = (
            'images are processed while the node is active' if request.data else 'images are ignored, the state is kept'
        )
        return response

    def _on_save_map(self, request: Any, response: Any) -> Any:
        parameters = self._parameters()
        try:
            place = map_file(parameters.map.directory, request.path)
            points = save_ply(place, self._processor.map_snapshot(), parameters.world_frame)
        except (ConfinedPathError, OSError) as error:
            self._node.get_logger().warning(f'~/save_map: {error}')
            response.success, response.message, response.points = False, str(error), 0
            return response
        response.success, response.message, response.points = True, f'saved as {place}', points
        return response
