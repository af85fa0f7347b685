"""Actions about events: handlers, emitting, ending the launch, waiting for a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .. import events
from ..event_handlers import EventHandler
from ..launch_description import Action, LaunchDescriptionEntity, visit_all
from ..substitutions import SomeSubstitutionsType, perform

if TYPE_CHECKING:
    from ..launch_context import LaunchContext


class RegisterEventHandler(Action):
    """Lets a handler see the events from now on."""

    def __init__(self, event_handler: EventHandler, **options: Any) -> None:
        super().__init__(**options)
        self.event_handler = event_handler

    def execute(self, context: LaunchContext) -> None:
        """Register."""
        context.register_event_handler(self.event_handler)


class UnregisterEventHandler(RegisterEventHandler):
    """Takes a handler away."""

    def execute(self, context: LaunchContext) -> None:
        """Unregister."""
        context.unregister_event_handler(self.event_handler)


class EmitEvent(Action):
    """Queues an event."""

    def __init__(self, *, event: events.Event, **options: Any) -> None:
        super().__init__(**options)
        self.event = event

    def execute(self, context: LaunchContext) -> None:
        """Queue it."""
        context.emit_event(self.event)


class Shutdown(Action):
    """Ends the launch."""

    def __init__(self, *, reason: SomeSubstitutionsType = 'reason not given', **options: Any) -> None:
        super().__init__(**options)
        self.reason = reason

    def execute(self, context: LaunchContext) -> None:
        """Ask for shutdown."""
        context.emit_event(events.Shutdown(reason=perform(context, self.reason)))


class TimerAction(Action):
    """Runs actions after a period in seconds."""

    def __init__(
        self,
        *,
        period: float | SomeSubstitutionsType,
        actions: Iterable[LaunchDescriptionEntity],
        cancel_on_shutdown: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.period = period
        self.actions = list(actions)
        self._cancel_on_shutdown = cancel_on_shutdown
        self._timer: Any = None

    def execute(self, context: LaunchContext) -> None:
        """Start the timer; the actions see the configurations that are set when it is due."""
        is_number = isinstance(self.period, (int, float))
        seconds = float(self.period if is_number else perform(context, self.period))  # type: ignore[arg-type]
        if not context.is_shutdown or not self._cancel_on_shutdown:
            self._timer = context.call_later(
                seconds, lambda: visit_all(self.actions, context), survives_shutdown=not self._cancel_on_shutdown
            )

    def describe_sub_entities(self, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Return the actions."""
        return self.actions

    def cancel(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
