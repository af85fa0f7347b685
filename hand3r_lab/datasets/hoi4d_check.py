"""Checks a HOI4D folder: videos, depth, camera paths and hand poses of every sequence, and the two release lists."""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from hand3r_lab.datasets.camera_direction import direction_of
from hand3r_lab.datasets.files import read_bytes
from hand3r_lab.datasets.hoi4d import COLOR_VIDEO, DEPTH_VIDEO, PUBLISHED_SIZE
from hand3r_lab.datasets.hoi4d_layout import FRAME_RATE, RELEASE_LIST, TEST_LIST, HOI4DLayout
from hand3r_lab.datasets.hoi4d_poses import pose_files, read_camera_log, read_camera_matrix, read_hand_pose
from hand3r_lab.datasets.report import DataReport, SequenceReport
from hand3r_lab.datasets.samples import CorruptSampleError
from hand3r_lab.datasets.videos import DecodedFrames, Frames, open_frames
from hand3r_ros.geometry import Intrinsics
from hand3r_ros.hand_model.sides import HandSide


def check_hoi4d(root: Path, deep: bool) -> DataReport:
    """What is complete, missing and corrupt.

    Raises:
        DataSetError: the folder is no HOI4D.
    """
    layout = HOI4DLayout(root)
    report = DataReport('HOI4D', root, deep)
    _check_lists(layout, report)
    _check_cameras(layout, report)
    for name in tqdm(layout.sequences, desc='HOI4D', disable=None, leave=False):
        report.sequences.append(_check_sequence(layout, name, deep))
    without = sum(not sequence.hand_labels for sequence in report.sequences)
    if without:
        report.notes.append(f'{without} sequences have no hand pose file (many released ones have none)')
    return report


def _check_lists(layout: HOI4DLayout, report: DataReport) -> None:
    lists = layout.lists
    if lists is None:
        report.notes.append(
            f'{RELEASE_LIST} and {TEST_LIST} are not here (they come with HOI4D-Instructions): cannot tell which '
            f'sequences are absent or stand in both lists'
        )
        return
    here = set(layout.sequences)
    report.missing += [f'{name} (in {RELEASE_LIST})' for name in sorted(lists.released - here)]
    if lists.shared:
        report.notes.append(
            f'{len(lists.shared)} sequences stand in both {RELEASE_LIST} ({len(lists.released)}) and {TEST_LIST} '
            f'({len(lists.test)}); no split uses them: {", ".join(lists.shared)}'
        )
    if strangers := sorted(here - lists.released - lists.test):
        report.notes.append(f'{len(strangers)} sequences are in neither list: {", ".join(strangers)}')


def _check_cameras(layout: HOI4DLayout, report: DataReport) -> None:
    for file in sorted({layout.intrinsics_file(name) for name in layout.sequences}):
        try:
            read_camera_matrix(file)
        except CorruptSampleError as error:
            report.add(error)


def _check_sequence(layout: HOI4DLayout, name: str, deep: bool) -> SequenceReport:
    report = SequenceReport(name)
    color = _frames(layout.video_folder(name, 'align_rgb'), COLOR_VIDEO, '.jpg', report)
    depth = _frames(layout.video_folder(name, 'align_depth'), DEPTH_VIDEO, '.png', report)
    report.frames = len(color) if color else 0
    if color and depth and len(color) != len(depth):
        report.notes.append(f'{len(color)} colour frames, {len(depth)} depth frames')
    _check_poses(layout, name, report, deep)
    _check_path(layout, name, depth, report, deep)
    if deep:
        for frames in (color, depth):
            _decode(frames, report)
    return report


def _frames(folder: Path, video: str, suffix: str, report: SequenceReport) -> Frames | None:
    try:
        frames = open_frames(folder, video, suffix, FRAME_RATE)
    except CorruptSampleError as error:
        report.add(error, folder.parent)
        return None
    if isinstance(frames, DecodedFrames):
        for index in range(len(frames)):
            try:
                frames.check(index)
            except CorruptSampleError as error:
                report.add(error, folder.parent)
    elif abs(frames.own_rate - FRAME_RATE) > 0.01:
        report.notes.append(f'{video} has {frames.own_rate:g} frames/s, expected {FRAME_RATE:g}: numbers are by time')
    return frames


def _check_poses(layout: HOI4DLayout, name: str, report: SequenceReport, deep: bool) -> None:
    labelled: set[int] = set()
    for side in HandSide:
        folder = layout.hand_pose_folder(name, side)
        files = pose_files(folder)
        bad: set[int] = set()
        for index, path in sorted(files.items()):
            try:
                (read_hand_pose if deep else read_bytes)(path)
            except CorruptSampleError as error:
                bad.add(index)
                report.add(error, folder.parents[len(name.split('/'))])
        beyond = [index for index in files if report.frames and index >= report.frames]
        if beyond:
            report.notes.append(f'{len(beyond)} {side.name.lower()} hand poses are after the last frame')
        labelled |= files.keys() - bad
    report.hand_labels = len(labelled)


def _check_path(layout: HOI4DLayout, name: str, depth: Frames | None, report: SequenceReport, deep: bool) -> None:
    path = layout.camera_log(name)
    try:
        poses = read_camera_log(path)
    except CorruptSampleError as error:
        report.add(error, path.parents[1])
        return
    if report.frames and len(poses) < report.frames:
        report.notes.append(f'{len(poses)} camera poses for {report.frames} frames')
    if deep and depth is not None and len(poses) > 1:
        try:
            matrix = read_camera_matrix(layout.intrinsics_file(name))
            intrinsics = Intrinsics(matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2], *PUBLISHED_SIZE)
            verdict = direction_of(poses, depth, intrinsics)
        except CorruptSampleError:
            return  # reported elsewhere
        if verdict == 'world to camera':
            report.notes.append('the depth images fit the camera path better when its matrices are inverted')


def _decode(frames: Frames | None, report: SequenceReport) -> None:
    failed = 0
    for index in range(len(frames) if frames else 0):
        assert frames is not None
        try:
            frames.read(index)
        except CorruptSampleError as error:
            if error.reason in ('missing', 'empty'):
                continue  # reported by name and size
            failed += 1
            if failed <= 3:
                report.corrupt.append(f'{error.path.name}: {error.reason}')
    if failed > 3:
        report.corrupt.append(f'{failed - 3} frames more')
