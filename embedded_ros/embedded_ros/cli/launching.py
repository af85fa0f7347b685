"""``ros2 launch`` and ``ros2 run``."""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path
from typing import Any

from .errors import CommandError


def add_commands(commands: Any) -> None:
    """Add both commands."""
    launch = commands.add_parser('launch', help='Run a launch file', description='Run a launch file')
    launch.add_argument('package_name', help='package of the launch file, or the path of a launch file')
    launch.add_argument('launch_file_name', nargs='?', help='name of the launch file in the package')
    launch.add_argument('launch_arguments', nargs='*', help="arguments of the launch file, '<name>:=<value>'")
    launch.add_argument(
        '-s', '--show-args', '--show-arguments', action='store_true', help='show the arguments and exit'
    )
    launch.add_argument('-d', '--debug', action='store_true', help='show tracebacks')
    launch.add_argument('-n', '--noninteractive', action='store_true', help='run without a terminal')
    launch.add_argument(
        '-a', '--show-all-subprocesses-output', action='store_true', help="show all output of all processes ('both')"
    )
    launch.set_defaults(run=run_launch)
    run = commands.add_parser('run', help='Run an executable of a package', description='Run an executable')
    run.add_argument('--prefix', help='command to put before the executable, such as gdb --args')
    run.add_argument('package_name')
    run.add_argument('executable_name')
    run.add_argument('argv', nargs=argparse.REMAINDER, help='arguments of the executable (--ros-args ...)')
    run.set_defaults(run=run_executable)


def run_launch(options: Any) -> int:
    """Run a launch file or show its arguments."""
    from launch import LaunchDescription, LaunchService
    from launch.actions import IncludeLaunchDescription
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    path, words = _find_launch_file(options)
    arguments = _parse_arguments(words)
    if options.show_args:
        print(_describe_arguments(path))
        return 0
    if options.show_all_subprocesses_output:
        os.environ['OVERRIDE_LAUNCH_PROCESS_OUTPUT'] = 'both'
    service = LaunchService(argv=words, noninteractive=options.noninteractive, debug=options.debug)
    source = PythonLaunchDescriptionSource(path)
    include = IncludeLaunchDescription(source, launch_arguments=arguments)
    service.include_launch_description(LaunchDescription([include]))
    return service.run()


def _find_launch_file(options: Any) -> tuple[str, list[str]]:
    """Return the path of the launch file and the words after it."""
    words = list(options.launch_arguments)
    if Path(options.package_name).is_file():
        first = [options.launch_file_name] if options.launch_file_name else []
        return options.package_name, first + words
    if options.launch_file_name is None or ':=' in options.launch_file_name:
        raise CommandError(f"'{options.package_name}' is no file; a package needs the name of a launch file after it")
    return _launch_file_of_package(options.package_name, options.launch_file_name), words


def _launch_file_of_package(package: str, file_name: str) -> str:
    from ament_index_python.packages import PackageNotFoundError, get_package_share_path

    try:
        share = get_package_share_path(package)
    except PackageNotFoundError as error:
        raise CommandError(str(error)) from error
    found = [share / file_name] if (share / file_name).is_file() else sorted((share / 'launch').rglob(file_name))
    if not found:
        have = ', '.join(path.name for path in sorted((share / 'launch').rglob('*.launch.py'))) or 'none'
        raise CommandError(
            f"file '{file_name}' was not found in the share directory of package '{package}' (has: {have})"
        )
    return str(found[0])


def _parse_arguments(words: list[str]) -> list[tuple[str, str]]:
    """Return (name, value) pairs; the last value of a name wins."""
    arguments = {}
    for word in words:
        name, separator, value = word.partition(':=')
        if not separator or not name:
            raise CommandError(f"malformed launch argument '{word}', expected format '<name>:=<value>'")
        arguments[name] = value
    return list(arguments.items())


def _describe_arguments(path: str) -> str:
    from launch.launch_description_sources import get_launch_description_from_python_launch_file
    from launch.substitutions import describe

    arguments = get_launch_description_from_python_launch_file(path).get_launch_arguments()
    lines = ["Arguments (pass arguments as '<name>:=<value>'):"]
    for argument in arguments:
        text = argument.description
        if argument.choices is not None:
            text += f'. Valid choices are: {argument.choices}'
        lines += ['', f"    '{argument.name}':", f'        {text}']
        if argument.default_value is not None:
            lines.append(f'        (default: {describe(argument.default_value)})')
    return '\n'.join(lines if arguments else [*lines, '', '  No arguments.'])


def run_executable(options: Any) -> int:
    """Replace this process by the executable, so that signals and exit code are its own."""
    from ament_index_python.packages import PackageNotFoundError
    from launch_ros.substitutions import find_executable

    try:
        path = find_executable(options.package_name, options.executable_name)
    except (PackageNotFoundError, FileNotFoundError) as error:
        raise CommandError(str(error)) from error
    command = [*shlex.split(options.prefix or ''), path, *options.argv]
    os.execvp(command[0], command)
