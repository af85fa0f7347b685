"""Placed hands as numbers and as Markdown tables: by case, by what is hidden, by distance, by contact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from hand3r_lab.evaluation.placement import PlacedSample

Numbers = dict[str, dict[str, float]]

HIDDEN_BINS = ((0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0))
DISTANCE_BINS = ((0.0, 0.4), (0.4, 0.6), (0.6, 0.9), (0.9, 9.0))
COLUMNS = ('hands', 'PA-MPJPE', 'MPJPE', 'crop camera', 'apparent', 'aligned', 'aligned median', 'gain', 'on scene %')


def placement_numbers(samples: Sequence[PlacedSample], focals: dict[str, list[float]]) -> dict[str, Numbers]:
    """All tables: one by case, one by kind of hand for the cases with usual noise, one for focal lengths."""
    cases = list(dict.fromkeys(sample.case for sample in samples))
    tables = {'by case': {case: _row([s for s in samples if s.case == case]) for case in cases}}
    for case in cases[:2]:
        tables[case] = _by_kind([s for s in samples if s.case == case])
    tables['focal length'] = {name: _focal_row(errors) for name, errors in focals.items()}
    return tables


def format_placement(tables: dict[str, Numbers], sequences: int, stride: int) -> str:
    """Markdown; errors are C-MPJPE in millimetres, gain is that of 'aligned' over 'crop camera'."""
    lines = [f'Rendered test set: {sequences} sequences, every {stride}th frame; millimetres.']
    for title, rows in tables.items():
        columns = (
            COLUMNS if title != 'focal length' else ('frames', 'median %', 'median of |error| %', '90th of |error| %')
        )
        lines += ['', f'**{title}**', '', '| | ' + ' | '.join(columns) + ' |', '|---|' + '---|' * len(columns)]
        for name, row in rows.items():
            lines.append(f'| {name} | ' + ' | '.join(_cell(column, row[column]) for column in columns) + ' |')
    return '\n'.join(lines)


def _by_kind(samples: list[PlacedSample]) -> Numbers:
    """By the hidden share, the distance, and whether the hand holds something."""
    kinds = {
        f'{low:.0%} to {high:.0%} hidden': [s for s in samples if low <= s.hidden < high or s.hidden == high == 1.0]
        for low, high in HIDDEN_BINS
    }
    kinds |= {
        f'{low:g} to {high:g} m away': [s for s in samples if low <= s.distance < high] for low, high in DISTANCE_BINS
    }
    kinds |= {'holding something': [s for s in samples if s.holding], 'empty': [s for s in samples if not s.holding]}
    return {name: _row(chosen) for name, chosen in kinds.items() if chosen}


def _row(samples: list[PlacedSample]) -> dict[str, float]:
    mean = {
        name: 1e3 * float(np.mean([getattr(s, name) for s in samples]))
        for name in ('crop_camera', 'apparent', 'aligned')
    }
    placed = [s for s in samples if s.on_scene]
    within = [abs(s.off) <= 2.0 * s.deviation for s in placed]
    return {
        'hands': float(len(samples)),
        'PA-MPJPE': 1e3 * float(np.mean([s.procrustes for s in samples])),
        'MPJPE': 1e3 * float(np.mean([s.root_relative for s in samples])),
        'crop camera': mean['crop_camera'],
        'apparent': mean['apparent'],
        'aligned': mean['aligned'],
        'aligned median': 1e3 * float(np.median([s.aligned for s in samples])),
        'gain': mean['crop_camera'] / mean['aligned'],
        'on scene %': 100.0 * len(placed) / len(samples),
        'within two deviations %': 100.0 * float(np.mean(within)) if within else 0.0,
    }


def _focal_row(errors: list[float]) -> dict[str, float]:
    percent = 100.0 * np.array(errors)
    return {
        'frames': float(len(errors)),
        'median %': float(np.median(percent)),
        'median of |error| %': float(np.median(np.abs(percent))),
        '90th of |error| %': float(np.percentile(np.abs(percent), 90)),
    }


def _cell(column: str, value: float) -> str:
    if column in ('hands', 'frames', 'on scene %'):
        return f'{value:.0f}'
    return f'{value:.2f}' if column == 'gain' or column.endswith(' %') else f'{value:.1f}'
