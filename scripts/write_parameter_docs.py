#!/usr/bin/env python3
"""Writes docs/parameters.md and config/hand3r.yaml from the declarations of the parameters; a test compares them."""

from __future__ import annotations

import textwrap
from pathlib import Path

from hand3r_ros.node.parameter_fields import Changes, ParameterSpec, Value, specs_of
from hand3r_ros.node.parameters import NodeParameters

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / 'docs' / 'parameters.md'
FILE = ROOT / 'config' / 'hand3r.yaml'
WHEN = {Changes.NEVER: 'at start', Changes.UNCONFIGURED: 'while unconfigured', Changes.ANY_TIME: 'any time'}
HEAD = """# Parameters of the node `hand3r`

Written by `scripts/write_parameter_docs.py` from `hand3r_ros/node/parameters.py` and, for what stands for a setting of
the reconstruction, `hand3r_ros/online/config.py`. The same texts and ranges come with `ros2 param describe /hand3r
NAME`. A value outside its range is refused with the reason, the old one stays.

| parameter | default | range | changes | meaning |
|---|---|---|---|---|
"""
FILE_HEAD = """\
# Parameters of the hand3r node with their defaults, written by scripts/write_parameter_docs.py.
# "(configure)": can be changed only while the node is unconfigured.
/**:
  ros__parameters:
"""
MARKS = {Changes.NEVER: ' (read only)', Changes.UNCONFIGURED: ' (configure)', Changes.ANY_TIME: ''}
TAIL = """
## Quality of service

Read-only parameters, set when the node is started, as ROS 2 defines them:
`qos_overrides.<topic>.subscription.<policy>` for the image, `camera_info` and `detections`, and
`qos_overrides.<topic>.publisher.<policy>` for `~/hands`, `~/points` and `~/map`. `<topic>` is the full name after
remapping, such as `/camera/image_raw` or `/hand3r/points`. `<policy>` is `reliability` (`reliable`, `best_effort`),
`depth` (a number from 1) or `history` (`keep_last`, `keep_all`). With the default kernel buffers, best-effort images of
more than some 100 kB are lost between processes: make the publisher and this subscription reliable.
"""


def row(spec: ParameterSpec) -> str:
    """One line of the table."""
    default = list(spec.default) if isinstance(spec.default, tuple) else spec.default
    text = spec.description.replace('|', '\\|')
    return f'| `{spec.name}` | `{default!r}` | {spec.allowed} | {WHEN[spec.changes]} | {text} |'


def document() -> str:
    """The whole page."""
    return HEAD + '\n'.join(row(spec) for spec in specs_of(NodeParameters)) + '\n' + TAIL


def parameter_file() -> str:
    """All parameters with their defaults, as a YAML file for ROS, each below its description."""
    lines, group = [FILE_HEAD], ''
    for spec in specs_of(NodeParameters):
        prefix, _, name = spec.name.rpartition('.')
        if prefix != group:
            group = prefix
            lines.append(f'    {group}:\n')
        indent = ' ' * (6 if group else 4)
        comment = f'{spec.explanation}{MARKS[spec.changes]}'
        lines.append(textwrap.fill(comment, 116, initial_indent=f'{indent}# ', subsequent_indent=f'{indent}# ') + '\n')
        lines.append(f'{indent}{name}: {yaml_text(spec.default)}\n')
    return ''.join(lines)


def yaml_text(value: Value) -> str:
    """A value as YAML that every parser of ROS reads as the same type."""
    if isinstance(value, bool):
        return 'true' if value else 'false'
    if isinstance(value, tuple):
        return f'[{", ".join(yaml_text(item) for item in value)}]'
    return repr(value)


if __name__ == '__main__':
    PAGE.write_text(document())
    FILE.write_text(parameter_file())
