"""``ros2 interface show``."""

from __future__ import annotations

import re
from typing import Any

from .errors import CommandError


def add_commands(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser('interface', help='Show information about ROS interfaces')
    verbs = parser.add_subparsers(metavar='VERB', required=True)
    verb = verbs.add_parser('show', help='Output the interface definition')
    verb.add_argument('type', help='such as sensor_msgs/msg/Image')
    verb.set_defaults(run=run_show)
    verb = verbs.add_parser('list', help='List all interface types available')
    verb.set_defaults(run=run_list)


def run_show(options: Any) -> int:
    """Print a definition, with those of its fields indented below them."""
    from embedded_ros.messages.store import message_store

    names = message_store().fielddefs
    if f'{options.type}_Request' in names:
        halves = [_lines(f'{options.type}_{half}', 0) for half in ('Request', 'Response')]
        print('\n'.join([*halves[0], '---', *halves[1]]))
        return 0
    if options.type not in names:
        raise CommandError(f"Unknown interface '{options.type}'")
    print('\n'.join(_lines(options.type, 0)))
    return 0


def _source_text(type_name: str) -> str:
    """Return the definition as written, comments too, where its file is here; else a generated one."""
    from embedded_ros.messages import sources
    from embedded_ros.messages.store import message_store

    package, kind, name = type_name.split('/')
    folder = sources.source_folders().get(package) or sources.bundled_folder(package)
    stem, _, half = name.partition('_')
    path = folder / kind / f'{stem}.{kind}' if folder else None
    if path is None or not path.is_file():
        return message_store().generate_msgdef(type_name, ros_version=2)[0].split('=' * 80)[0]
    text = path.read_text(encoding='utf-8')
    return text.split('\n---')[half == 'Response'].strip('\n') if half else text


def _lines(type_name: str, depth: int) -> list[str]:
    from embedded_ros.messages.store import message_store

    package = type_name.split('/')[0]
    lines = []
    for line in _source_text(type_name).rstrip('\n').split('\n'):
        lines.append('\t' * depth + line)
        field = re.match(r'([A-Za-z]\w*(?:/\w+)*)(?:\[[^\]]*\])?\s+\w+', line)
        parts = field.group(1).split('/') if field else ['']
        nested = f'{parts[0] if len(parts) > 1 else package}/msg/{parts[-1]}'
        if nested in message_store().fielddefs:
            lines += _lines(nested, depth + 1)
    return lines


def run_list(options: Any) -> int:
    """Print the names of all messages and services."""
    from embedded_ros.messages.store import message_store

    names = message_store().fielddefs
    for title, kind in (('Messages:', '/msg/'), ('Services:', '/srv/')):
        print(title)
        for name in sorted({re.sub('_(Request|Response)$', '', name) for name in names if kind in name}):
            print(f'    {name}')
    return 0
