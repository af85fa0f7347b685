"""What is to be done when an event happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .absent import absent
from .events import Event, Shutdown
from .events.process import ProcessExited, ProcessIO, ProcessStarted
from .launch_description import as_entities

if TYPE_CHECKING:
    from .launch_context import LaunchContext
    from .launch_description import LaunchDescriptionEntity

__all__ = [
    'EventHandler',
    'OnProcessExit',
    'OnProcessIO',
    'OnProcessStart',
    'OnShutdown',
]

Reaction = Any  # an entity, a list of them, or a callable (event, context) that returns either


def react(reaction: Reaction, event: Event, context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Return the entities of a reaction, calling it if it is a function."""
    return as_entities(reaction(event, context) if callable(reaction) else reaction)


class EventHandler:
    """Runs entities when `matcher` accepts an event."""

    def __init__(
        self, *, matcher: Callable[[Event], bool], entities: Reaction = None, handle_once: bool = False
    ) -> None:
        self._matcher = matcher
        self._entities = entities
        self.handle_once = handle_once

    def matches(self, event: Event) -> bool:
        """Return whether this handler wants the event."""
        return self._matcher(event)

    def handle(self, event: Event, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Return the entities to visit."""
        return react(self._entities, event, context)


class _OnProcessEvent(EventHandler):
    """A handler for one kind of event of one process, or of all where `target` is None."""

    def __init__(self, kind: type, target: Any, reaction: Reaction, handle_once: bool) -> None:
        def matches(event: Event) -> bool:
            if not isinstance(event, kind):
                return False
            action = event.action  # type: ignore[attr-defined]
            return target is None or action is target or (callable(target) and bool(target(action)))

        super().__init__(matcher=matches, entities=reaction, handle_once=handle_once)


class OnProcessStart(_OnProcessEvent):
    """Runs `on_start` when a process started."""

    def __init__(self, *, target_action: Any = None, on_start: Reaction, handle_once: bool = False) -> None:
        super().__init__(ProcessStarted, target_action, on_start, handle_once)


class OnProcessExit(_OnProcessEvent):
    """Runs `on_exit` when a process ended."""

    def __init__(self, *, target_action: Any = None, on_exit: Reaction, handle_once: bool = False) -> None:
        super().__init__(ProcessExited, target_action, on_exit, handle_once)


class OnProcessIO(_OnProcessEvent):
    """Calls `on_stdout` or `on_stderr` with the event when a process wrote something."""

    def __init__(
        self,
        *,
        target_action: Any = None,
        on_stdin: Callable[[ProcessIO], Any] | None = None,
        on_stdout: Callable[[ProcessIO], Any] | None = None,
        on_stderr: Callable[[ProcessIO], Any] | None = None,
    ) -> None:
        if on_stdin is not None:
            raise NotImplementedError('launch.event_handlers.OnProcessIO: on_stdin')

        def pass_on(event: Event, context: LaunchContext) -> Any:
            assert isinstance(event, ProcessIO)
            callback = on_stdout if event.from_stdout else on_stderr
            return callback(event) if callback else None

        super().__init__(ProcessIO, target_action, pass_on, False)


class OnShutdown(EventHandler):
    """Runs `on_shutdown` once, when the launch is about to end."""

    def __init__(self, *, on_shutdown: Reaction) -> None:
        super().__init__(matcher=lambda event: isinstance(event, Shutdown), entities=on_shutdown, handle_once=True)


__getattr__ = absent(__name__, 'OnActionEventBase OnExecutionComplete OnIncludeLaunchDescription')
