"""Checks the output path before the first image: errors must not appear after hours."""

from __future__ import annotations

import os
import re
from pathlib import Path

import cv2

from hand3r_ros.media import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from hand3r_ros.offline.errors import RunError
from hand3r_ros.offline.parts import SINGLE_FILE
from hand3r_ros.offline.settings import RunSettings
from hand3r_ros.offline.work_folder import WorkFolder

_OTHER_FILES = (
    *('.db3', '.bag', '.yaml', '.yml', '.txt', '.json', '.csv', '.zip', '.ply', '.npz', '.safetensors'),
    *IMAGE_SUFFIXES,
    *VIDEO_SUFFIXES,
)
_NODE_NAME = re.compile(r'/?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*/?')


def check_outputs(settings: RunSettings) -> None:
    """Raises RunError for a place that cannot be meant, must not be replaced or cannot be written."""
    _check_out(settings)
    if not _NODE_NAME.fullmatch(settings.node_name):
        raise RunError(
            f"--node-name '{settings.node_name}' is no name of a node: use letters, digits and _, not a digit first"
        )
    if settings.picture is not None:
        if not _is_picture_name(settings.picture):
            raise RunError(f'--picture {settings.picture}: give a file that ends in .png or .jpg')
        _check_place('--picture', settings.picture)
    if settings.save_state is not None:
        _check_place('--save-state', settings.save_state)


def _check_out(settings: RunSettings) -> None:
    out = settings.out
    suffix = out.suffix.lower()
    if suffix in _OTHER_FILES or (suffix == SINGLE_FILE and out.suffix != SINGLE_FILE):
        raise RunError(f'--out {out}: results are MCAP; give FILE{SINGLE_FILE}, or a name without suffix for a folder')
    if out.expanduser().resolve() == settings.input.expanduser().resolve():
        raise RunError(f'--out {out} is the input')
    # An unfinished run was begun with the permission to replace what is there.
    if out.exists() and not settings.overwrite and not WorkFolder(out).holds_a_run:
        raise RunError(f'--out {out} exists already; give another name, or --overwrite to replace it')
    if out.is_dir() and any(out.iterdir()) and not (out / 'metadata.yaml').is_file():
        raise RunError(f'--out {out} is a folder with other things in it, which is never replaced')
    if out.is_file() and suffix != SINGLE_FILE:
        raise RunError(f'--out {out} is a file that is no result of a run, which is never replaced')


def _is_picture_name(path: Path) -> bool:
    try:
        return path.suffix.lower() in IMAGE_SUFFIXES and bool(cv2.haveImageWriter(str(path)))
    except cv2.error:
        return False


def _check_place(option: str, path: Path) -> None:
    if path.is_dir():
        raise RunError(f'{option} {path} is a folder: name a file in it')
    folder = path.absolute().parent
    while not folder.exists():  # missing ones are made
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise RunError(f'{option} {path} cannot be written: {folder} is no folder in which files can be made')
