"""Starts an executable of a package as a ROS node."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from launch.actions import ExecuteProcess
from launch.events.process import ProcessExited
from launch.launch_context import LaunchContext
from launch.launch_description import LaunchDescriptionEntity
from launch.substitutions import SomeSubstitutionsType, Substitution, SubstitutionFailure, perform

from ..parameter_values import evaluate_dictionary, write_parameter_file
from ..substitutions import ExecutableInPackage

ParametersType = Iterable[Any]
ANY_NODE = '/**'


class Node(ExecuteProcess):
    """An executable with node name, namespace, parameters and remappings.

    `parameters` is a list of dictionaries and paths of YAML files; later ones win.
    """

    def __init__(
        self,
        *,
        executable: SomeSubstitutionsType,
        package: SomeSubstitutionsType | None = None,
        name: SomeSubstitutionsType | None = None,
        namespace: SomeSubstitutionsType | None = None,
        exec_name: SomeSubstitutionsType | None = None,
        parameters: ParametersType | None = None,
        remappings: Iterable[tuple[SomeSubstitutionsType, SomeSubstitutionsType]] | None = None,
        ros_arguments: Iterable[SomeSubstitutionsType] | None = None,
        arguments: Iterable[SomeSubstitutionsType] | None = None,
        **options: Any,
    ) -> None:
        if isinstance(parameters, (str, os.PathLike, Mapping, Substitution)):
            raise TypeError(f'Node: parameters must be a list, got {type(parameters).__name__}: {parameters!r}')
        program = executable if package is None else ExecutableInPackage(executable, package)
        super().__init__(cmd=[program, *(arguments or ())], name=exec_name, **options)
        self._node_name = name
        self._namespace = namespace
        self._parameters = list(parameters or ())
        self._remappings = list(remappings or ())
        self._ros_arguments = list(ros_arguments or ())
        self._parameter_files: list[Path] = []
        self.node_name: str | None = None  # fully qualified, once started

    def command(self, context: LaunchContext) -> list[str]:
        """Return the command with its ROS arguments."""
        name = None if self._node_name is None else perform(context, self._node_name)
        own = '' if self._namespace is None else perform(context, self._namespace)
        namespace = '/' + own.strip('/') if own else None
        self.node_name = f'{(namespace or "/").rstrip("/")}/{name or "<node_name_unspecified>"}'
        words = ['--ros-args', *(perform(context, word) for word in self._ros_arguments)]
        if name is not None:
            words += ['-r', f'__node:={name}']
        if namespace is not None:
            words += ['-r', f'__ns:={namespace}']
        for path in self._parameter_paths(context, ANY_NODE if name is None else self.node_name):
            words += ['--params-file', path]
        for source, target in self._remappings:
            words += ['-r', f'{perform(context, source)}:={perform(context, target)}']
        return super().command(context) + words

    def _parameter_paths(self, context: LaunchContext, node_name: str) -> list[str]:
        """Return the files, in order, writing the dictionaries to temporary ones."""
        paths = []
        for item in self._parameters:
            if isinstance(item, Mapping):
                path = write_parameter_file(node_name, evaluate_dictionary(context, item))
                self._parameter_files.append(path)
                paths.append(str(path))
                continue
            path = Path(perform(context, item))
            if not path.is_file():
                raise SubstitutionFailure(f'parameter file {path} of node {node_name} does not exist')
            paths.append(str(path))
        return paths

    def _ended(self, event: ProcessExited, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        for path in self._parameter_files:
            path.unlink(missing_ok=True)
        self._parameter_files.clear()
        return super()._ended(event, context)
