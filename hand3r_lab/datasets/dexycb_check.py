"""Checks a DexYCB folder: every file of every view by name and size, or decoded (``deep``)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tqdm import tqdm

from hand3r_lab.datasets import dexycb_layout as layout_of
from hand3r_lab.datasets.dexycb import read_label
from hand3r_lab.datasets.dexycb_layout import (
    HEIGHT,
    SEQUENCES_PER_SUBJECT,
    SERIALS,
    SUBJECTS,
    WIDTH,
    DexYCBLayout,
    SequenceMeta,
)
from hand3r_lab.datasets.files import read_color, read_depth
from hand3r_lab.datasets.report import DataReport, SequenceReport
from hand3r_lab.datasets.samples import CorruptSampleError


def check_dexycb(root: Path, deep: bool) -> DataReport:
    """What is complete, missing and corrupt.

    Raises:
        DataSetError: the folder is no DexYCB.
    """
    layout = DexYCBLayout(root)
    report = DataReport('DexYCB', root, deep)
    _check_subjects(layout, report)
    _check_cameras(layout, report)
    folders = [folder for number in sorted(layout.subjects) for folder in layout.sequences[number]]
    calibrations: set[Path] = set()
    for folder in tqdm(folders, desc='DexYCB', disable=None, leave=False):
        try:
            meta = layout.meta(folder)
        except CorruptSampleError as error:
            broken = SequenceReport(f'{folder.parent.name}/{folder.name}')
            broken.add(error, root)
            report.sequences.append(broken)
            continue
        calibrations |= {layout.extrinsics_file(meta.extrinsics), layout.mano_file(meta.mano_calibration)}
        report.sequences += [_check_view(folder, serial, meta, deep) for serial in meta.serials]
    _check_calibrations(calibrations, report)
    if deep:
        unlabelled = sum(view.frames - (view.hand_labels or 0) for view in report.sequences)
        report.notes.append(f'{unlabelled} frames without a hand label: readers skip them')
    return report


def _check_subjects(layout: DexYCBLayout, report: DataReport) -> None:
    for number in range(1, SUBJECTS + 1):
        if number not in layout.subjects:
            report.missing.append(f'subject {number:02d}')
            continue
        count = len(layout.sequences[number])
        if count != SEQUENCES_PER_SUBJECT:
            report.missing.append(f'subject {number:02d}: {count} of {SEQUENCES_PER_SUBJECT} sequences')
    if report.missing:
        report.notes.append("setups s0 to s3 need every sequence of their subjects; the split 'all' does not")


def _check_cameras(layout: DexYCBLayout, report: DataReport) -> None:
    for serial in SERIALS:
        try:
            layout_of.read_intrinsics(layout.intrinsics_file(serial))
        except CorruptSampleError as error:
            report.add(error)


def _check_calibrations(files: Iterable[Path], report: DataReport) -> None:
    for file in sorted(files):
        read = layout_of.read_betas if file.name == 'mano.yml' else layout_of.read_extrinsics
        try:
            read(file)
        except CorruptSampleError as error:
            report.add(error)


def _check_view(folder: Path, serial: str, meta: SequenceMeta, deep: bool) -> SequenceReport:
    report = SequenceReport(f'{folder.parent.name}/{folder.name}/{serial}', frames=meta.frames)
    view = folder / serial
    if not view.is_dir():
        report.missing.append(f'folder {serial}')
        return report
    sizes = {path.name: path.stat().st_size for path in view.iterdir()}
    present: list[str] = []
    for frame in range(meta.frames):
        for name in (layout_of.color_name(frame), layout_of.depth_name(frame), layout_of.label_name(frame)):
            if name not in sizes:
                report.missing.append(name)
            elif sizes[name] == 0:
                report.corrupt.append(f'{name}: empty')
            else:
                present.append(name)
    if deep:
        _decode(view, present, report)
    return report


def _decode(view: Path, names: list[str], report: SequenceReport) -> None:
    report.hand_labels = 0
    for name in names:
        path = view / name
        try:
            if name.endswith('.npz'):
                report.hand_labels += read_label(path).has_hand
                continue
            shape = (read_color(path) if name.endswith('.jpg') else read_depth(path)).shape[:2]
            if shape != (HEIGHT, WIDTH):
                raise CorruptSampleError(path, f'has {shape[1]} x {shape[0]} pixels, not {WIDTH} x {HEIGHT}')
        except CorruptSampleError as error:
            report.add(error, view)
