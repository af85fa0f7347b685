"""Actions about events: handlers, emitting, ending the launch, waiting for a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import events
from ..event_handlers import EventHandler
from ..launch_description import Action
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


class Shutdown(Action):
    """Ends the launch."""

    def __init__(self, *, reason: SomeSubstitutionsType = 'reason not given', **options: Any) -> None:
        super().__init__(**options)
        self.reason = reason

    def execute(self, context: LaunchContext) -> None:
        """Ask for shutdown."""
        context.emit_event(events.Shutdown(reason=perform(context, self.reason)))
