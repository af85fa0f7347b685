#!/usr/bin/env python3
"""Writes docs/parameters.md from the declarations in hand3r_ros/node/parameters.py (a test keeps the two equal)."""

from __future__ import annotations

from pathlib import Path

from hand3r_ros.node.parameter_fields import Changes, ParameterSpec, specs_of
from hand3r_ros.node.parameters import NodeParameters

TARGET = Path(__file__).resolve().parents[1] / 'docs' / 'parameters.md'
WHEN = {Changes.NEVER: 'at start', Changes.UNCONFIGURED: 'while unconfigured', Changes.ANY_TIME: 'any time'}
HEAD = """# Parameters of the node `hand3r`

Written by `scripts/write_parameter_docs.py` from `hand3r_ros/node/parameters.py`. The same texts and ranges come with
`ros2 param describe /hand3r NAME`. A value outside its range is refused with the reason, the old one stays.

| parameter | default | range | changes | meaning |
|---|---|---|---|---|
"""
TAIL = """
## Quality of service

Read-only parameters, set when the node is started, as ROS 2 defines them:
`qos_overrides.<topic>.subscription.<policy>` for the image, `camera_info` and `detections`, and
`qos_overrides.<topic>.publisher.<policy>` for `~/hands`, `~/points` and `~/map`. `<topic>` is the full name after
remapping, such as `/camera/image_raw` or `/hand3r/points`. `<policy>` is `reliability` (`reliable`, `best_effort`),
`depth` (a number from 1) or `history` (`keep_last`, `keep_all`). With the default kernel buffers, best-effort images of
more than some 100 kB are lost between processes: make the publisher and this subscription reliable.
"""


def allowed(spec: ParameterSpec) -> str:
    """Range or choices as text."""
    if spec.choices:
        return ', '.join(spec.choices)
    if spec.minimum is None and spec.maximum is None:
        return ''
    return f'{spec.minimum:g} to {spec.maximum:g}'


def row(spec: ParameterSpec) -> str:
    """One line of the table."""
    default = list(spec.default) if isinstance(spec.default, tuple) else spec.default
    text = spec.description.replace('|', '\\|')
    return f'| `{spec.name}` | `{default!r}` | {allowed(spec)} | {WHEN[spec.changes]} | {text} |'


def document() -> str:
    """The whole page."""
    return HEAD + '\n'.join(row(spec) for spec in specs_of(NodeParameters)) + '\n' + TAIL


if __name__ == '__main__':
    TARGET.write_text(document())
