"""Opens the input at a path: a recording, a video, a folder of images or an image; else says what it is."""

from __future__ import annotations

import re
from pathlib import Path

from hand3r_ros.media import IMAGE_SUFFIXES, MediaError, is_image
from hand3r_ros.node.detections import sides_of_classes
from hand3r_ros.node.frames import FALLBACK_CAMERA_FRAME
from hand3r_ros.offline.bag_files import METADATA, recording_at
from hand3r_ros.offline.bag_input import BagInput
from hand3r_ros.offline.depth_files import color_folder
from hand3r_ros.offline.errors import InputError
from hand3r_ros.offline.inputs import Input
from hand3r_ros.offline.media_input import ImagesInput, MediaOptions, VideoInput, images_of_folder
from hand3r_ros.offline.settings import RunSettings, node_parameters

_TOPIC_OPTIONS = ('--topic', '--camera-info-topic', '--detections-topic', '--depth-topic')


def open_input(settings: RunSettings, rectified: bool = False) -> Input:
    """The input at a path, by what is there; raises InputError when it is nothing that can be read."""
    path = settings.input.expanduser()
    if not path.exists():
        raise InputError(f'{path} {_absent(path)}')
    if not path.is_dir() and not path.is_file():
        raise InputError(f'{path} is no file: live cameras and streams are for the node, not for `hand3r run`')
    parameters = node_parameters(settings.values)
    use_depth = parameters.use_depth != 'off'
    frame = settings.camera_frame or FALLBACK_CAMERA_FRAME
    options = MediaOptions(settings.fps, frame, use_depth, settings.depth_units)
    if not _is_folder_of_images(path):
        recording = recording_at(path)
        if recording is not None:
            _refuse(settings.fps > 0.0, '--fps', 'videos and images', recording, 'a recording with stamps of its own')
            _refuse(settings.depth_units > 0.0, '--depth-scale', 'image files', recording, 'a recording, which says it')
            sides = sides_of_classes(parameters.detections)
            slop_ns = round(parameters.depth.slop * 1e9) if use_depth else None
            return BagInput(recording, settings.topics, rectified, sides, slop_ns)
    for option, topic in zip(_TOPIC_OPTIONS, _topics_given(settings), strict=True):
        _refuse(bool(topic), option, 'recordings', path, 'none')
    if path.is_dir():
        return images_of_folder(path, options)
    try:
        return ImagesInput([path], options) if is_image(path) else VideoInput(path, options)
    except MediaError as error:
        raise InputError(str(error)) from error


def _absent(path: Path) -> str:
    """Why nothing is at a path, in the cases that are known."""
    if re.fullmatch(r'[a-z]{3,5}:', path.parts[0] if path.parts else ''):
        return 'is an address: download the file first; live streams are for the node'
    if re.search(r'[*?\[]|%0?\d*d', path.name):
        return f'does not exist; patterns are not taken: give the folder {path.parent}'
    return 'does not exist: give a video, an image, a folder of images or a recording'


def _topics_given(settings: RunSettings) -> tuple[str, ...]:
    topics = settings.topics
    return topics.image, topics.camera_info, topics.detections, topics.depth


def _refuse(given: bool, option: str, use: str, path: Path, what: str) -> None:
    """An option that would have no effect is a mistake of somebody who expects one."""
    if given:
        raise InputError(f'{option} is for {use}; {path} is {what}')


def _is_folder_of_images(path: Path) -> bool:
    if not path.is_dir() or (path / METADATA).is_file():
        return False
    if color_folder(path) != path:
        return True
    return any(file.suffix.lower() in IMAGE_SUFFIXES and file.name[0] != '.' for file in path.iterdir())
