"""Ctrl-C in the middle of scripts/demo, in a real terminal: it says so, sums up, and leaves a readable recording."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import sys
import time
from pathlib import Path

import pytest
from ros_domain import private_domain
from rosbags.highlevel import AnyReader
from untrained import save_untrained_network

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300.0  # s; generous, because nothing here is about speed
PROGRESS = re.compile(rb'images, ([5-9]|\d{2,}) processed')
"""Not the first image already: its hands may be on their way to a recorder that has only just found the topic."""


class Terminal:
    """A command in a session and terminal of its own."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.output = b''
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a job in the background was started with it ignored
            os.execvpe(command[0], command, environment)

    def read_until(self, pattern: re.Pattern[bytes] | None) -> None:
        """Read until a pattern appears; None: until the command closes the terminal."""
        deadline = time.monotonic() + PATIENCE
        while pattern is None or not pattern.search(self.output):
            assert time.monotonic() < deadline, f'waited {PATIENCE:g} s; output:\n{self.output.decode()[-3000:]}'
            if not select.select([self._terminal], [], [], 1.0)[0]:
                continue
            try:
                data = os.read(self._terminal, 65536)
            except OSError:  # Linux tells the end of a terminal like this
                data = b''
            if not data:
                assert pattern is None, f'the command ended early; output:\n{self.output.decode()[-3000:]}'
                return
            self.output += data

    def press_control_c(self) -> None:
        """What the key does: SIGINT for everything in the foreground."""
        os.write(self._terminal, b'\x03')

    def exit_code(self) -> int:
        """Wait for the end."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def left_over(self) -> list[str]:
        """Command lines of the processes of this session that still run."""
        found = []
        for folder in Path('/proc').glob('[0-9]*'):
            try:
                fields = (folder / 'stat').read_text().rpartition(')')[2].split()
                command = (folder / 'cmdline').read_bytes().replace(b'\0', b' ').decode()
            except OSError:  # gone meanwhile
                continue
            if int(fields[3]) == self.pid and fields[0] != 'Z':
                found.append(command)
        return found


@pytest.mark.skipif(Path(sys.prefix) != ROOT / '.venv', reason='scripts/demo would set up its own environment first')
def test_control_c_ends_the_demo_in_order(tmp_path: Path) -> None:
    output = tmp_path / 'run'
    arguments = ['--seconds', '120', 'fps:=4', 'width:=320', 'height:=240', 'scene_hands:=right']
    weights = save_untrained_network(tmp_path / 'weights')
    command = [str(ROOT / 'scripts' / 'demo'), *arguments, f'output_dir:={output}', f'weights_dir:={weights}']
    environment = {**os.environ, 'ROS_DOMAIN_ID': str(private_domain()), 'OMP_NUM_THREADS': '1'}
    demo = Terminal(command, environment)
    demo.read_until(PROGRESS)
    demo.press_control_c()
    demo.read_until(None)
    text = demo.output.decode(errors='replace')
    assert demo.exit_code() == 130, text[-3000:]
    assert [line.strip() for line in text.splitlines()].count('ended by Ctrl-C') == 1
    assert 'Traceback' not in text, text
    assert not re.search(r'process has died|escalating', text), text
    assert (output / 'summary.txt').read_text().strip() in text.replace('\r\n', '\n')
    with AnyReader([output / 'recording']) as reader:
        counts = {connection.topic: connection.msgcount for connection in reader.connections}
        assert counts['/image/compressed'] > 0 and counts['/hand3r/hands'] > 0
        assert sum(1 for _ in reader.messages()) == reader.message_count
    assert demo.left_over() == []
