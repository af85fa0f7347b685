"""Numbers as a table that fits a terminal and a model card (Markdown)."""

from __future__ import annotations

from collections.abc import Mapping

from hand3r_ros.evaluation.ablations import NOT_MEASURED

COLUMNS = (
    'PA-MPJPE mm',
    'MPJPE mm',
    'C-MPJPE mm',
    'AUC (PA)',
    'W-MPJPE mm',
    'WA-MPJPE mm',
    'depth AbsRel',
    'depth delta1',
    'camera ATE cm',
    'camera rotation deg',
)
OPTIONAL_COLUMNS = ('W-MPJPE 100 mm', 'WA-MPJPE 100 mm', 'jitter m/s2', 'hands')
"""Shown where any row has them."""
FEW_DIGITS = {'AUC (PA)', 'depth AbsRel', 'depth delta1'}
WHOLE = {'hands'}


def format_report(numbers: Mapping[str, Mapping[str, float]], sequences: int, frames: int) -> str:
    """Markdown table, one row per method; a dash where a method says nothing about a number."""
    hands = int(numbers.get('ours', {}).get('hands', 0))
    return '\n'.join(
        [
            f'Rendered test set: {sequences} sequences of {frames} frames, {hands} hands, boxes given, '
            'intrinsics known.',
            '',
            format_rows(numbers),
        ]
    )


def format_rows(numbers: Mapping[str, Mapping[str, float]]) -> str:
    """The table alone, with a note on ablations where there are any."""
    columns = [*COLUMNS, *(c for c in OPTIONAL_COLUMNS if any(c in row for row in numbers.values()))]
    lines = ['| | ' + ' | '.join(columns) + ' |', '|---|' + '---|' * len(columns)]
    for name, row in numbers.items():
        cells = [format_number(column, row.get(column)) for column in columns]
        lines.append(f'| {name} | ' + ' | '.join(cells) + ' |')
    if 'ours, without state' in numbers:
        lines += ['', NOT_MEASURED]
    return '\n'.join(lines)


def format_number(column: str, value: float | None) -> str:
    """Three decimals for ratios, one for lengths and angles."""
    if value is None:
        return '-'
    if column in WHOLE:
        return f'{value:.0f}'
    return f'{value:.3f}' if column in FEW_DIGITS else f'{value:.1f}'
