"""Settings for the nodes that follow in the same scope: namespace, parameters, remappings.

They are kept among the launch configurations, so a scoped GroupAction ends them.
"""

from __future__ import annotations

from typing import Any

from launch.launch_context import LaunchContext
from launch.launch_description import Action
from launch.substitutions import SomeSubstitutionsType, perform

from ..parameter_values import evaluate_value

NAMESPACE_KEY = 'ros_namespace'
PARAMETERS_KEY = 'global_params'
REMAPPINGS_KEY = 'ros_remaps'


def joined_namespace(base: str, namespace: str) -> str:
    """Return `namespace` below `base`, or itself where it is absolute."""
    if namespace.startswith('/'):
        return namespace
    return '/' + '/'.join(part for part in (base.strip('/'), namespace.strip('/')) if part)


def append_setting(context: LaunchContext, key: str, item: Any) -> None:
    """Add an item to a list of settings without changing the list of an outer scope."""
    context.launch_configurations[key] = [*context.launch_configurations.get(key, []), item]


class PushRosNamespace(Action):
    """Puts the nodes that follow into a namespace below the current one."""

    def __init__(self, namespace: SomeSubstitutionsType, **options: Any) -> None:
        super().__init__(**options)
        self.namespace = namespace

    def execute(self, context: LaunchContext) -> None:
        """Set the namespace."""
        base = context.launch_configurations.get(NAMESPACE_KEY, '')
        context.launch_configurations[NAMESPACE_KEY] = joined_namespace(base, perform(context, self.namespace))


class SetParameter(Action):
    """Sets a parameter of the nodes that follow."""

    def __init__(self, name: SomeSubstitutionsType, value: Any, **options: Any) -> None:
        super().__init__(**options)
        self.name, self.value = name, value

    def execute(self, context: LaunchContext) -> None:
        """Set it."""
        item = {perform(context, self.name): evaluate_value(context, self.value)}
        append_setting(context, PARAMETERS_KEY, item)


class SetUseSimTime(SetParameter):
    """Sets the parameter use_sim_time of the nodes that follow."""

    def __init__(self, value: Any, **options: Any) -> None:
        super().__init__('use_sim_time', value, **options)


class SetParametersFromFile(Action):
    """Gives a file of parameters to the nodes that follow."""

    def __init__(self, filename: SomeSubstitutionsType, **options: Any) -> None:
        super().__init__(**options)
        self.filename = filename

    def execute(self, context: LaunchContext) -> None:
        """Set it."""
        append_setting(context, PARAMETERS_KEY, perform(context, self.filename))


class SetRemap(Action):
    """Remaps a name for the nodes that follow."""

    def __init__(self, src: SomeSubstitutionsType, dst: SomeSubstitutionsType, **options: Any) -> None:
        super().__init__(**options)
        self.src, self.dst = src, dst

    def execute(self, context: LaunchContext) -> None:
        """Set it."""
        append_setting(context, REMAPPINGS_KEY, (perform(context, self.src), perform(context, self.dst)))
