"""Checks a folder of rendered training data: its layout, sizes of its arrays, and (``deep``) what is in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hand3r_lab.datasets.recognition import DataFormat
from hand3r_lab.datasets.report import DataReport, SequenceReport
from hand3r_lab.training.rendered_data import LAYOUT_FILE, RenderedDataLayout
from hand3r_lab.training.rendered_rows import impossible


def check_rendered(root: Path, deep: bool) -> DataReport:
    """What is complete, missing and corrupt.

    Raises:
        DataSetError: the layout file is not one.
    """
    layout = RenderedDataLayout.read(root / LAYOUT_FILE)
    report = DataReport('rendered data', root, deep)
    report.notes.append(
        f'split {layout.split}, {layout.frames} frames of {layout.width} x {layout.height} per sequence'
    )
    arrays = {}
    for name, (shape, dtype) in layout.shapes().items():
        array = _open_array(root / f'{name}.npy', (layout.sequences, *shape), dtype, report)
        if array is not None:
            arrays[name] = array
    if 'done' not in arrays:
        return report
    for row in tqdm(range(layout.sequences), desc='rendered', disable=None, leave=False):
        report.sequences.append(_check_row(arrays, row, layout, deep))
    return report


def _open_array(path: Path, shape: tuple[int, ...], dtype: str, report: DataReport) -> NDArray | None:
    if not path.is_file():
        report.missing.append(path.name)
        return None
    try:
        array = np.load(path, mmap_mode='r', allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        report.corrupt.append(f'{path.name}: {error}')
        return None
    if array.shape != shape or array.dtype != np.dtype(dtype):
        report.corrupt.append(f'{path.name}: is {array.dtype} {array.shape}, {LAYOUT_FILE} says {dtype} {shape}')
        return None
    return array


def _check_row(arrays: dict[str, NDArray], row: int, layout: RenderedDataLayout, deep: bool) -> SequenceReport:
    report = SequenceReport(f'sequence {row}')
    if not arrays['done'][row]:
        report.missing.append('not rendered yet')
        return report
    report.frames = layout.frames
    if 'hand_valid' in arrays:
        report.hand_labels = int(arrays['hand_valid'][row].any(-1).sum())
    if deep:
        report.corrupt += [f'{name}: {reason}' for name, reason in impossible(arrays, row)]
    return report


RENDERED = DataFormat(
    'rendered data',
    f'{LAYOUT_FILE} and arrays, written by `hand3r-lab render`',
    lambda root: (root / LAYOUT_FILE).is_file(),
    check_rendered,
)
