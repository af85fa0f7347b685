"""The operating system's side of a process: starting, reading, signalling, and showing what it writes."""

from __future__ import annotations

import codecs
import contextlib
import os
import pty
import signal
import subprocess
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .. import logging
from ..events.process import ProcessExited, ProcessIO, ProcessStderr, ProcessStdout
from ..substitutions import perform

if TYPE_CHECKING:
    from ..launch_context import LaunchContext

OUTPUT_CHOICES: dict[str, dict[int, frozenset[str]]] = {
    'screen': {1: frozenset({'screen'}), 2: frozenset({'screen'})},
    'log': {1: frozenset({'log'}), 2: frozenset({'log', 'screen'})},
    'both': {1: frozenset({'log', 'screen'}), 2: frozenset({'log', 'screen'})},
}
SECONDS_FOR_LAST_OUTPUT = 0.5


def output_targets(output: Any, context: LaunchContext) -> dict[int, frozenset[str]]:
    """Return, for descriptors 1 and 2, where their lines go: 'screen', 'log', both or none.

    Raises:
        NotImplementedError: for a choice that this subset has not.
    """
    forced = context.environment.get('OVERRIDE_LAUNCH_PROCESS_OUTPUT')
    if isinstance(output, Mapping) and not forced:
        streams = {1: output.get('stdout', ''), 2: output.get('stderr', '')}
        return {fd: frozenset() if not word else output_targets(word, context)[fd] for fd, word in streams.items()}
    word = forced or perform(context, output)
    if word not in OUTPUT_CHOICES:
        raise NotImplementedError(f"output='{word}' is not part of embedded_ros (screen, log and both are)")
    return OUTPUT_CHOICES[word]


class Child:
    """A process in a group of its own, and threads that report its output and its end to the launch."""

    def __init__(self, command: list[str], cwd: str | None, environment: Mapping[str, str], emulate_tty: bool) -> None:
        self._terminal: int | None = None
        write_end = subprocess.PIPE
        if emulate_tty:
            self._terminal, write_end = pty.openpty()
        try:
            self._process = subprocess.Popen(
                command,
                cwd=cwd,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=write_end,
                stderr=write_end,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            missing = cwd if cwd and not os.path.isdir(cwd) else command[0]  # noqa: PTH112
            raise FileNotFoundError(f"cannot start {command[0]!r}: '{missing}' does not exist") from error
        finally:
            if self._terminal is not None:
                os.close(write_end)

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its group."""
        return self._process.pid

    def send_signal(self, number: signal.Signals) -> None:
        """Signal the process and everything in its group; an ended one is left alone."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def end_group(self) -> None:
        """Ask what the ended process left behind in its group to end as well."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGTERM)

    def watch(self, context: LaunchContext, action: Any) -> None:
        """Start reporting output and end."""
        details = dict(action.process_details)
        if self._terminal is not None:
            streams = {1: self._terminal}
        else:
            assert self._process.stdout and self._process.stderr
            streams = {1: self._process.stdout.fileno(), 2: self._process.stderr.fileno()}

        def read(fd: int, descriptor: int) -> None:
            event: type[ProcessIO] = ProcessStdout if fd == 1 else ProcessStderr
            # A closed terminal reads as an error instead of the end.
            with contextlib.suppress(OSError):
                while chunk := os.read(descriptor, 65536):
                    context.emit_event(event(text=chunk, fd=fd, action=action, **details))

        def wait(readers: list[threading.Thread]) -> None:
            returncode = self._process.wait()
            # A grandchild may hold the pipe open for ever: do not wait for its end.
            for reader in readers:
                reader.join(SECONDS_FOR_LAST_OUTPUT)
            if not any(reader.is_alive() for reader in readers):
                self._close()
            context.emit_event(ProcessExited(returncode=returncode, action=action, **details))

        readers = [threading.Thread(target=read, args=item, daemon=True) for item in streams.items()]
        for reader in readers:
            reader.start()
        threading.Thread(target=wait, args=(readers,), daemon=True).start()

    def _close(self) -> None:
        if self._terminal is not None:
            os.close(self._terminal)
        for stream in (self._process.stdout, self._process.stderr):
            if stream:
                stream.close()


class OutputLines:
    """Splits what a process writes into lines and shows each with the name of the process."""

    def __init__(self, name: str, targets: Mapping[int, frozenset[str]]) -> None:
        self._prefix = f'[{name}] '
        self._targets = targets
        self._decoders = {fd: codecs.getincrementaldecoder('utf-8')('replace') for fd in targets}
        self._unfinished = dict.fromkeys(targets, '')

    def add(self, event: ProcessIO) -> None:
        """Show the lines that became complete."""
        text = self._unfinished[event.fd] + self._decoders[event.fd].decode(event.text)
        *lines, self._unfinished[event.fd] = text.split('\n')
        for line in lines:
            self._show(event.fd, line.rstrip('\r'))

    def finish(self) -> None:
        """Show what is left without an end of line."""
        for fd, rest in self._unfinished.items():
            if rest:
                self._show(fd, rest)
            self._unfinished[fd] = ''

    def _show(self, fd: int, line: str) -> None:
        if 'screen' in self._targets[fd]:
            logging.write_to_screen(f'{self._prefix}{line}\n')
        if 'log' in self._targets[fd]:
            logging.write_to_file(f'{self._prefix}{line}\n')
