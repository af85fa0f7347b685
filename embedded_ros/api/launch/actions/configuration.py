"""Actions that declare and change launch configurations and the environment of child processes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..launch_description import Action
from ..substitutions import SomeSubstitutionsType, SubstitutionFailure, normalize_to_list_of_substitutions, perform

if TYPE_CHECKING:
    from ..launch_context import LaunchContext


class DeclareLaunchArgument(Action):
    """Declares an argument of the launch file, with default, description and choices."""

    def __init__(
        self,
        name: str,
        *,
        default_value: SomeSubstitutionsType | None = None,
        description: str | None = None,
        choices: Iterable[str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.name = name
        self.default_value = None if default_value is None else normalize_to_list_of_substitutions(default_value)
        self.description = description or 'no description given'
        self.choices = None if choices is None else list(choices)

    def execute(self, context: LaunchContext) -> None:
        """Set the default where no value is given, then check the value.

        Raises:
            RuntimeError: when a value is required or not among the choices.
        """
        if self.name not in context.launch_configurations:
            if self.default_value is None:
                raise RuntimeError(f"Required launch argument '{self.name}' was not provided ({self.description}).")
            context.launch_configurations[self.name] = perform(context, self.default_value)
        value = context.launch_configurations[self.name]
        if self.choices is not None and value not in self.choices:
            valid = ', '.join(self.choices)
            raise RuntimeError(f"Argument '{self.name}': '{value}' is not valid. Valid options are: {valid}")

    def preview_default(self, context: LaunchContext) -> None:
        """Set the default where it can be known before the launch runs (to find the files it includes)."""
        if self.default_value is not None and self.name not in context.launch_configurations:
            try:
                context.launch_configurations[self.name] = perform(context, self.default_value)
            except (SubstitutionFailure, LookupError):
                return


class SetLaunchConfiguration(Action):
    """Sets a launch configuration."""

    def __init__(self, name: SomeSubstitutionsType, value: SomeSubstitutionsType, **options: Any) -> None:
        super().__init__(**options)
        self.name, self.value = name, value

    def execute(self, context: LaunchContext) -> None:
        """Set it."""
        context.launch_configurations[perform(context, self.name)] = perform(context, self.value)


class SetEnvironmentVariable(Action):
    """Sets an environment variable for the processes started from now on."""

    def __init__(self, name: SomeSubstitutionsType, value: SomeSubstitutionsType, **options: Any) -> None:
        super().__init__(**options)
        self.name, self.value = name, value

    def execute(self, context: LaunchContext) -> None:
        """Set it."""
        context.environment[perform(context, self.name)] = perform(context, self.value)
