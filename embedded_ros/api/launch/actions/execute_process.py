"""Starts a process, shows its output and ends it with the launch."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import logging
from ..absent import refuse_options
from ..event_handlers import EventHandler, Reaction, react
from ..events import Event, Shutdown
from ..events.process import ProcessExited, ProcessIO, ProcessStarted
from ..launch_description import Action, LaunchDescriptionEntity
from ..substitutions import SomeSubstitutionsType, perform
from .child import Child, OutputLines, output_targets

if TYPE_CHECKING:
    from ..launch_context import LaunchContext, Timer


class ExecuteProcess(Action):
    """Runs a command; each line it writes is shown as ``[name-number] line``.

    Shutdown sends SIGINT, after `sigterm_timeout` seconds SIGTERM, after `sigkill_timeout` more SIGKILL. Signals go
    to the whole group of the process, so that what it started itself ends too.
    """

    def __init__(
        self,
        *,
        cmd: Iterable[SomeSubstitutionsType],
        name: SomeSubstitutionsType | None = None,
        cwd: SomeSubstitutionsType | None = None,
        env: Mapping[SomeSubstitutionsType, SomeSubstitutionsType] | None = None,
        additional_env: Mapping[SomeSubstitutionsType, SomeSubstitutionsType] | None = None,
        sigterm_timeout: SomeSubstitutionsType | float = 5.0,
        sigkill_timeout: SomeSubstitutionsType | float = 5.0,
        emulate_tty: bool = False,
        output: SomeSubstitutionsType | Mapping[str, Any] = 'log',
        on_exit: Reaction = None,
        condition: Any = None,
        **options: Any,
    ) -> None:
        refuse_options(f'launch.actions.{type(self).__name__}', options)
        super().__init__(condition=condition)
        self._command = list(cmd)
        self._name = name
        self._cwd = cwd
        self._env = env
        self._additional_env = additional_env
        self._timeouts = (sigterm_timeout, sigkill_timeout)
        self._emulate_tty = emulate_tty
        self._output = output
        self._on_exit = on_exit
        self._child: Child | None = None
        self._lines: OutputLines | None = None
        self._escalation: Timer | None = None
        self.process_details: dict[str, Any] | None = None  # name, cmd, cwd, env, pid of the running process

    def execute(self, context: LaunchContext) -> list[LaunchDescriptionEntity] | None:
        """Start the process, unless the launch is ending."""
        if context.is_shutdown:
            return None
        context.register_event_handler(EventHandler(matcher=self._concerns_me, entities=self._handle))
        self._start(context)
        return None

    # What the command is; launch_ros.actions.Node adds to it.

    def command(self, context: LaunchContext) -> list[str]:
        """Return the words of the command."""
        return [perform(context, word) for word in self._command]

    def process_environment(self, context: LaunchContext) -> dict[str, str]:
        """Return the environment of the process."""
        base = context.environment if self._env is None else self._performed(context, self._env)
        return {**base, **self._performed(context, self._additional_env or {})}

    @staticmethod
    def _performed(context: LaunchContext, variables: Mapping[Any, Any]) -> dict[str, str]:
        return {perform(context, name): perform(context, value) for name, value in variables.items()}

    def _start(self, context: LaunchContext) -> None:
        command = self.command(context)
        base = perform(context, self._name) if self._name else Path(command[0]).name
        name = f'{base}-{context.next_process_number()}'
        cwd = perform(context, self._cwd) if self._cwd else None
        environment = self.process_environment(context)
        output = output_targets(self._output, context)
        child = Child(command, cwd, environment, self._emulate_tty)
        self._child, self._lines = child, OutputLines(name, output)
        self.process_details = {'name': name, 'cmd': command, 'cwd': cwd, 'env': environment, 'pid': child.pid}
        context.running.add(self)
        logging.get_logger(name).info('process started with pid [%d]', child.pid)
        child.watch(context, self)
        context.emit_event(ProcessStarted(action=self, **self.process_details))

    # What happens to it.

    def _concerns_me(self, event: Event) -> bool:
        if isinstance(event, Shutdown):
            return True
        return isinstance(event, (ProcessIO, ProcessExited)) and event.action is self

    def _handle(self, event: Event, context: LaunchContext) -> list[LaunchDescriptionEntity] | None:
        if isinstance(event, ProcessIO) and self._lines:
            self._lines.add(event)
        elif isinstance(event, ProcessExited):
            return self._ended(event, context)
        elif isinstance(event, Shutdown):
            self._shut_down(context)
        return None

    def _signal(self, number: signal.Signals) -> None:
        if self._child is not None and self.process_details is not None:
            name = self.process_details['name']
            logging.get_logger(name).info("sending signal '%s' to process[%s]", number.name, name)
            self._child.send_signal(number)

    def _shut_down(self, context: LaunchContext) -> None:
        """End the process; an ending one is left to its escalation."""
        if self._child is None:
            context.running.discard(self)
            return
        if self._escalation is not None:
            return
        to_term, to_kill = (
            float(value) if isinstance(value, (int, float)) else float(perform(context, value))
            for value in self._timeouts
        )

        def terminate() -> None:
            self._signal(signal.SIGTERM)
            self._escalation = context.call_later(to_kill, kill)

        def kill() -> None:
            self._signal(signal.SIGKILL)

        self._signal(signal.SIGINT)
        self._escalation = context.call_later(to_term, terminate)

    def _ended(self, event: ProcessExited, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        assert self._lines is not None and self._child is not None
        self._lines.finish()
        if self._escalation is not None:
            self._escalation.cancel()
            self._child.end_group()
        self._escalation, self._child = None, None
        logger = logging.get_logger(event.process_name)
        if event.returncode == 0:
            logger.info('process has finished cleanly [pid %d]', event.pid)
        else:
            text = 'process has died [pid %d, exit code %d, cmd %r].'
            logger.error(text, event.pid, event.returncode, shlex.join(event.cmd))
        context.running.discard(self)
        return react(self._on_exit, event, context)
