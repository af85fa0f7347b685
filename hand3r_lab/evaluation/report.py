"""A record as tables that fit a terminal and a model card (Markdown)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hand3r_lab.evaluation.ablations import FUSED_HEAD, WITHOUT_STATE
from hand3r_lab.evaluation.aims import BASELINES, AimResult
from hand3r_lab.evaluation.detection import format_detection
from hand3r_lab.evaluation.record import Record

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
FEW_DIGITS = {'AUC (PA)', 'depth AbsRel', 'depth delta1', 'detection F1'}
WHOLE = {'hands'}
NOT_MEASURED = 'MANO head on fused instead of expert tokens: not measured, it needs a trained head (`--fused-head`).'


def format_report(record: Record) -> str:
    """All tables of an evaluation on the rendered test set."""
    size = f'{record.sequences} sequences of {record.frames} frames'
    text = [f'Weights `{record.preset}.safetensors`, SHA-256 `{record.weights_sha256}`.']
    if record.rows:
        hands = int(record.rows.get('ours', {}).get('hands', 0))
        about = f'Rendered test set: {size}, {hands} hands, boxes given, intrinsics known.'
        if record.ablation_sequences:
            about += f' Ablations and the row they are compared with: the first {record.ablation_sequences}.'
        text += [about, format_rows(record.rows), *format_aims(record)]
    if record.detection is not None:
        text += [*([] if record.rows else [f'Rendered test set: {size}.']), format_detection(record.detection)]
    return '\n\n'.join(text)


def format_rows(numbers: Mapping[str, Mapping[str, float]]) -> str:
    """One row per method, a dash where it says nothing about a number; with a note on ablations where there are any."""
    columns = [*COLUMNS, *(c for c in OPTIONAL_COLUMNS if any(c in row for row in numbers.values()))]
    lines = _table(columns, {name: [format_number(c, row.get(c)) for c in columns] for name, row in numbers.items()})
    if WITHOUT_STATE in numbers and FUSED_HEAD not in numbers:
        lines += ['', NOT_MEASURED]
    return '\n'.join(lines)


def format_aims(record: Record) -> list[str]:
    """What the numbers should come to; nothing for a record without aims."""
    if not record.aims:
        return []
    columns = ['ours', 'aim', 'reached', *(f'against {name}' for name in BASELINES), 'at least 2x']
    about = (
        f'Aims. Camera and world with the {record.pose_source} pose, which these weights recommend, over '
        f'{record.frames} frames. "Against": how many times better than the trivial predictor.'
    )
    return [about, '\n'.join(_table(columns, {aim.name: _aim_cells(aim) for aim in record.aims}))]


def _aim_cells(aim: AimResult) -> Sequence[str]:
    factors = [f'{aim.factors[name]:.1f}x' if name in aim.factors else '-' for name in BASELINES]
    limit = f'{">" if aim.at_least else "<"} {aim.limit:g}'
    value = 'not measured' if aim.value is None else format_number(aim.name, aim.value)
    return [value, limit, _yes_or_no(aim.reached), *factors, _yes_or_no(aim.worthwhile)]


def _yes_or_no(answer: bool | None) -> str:
    return '-' if answer is None else 'yes' if answer else '**no**'


def _table(columns: Sequence[str], rows: Mapping[str, Sequence[str]]) -> list[str]:
    lines = ['| | ' + ' | '.join(columns) + ' |', '|---|' + '---|' * len(columns)]
    return lines + [f'| {name} | ' + ' | '.join(cells) + ' |' for name, cells in rows.items()]


def format_number(column: str, value: float | None) -> str:
    """Three decimals for ratios, one for lengths and angles."""
    if value is None:
        return '-'
    if column in WHOLE:
        return f'{value:.0f}'
    return f'{value:.3f}' if column in FEW_DIGITS else f'{value:.1f}'
