"""Numbers as a table that fits a terminal and a model card (Markdown)."""

from __future__ import annotations

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
FEW_DIGITS = {'AUC (PA)', 'depth AbsRel', 'depth delta1'}


def format_report(numbers: dict[str, dict[str, float]], sequences: int, frames: int) -> str:
    """Markdown table, one row per method; a dash where a method says nothing about a number."""
    hands = int(numbers.get('ours', {}).get('hands', 0))
    lines = [
        f'Rendered test set: {sequences} sequences of {frames} frames, {hands} hands, boxes given, intrinsics known.',
        '',
        '| | ' + ' | '.join(COLUMNS) + ' |',
        '|---|' + '---|' * len(COLUMNS),
    ]
    for name, row in numbers.items():
        cells = [format_number(column, row.get(column)) for column in COLUMNS]
        lines.append(f'| {name} | ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


def format_number(column: str, value: float | None) -> str:
    """Three decimals for ratios, one for lengths and angles."""
    if value is None:
        return '-'
    return f'{value:.3f}' if column in FEW_DIGITS else f'{value:.1f}'
