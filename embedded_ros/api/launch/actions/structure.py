"""Actions that give a launch file structure: included files, functions, messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .. import logging
from ..launch_description import Action, LaunchDescriptionEntity, as_entities
from ..launch_description_sources import AnyLaunchDescriptionSource, LaunchDescriptionSource
from ..substitutions import SomeSubstitutionsType, SubstitutionFailure, normalize_to_list_of_substitutions, perform
from .configuration import DeclareLaunchArgument, SetLaunchConfiguration

if TYPE_CHECKING:
    from ..launch_context import LaunchContext


class IncludeLaunchDescription(Action):
    """Includes a launch file, with arguments. As in ROS 2 they stay set after it."""

    def __init__(
        self,
        launch_description_source: LaunchDescriptionSource | SomeSubstitutionsType,
        *,
        launch_arguments: Iterable[tuple[SomeSubstitutionsType, SomeSubstitutionsType]] | Mapping[str, Any] = (),
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if not isinstance(launch_description_source, LaunchDescriptionSource):
            launch_description_source = AnyLaunchDescriptionSource(launch_description_source)
        self.launch_description_source = launch_description_source
        is_mapping = isinstance(launch_arguments, Mapping)
        self.launch_arguments = list(launch_arguments.items() if is_mapping else launch_arguments)  # type: ignore

    def describe_sub_entities(self, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Return the entities of the file where its path and arguments can be known before the launch runs."""
        try:
            given = {perform(context, name) for name, _ in self.launch_arguments}
            entities = self.launch_description_source.get_launch_description(context).entities
        except (SubstitutionFailure, LookupError):
            return []
        return [item for item in entities if not (isinstance(item, DeclareLaunchArgument) and item.name in given)]

    def execute(self, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Set the arguments and return the description."""
        description = self.launch_description_source.get_launch_description(context)
        arguments = [SetLaunchConfiguration(name, value) for name, value in self.launch_arguments]
        return [*arguments, description]


class LogInfo(Action):
    """Writes a line."""

    def __init__(self, *, msg: SomeSubstitutionsType, **options: Any) -> None:
        super().__init__(**options)
        self.msg = normalize_to_list_of_substitutions(msg)

    def execute(self, context: LaunchContext) -> None:
        """Write it."""
        logging.get_logger('launch.user').info('%s', perform(context, self.msg))


class OpaqueFunction(Action):
    """Calls ``function(context, *args, **kwargs)``, which may return entities."""

    def __init__(
        self,
        *,
        function: Callable[..., Any],
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._function, self._args, self._kwargs = function, tuple(args or ()), dict(kwargs or {})

    def execute(self, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Call the function."""
        return as_entities(self._function(context, *self._args, **self._kwargs))
