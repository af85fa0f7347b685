"""A WaitSet over changing read conditions that another thread can wake."""

import ctypes
from collections.abc import Iterable

from cyclonedds.core import DDSException, Entity, GuardCondition, WaitSet
from cyclonedds.domain import DomainParticipant

from embedded_ros.dds.transport import delete

NANOSECONDS = 1_000_000_000


class ConditionSet:
    """Waits until one of the conditions triggers or `wake` is called. Used by one waiting thread at a time."""

    def __init__(self, participant: DomainParticipant):
        self._wait_set = WaitSet(participant)
        self._wake = GuardCondition(participant)
        self._attached: dict[int, Entity] = {}
        self._attach(self._wake)

    def _attach(self, entity: Entity) -> None:
        code = self._wait_set._waitset_attach(self._wait_set._ref, entity._ref, ctypes.byref(ctypes.c_int()))
        if code < 0:
            raise DDSException(code, 'while attaching a condition')

    def update(self, conditions: Iterable[Entity]) -> None:
        """Wait for exactly these conditions from now on."""
        wanted = {condition._ref: condition for condition in conditions}
        if wanted.keys() == self._attached.keys():
            return
        for reference in self._attached.keys() - wanted.keys():
            # The code is ignored: a deleted condition has detached itself.
            self._wait_set._waitset_detach(self._wait_set._ref, reference)
            del self._attached[reference]
        for reference in wanted.keys() - self._attached.keys():
            self._attach(wanted[reference])
            self._attached[reference] = wanted[reference]

    def wake(self) -> None:
        """Let the current or next `wait` return at once."""
        self._wake._set_guardcondition(self._wake._ref, True)

    def clear_wake(self) -> None:
        """Forget earlier calls of `wake`."""
        self._wake._set_guardcondition(self._wake._ref, False)

    def wait(self, timeout: float) -> None:
        """Block for at most `timeout` seconds."""
        self._wait_set.wait(max(0, int(timeout * NANOSECONDS)))

    def close(self) -> None:
        """Delete the DDS entities."""
        delete(self._wait_set)
        delete(self._wake)
