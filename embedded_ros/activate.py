"""Makes `import rclpy` and the command `ros2` work in the virtual environment of the interpreter that runs this file.

Use: `.venv/bin/python embedded_ros/activate.py` (undo with `--remove`). It writes one `.pth` file into site-packages,
which installs the import finder at start-up, and the script `ros2`. Nothing named rclpy is put into site-packages;
where a real ROS 2 is sourced the finder stays silent.
"""

import argparse
import stat
import sys
import sysconfig
from pathlib import Path

HERE = Path(__file__).resolve().parent
PTH_NAME = 'hand3r_embedded_ros.pth'
# Guarded: a moved or deleted folder must not make every start of Python complain.
START_UP = "import importlib.util as u; u.find_spec('embedded_ros') and __import__('embedded_ros').install()"
MARK = '# Written by embedded_ros/activate.py'


def pth_path() -> Path:
    """Return where the start-up file of this interpreter goes."""
    return Path(sysconfig.get_path('purelib')) / PTH_NAME


def script_path() -> Path:
    """Return where the command `ros2` of this interpreter goes."""
    return Path(sysconfig.get_path('scripts')) / 'ros2'


def activate() -> None:
    """Write the start-up file and the command."""
    pth_path().write_text(f'{HERE}\n{START_UP}\n', encoding='utf-8')
    script = script_path()
    if script.exists() and MARK not in script.read_text(encoding='utf-8'):
        raise SystemExit(f'{script} exists and was not written by this tool; remove it first')
    text = f'#!/bin/sh\n{MARK}: the subset of the ros2 command for the embedded ROS subset.\n'
    script.write_text(text + f'exec "{sys.executable}" -m embedded_ros.cli "$@"\n', encoding='utf-8')
    script.chmod(script.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    print(f'embedded_ros is active for {sys.executable}')


def remove() -> None:
    """Delete what `activate` wrote."""
    pth_path().unlink(missing_ok=True)
    script = script_path()
    if script.exists() and MARK in script.read_text(encoding='utf-8'):
        script.unlink()
    print(f'embedded_ros is no longer active for {sys.executable}')


def main() -> None:
    """Command line entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--remove', action='store_true', help='undo the activation')
    arguments = parser.parse_args()
    if sys.prefix == sys.base_prefix:
        raise SystemExit('This changes site-packages: run it with the python of a virtual environment.')
    if arguments.remove:
        remove()
    else:
        activate()


if __name__ == '__main__':
    main()
