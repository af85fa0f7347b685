"""Services ~/save_state and ~/load_state, and the state file that a node starts from.

A session that was saved goes on in the same world frame, after a restart or hours later. Files of service calls lie
below the parameter ``state_directory``; the parameter ``state_file``, which only the operator sets, may be absolute.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node

from hand3r_msgs.srv import LoadState, SaveState
from hand3r_ros.files import ConfinedFile, FilePlace
from hand3r_ros.node.confined_paths import ConfinedPathError, confined_file, expanded_path
from hand3r_ros.node.frame_processor import FrameProcessor
from hand3r_ros.node.parameters import NodeParameters
from hand3r_ros.online.state_file import SUFFIX, StateFileError


def requested_state(parameters: NodeParameters, requested: str) -> ConfinedFile:
    """The state file that a service call names; raises :class:`ConfinedPathError` when it may not be used."""
    return confined_file(parameters.state_directory, requested, SUFFIX, 'state_directory')


def first_state(parameters: NodeParameters) -> FilePlace | None:
    """The state file to begin with, None for a new world; raises :class:`ConfinedPathError` for an unusable path."""
    if not parameters.state_file:
        return None
    path = expanded_path(parameters.state_file, 'state_file')
    return path if path.is_absolute() else requested_state(parameters, parameters.state_file)


class StateServices:
    """Answers between configure and cleanup; a failure is a reply with its reason, never an exception."""

    def __init__(self, node: Node, processor: FrameProcessor, parameters: Callable[[], NodeParameters]) -> None:
        self._node = node
        self._processor = processor
        self._parameters = parameters
        self.services = [
            node.create_service(SaveState, '~/save_state', self._on_save),
            node.create_service(LoadState, '~/load_state', self._on_load),
        ]

    def _on_save(self, request: Any, response: Any) -> Any:
        try:
            place = requested_state(self._parameters(), request.path)
            session = self._processor.save_state(place)
        except (ConfinedPathError, OSError) as error:
            return self._refused('~/save_state', error, response)
        response.success, response.message = True, f'saved as {place}'
        response.session_id, response.frame_index = session.session_id, session.frame_index
        return response

    def _on_load(self, request: Any, response: Any) -> Any:
        try:
            place = requested_state(self._parameters(), request.path)
            session = self._processor.load_state(place)
        except (ConfinedPathError, StateFileError, OSError) as error:
            return self._refused('~/load_state', error, response)
        response.success, response.message = True, f'session {session.session_id} resumed from {place}'
        response.session_id, response.frame_index = session.session_id, session.frame_index
        return response

    def _refused(self, service: str, error: Exception, response: Any) -> Any:
        self._node.get_logger().warning(f'{service}: {error}')
        response.success, response.message = False, str(error)
        return response
