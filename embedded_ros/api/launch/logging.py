"""What a launch writes: to standard output, and to ``launch.log`` in a folder of its own.

The folder lies in $ROS_LOG_DIR, else in $ROS_HOME/log, else in ~/.ros/log.
"""

import logging
import os
import socket
import sys
import tempfile
from datetime import datetime
from pathlib import Path

SCREEN_FORMAT = '[%(levelname)s] [%(name)s]: %(message)s'
FILE_FORMAT = '%(created).7f [%(levelname)s] [%(name)s]: %(message)s'

_loggers: dict[str, logging.Logger] = {}


class _Screen(logging.Handler):
    """Writes to whatever sys.stdout is at that moment, so that redirected output is followed."""

    def emit(self, record: logging.LogRecord) -> None:
        write_to_screen(self.format(record) + '\n')


_screen = _Screen()
_screen.setFormatter(logging.Formatter(SCREEN_FORMAT))
_file: logging.FileHandler | None = None


def get_logger(name: str = 'launch') -> logging.Logger:
    """Return the logger with this name; it writes to the screen and, while a launch runs, to its file."""
    if name not in _loggers:
        logger = logging.Logger(name, logging.INFO)
        logger.addHandler(_screen)
        if _file:
            logger.addHandler(_file)
        _loggers[name] = logger
    return _loggers[name]


def open_log_file() -> Path:
    """Start a new log folder with a ``launch.log`` in it and return the folder.

    Where the place for logs cannot be written, it becomes a temporary folder.
    """
    global _file
    close_log_file()
    base = os.environ.get('ROS_LOG_DIR')
    root = Path(base) if base else Path(os.environ.get('ROS_HOME') or '~/.ros') / 'log'
    started = datetime.now().strftime('%Y-%m-%d-%H-%M-%S-%f')
    name = f'{started}-{socket.gethostname()}-{os.getpid()}'
    folder = root.expanduser() / name
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        folder = Path(tempfile.mkdtemp(prefix='ros_log_'))
        get_logger().warning('cannot write logs to %s: %s', root, error)
    _file = logging.FileHandler(folder / 'launch.log', encoding='utf-8')
    _file.setFormatter(logging.Formatter(FILE_FORMAT))
    for logger in _loggers.values():
        logger.addHandler(_file)
    return folder


def close_log_file() -> None:
    """Stop writing to the current log file."""
    global _file
    if _file is None:
        return
    for logger in _loggers.values():
        logger.removeHandler(_file)
    _file.close()
    _file = None


def write_to_screen(text: str) -> None:
    """Write text to standard output at once; a reader that went away is no reason to leave processes behind."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except (BrokenPipeError, ValueError):
        pass


def write_to_file(text: str) -> None:
    """Write text to the log file, if one is open."""
    if _file is not None and _file.stream is not None:
        _file.stream.write(text)
        _file.stream.flush()
