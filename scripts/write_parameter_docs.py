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
    return HEAD + '\n'.join(row(spec) for spec in specs_of(NodeParameters)) + '\n'


if __name__ == '__main__':
    TARGET.write_text(document())
