"""What a launch file returns: entities, actions among them, in the order in which they are visited."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .actions import DeclareLaunchArgument
    from .launch_context import LaunchContext


class LaunchDescriptionEntity:
    """Something that can be visited: it does its work and returns further entities to visit, or None."""

    def visit(self, context: LaunchContext) -> Iterable[LaunchDescriptionEntity] | None:
        """Do the work of this entity now."""
        raise NotImplementedError(f'{type(self).__name__}.visit')

    def describe_sub_entities(self, context: LaunchContext) -> Iterable[LaunchDescriptionEntity]:
        """Return the entities that a visit may lead to, without doing the work (for ``--show-args``)."""
        return ()


class Condition:
    """A predicate over the launch context that decides whether an action runs."""

    def __init__(self, *, predicate: Callable[[LaunchContext], bool]) -> None:
        self._predicate = predicate

    def evaluate(self, context: LaunchContext) -> bool:
        """Return whether the action runs."""
        return self._predicate(context)


class Action(LaunchDescriptionEntity):
    """An entity with a condition; subclasses implement execute."""

    def __init__(self, *, condition: Condition | None = None) -> None:
        self.condition = condition

    def visit(self, context: LaunchContext) -> Iterable[LaunchDescriptionEntity] | None:
        """Execute unless the condition says no."""
        if self.condition is None or self.condition.evaluate(context):
            return self.execute(context)
        return None

    def execute(self, context: LaunchContext) -> Iterable[LaunchDescriptionEntity] | None:
        """Do the work of this action; return further entities to visit, or None."""
        raise NotImplementedError(f'{type(self).__name__}.execute')


class LaunchDescription(LaunchDescriptionEntity):
    """An ordered list of entities."""

    def __init__(self, initial_entities: Iterable[LaunchDescriptionEntity] | None = None) -> None:
        self._entities = list(initial_entities or ())

    @property
    def entities(self) -> list[LaunchDescriptionEntity]:
        """The entities, in order."""
        return self._entities

    def add_action(self, action: Action) -> None:
        """Append one action."""
        self._entities.append(action)

    def add_entity(self, entity: LaunchDescriptionEntity) -> None:
        """Append one entity."""
        self._entities.append(entity)

    def visit(self, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Return the entities, to be visited in order."""
        return self._entities

    def describe_sub_entities(self, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Return the entities."""
        return self._entities

    def get_launch_arguments(self) -> list[DeclareLaunchArgument]:
        """Return the arguments that this description and the ones it includes declare, each name once."""
        from .launch_context import LaunchContext

        found: dict[str, DeclareLaunchArgument] = {}
        _collect_arguments(self, LaunchContext(), found)
        return list(found.values())


def _collect_arguments(entity: LaunchDescriptionEntity, context: LaunchContext, found: dict[str, Any]) -> None:
    from .actions import DeclareLaunchArgument

    if isinstance(entity, DeclareLaunchArgument):
        if entity.name not in context.launch_configurations:
            found.setdefault(entity.name, entity)
            entity.preview_default(context)
        return
    for sub_entity in entity.describe_sub_entities(context):
        _collect_arguments(sub_entity, context, found)


def visit_all(entities: Iterable[LaunchDescriptionEntity] | None, context: LaunchContext) -> None:
    """Visit `entities` and, depth first, everything their visits return."""
    for entity in entities or ():
        visit_all(entity.visit(context), context)


def as_entities(entities: Any) -> list[LaunchDescriptionEntity]:
    """Return a single entity or an iterable of them as a list."""
    if entities is None:
        return []
    if isinstance(entities, LaunchDescriptionEntity):
        return [entities]
    return list(entities)
