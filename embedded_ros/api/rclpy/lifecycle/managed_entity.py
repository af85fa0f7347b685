"""What follows the state of a lifecycle node: managed entities, and publishers among them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from rclpy.lifecycle._state_machine import LifecycleState, TransitionCallbackReturn
from rclpy.publisher import Publisher


class ManagedEntity:
    """Gets the transition callbacks of its node; does nothing by default."""

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Handle the transition configure."""
        return TransitionCallbackReturn.SUCCESS

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Handle the transition cleanup."""
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Handle the transition shutdown."""
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Handle the transition activate."""
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Handle the transition deactivate."""
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Handle an error of another transition."""
        return TransitionCallbackReturn.SUCCESS


class SimpleManagedEntity(ManagedEntity):
    """Enabled while the node is active."""

    def __init__(self) -> None:
        self._enabled = False

    @property
    def is_activated(self) -> bool:
        """Whether the entity is enabled."""
        return self._enabled

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Enable."""
        self._enabled = True
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Disable."""
        self._enabled = False
        return TransitionCallbackReturn.SUCCESS

    @staticmethod
    def when_enabled(
        wrapped: Callable[..., Any] | None = None, *, when_not_enabled: Callable[..., Any] | None = None
    ) -> Any:
        """Decorate a method so that it runs while enabled only; otherwise `when_not_enabled` is called."""

        def decorate(method: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(method)
            def guarded(self: SimpleManagedEntity, *args: Any, **kwargs: Any) -> Any:
                if self._enabled:
                    return method(self, *args, **kwargs)
                return when_not_enabled(self, *args, **kwargs) if when_not_enabled is not None else None

            return guarded

        return decorate if wrapped is None else decorate(wrapped)


class LifecyclePublisher(SimpleManagedEntity, Publisher):
    """Publishes while its node is active; other messages are dropped silently."""

    def __init__(self, *args: Any, **kwargs: Any):
        SimpleManagedEntity.__init__(self)
        Publisher.__init__(self, *args, **kwargs)

    @SimpleManagedEntity.when_enabled
    def publish(self, msg: Any) -> None:
        """Publish a message while active."""
        Publisher.publish(self, msg)
