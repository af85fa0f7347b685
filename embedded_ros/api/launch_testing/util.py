"""Helpers for test descriptions."""

import sys

from launch.actions import ExecuteProcess

# Ends with exit code 0 when the launch ends it.
PROGRAM = 'import signal, sys; signal.signal(signal.SIGINT, lambda *_: sys.exit(0)); signal.pause()'


class KeepAliveProc(ExecuteProcess):
    """A process that does nothing, to keep a launch alive whose own processes end by themselves."""

    def __init__(self) -> None:
        super().__init__(cmd=[sys.executable, '-c', PROGRAM], name='keep_alive')
