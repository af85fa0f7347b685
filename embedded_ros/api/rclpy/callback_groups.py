"""Callback groups: which callbacks may run at the same time, where several executors spin."""

import threading
from typing import Any


class CallbackGroup:
    """Base of callback groups."""

    def __init__(self) -> None:
        self.entities: set[Any] = set()

    def add_entity(self, entity: Any) -> None:
        """Make an entity a member."""
        self.entities.add(entity)

    def remove_entity(self, entity: Any) -> None:
        """End the membership of an entity."""
        self.entities.discard(entity)

    def has_entity(self, entity: Any) -> bool:
        """Return whether an entity is a member."""
        return entity in self.entities

    def can_execute(self, entity: Any) -> bool:
        """Return whether the entity's callback may start now."""
        raise NotImplementedError('CallbackGroup.can_execute')

    def beginning_execution(self, entity: Any) -> bool:
        """Note that a callback starts; False when it must not."""
        raise NotImplementedError('CallbackGroup.beginning_execution')

    def ending_execution(self, entity: Any) -> None:
        """Note that a callback ended."""
        raise NotImplementedError('CallbackGroup.ending_execution')


class ReentrantCallbackGroup(CallbackGroup):
    """Callbacks may run in parallel, also several of the same entity."""

    def can_execute(self, entity: Any) -> bool:
        """Return True."""
        return True

    def beginning_execution(self, entity: Any) -> bool:
        """Return True."""
        return True

    def ending_execution(self, entity: Any) -> None:
        """Do nothing."""


class MutuallyExclusiveCallbackGroup(CallbackGroup):
    """One callback at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._active: Any = None
        self._lock = threading.Lock()

    def can_execute(self, entity: Any) -> bool:
        """Return whether no callback of the group runs."""
        return self._active is None

    def beginning_execution(self, entity: Any) -> bool:
        """Claim the group."""
        with self._lock:
            if self._active is not None:
                return False
            self._active = entity
            return True

    def ending_execution(self, entity: Any) -> None:
        """Free the group."""
        with self._lock:
            self._active = None
