"""Files of a recording, also with unusual names or metadata; a description of what is not one."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from rosbags.rosbag2 import Reader

from hand3r_ros.offline.errors import InputError

METADATA = 'metadata.yaml'
STORAGES = {'.mcap': 'mcap', '.db3': 'sqlite3'}
ROS1_SUFFIX = '.bag'
_ROS1, _MCAP, _SQLITE, _ZSTD = b'#ROSBAG V', b'\x89MCAP0\r\n', b'SQLite format 3\0', b'\x28\xb5\x2f\xfd'
_SPECIAL_IN_NAMES = set('?#%')
"""The databases are opened by an address in which these characters mean something."""
_MOST_RECORDS = 10_000
_LARGEST_RECORD = 1 << 20


def recording_at(path: Path) -> Path | None:
    """What of a path is to be opened as a recording: the folder or file; None when it is none.

    Raises:
        InputError: it is a recording of another kind, compressed as a whole, or a folder of several without metadata.

    """
    if path.name == METADATA and path.is_file():
        return path.parent.absolute()  # '' of a bare name has no name of its own
    if path.is_dir():
        return _recording_in(path)
    begin = _first_bytes(path)
    if begin.startswith(_ROS1) or path.suffix.lower() == ROS1_SUFFIX:
        raise InputError(_ros1(path))
    if begin.startswith(_ZSTD) or path.suffix.lower() in ('.zstd', '.zst'):
        whole = path.parent / METADATA
        advice = f'give its folder {path.parent}' if whole.is_file() else f'decompress it first: zstd -d "{path}"'
        raise InputError(f'{path} is one compressed file of a recording: {advice}')
    is_recording = path.suffix.lower() in STORAGES or begin.startswith((_MCAP, _SQLITE))
    return path if is_recording else None


@contextmanager
def opened_recording(path: Path) -> Iterator[Reader]:
    """A reader of what ``recording_at`` gave; raises InputError when it cannot be read."""
    with ExitStack() as stack:
        try:
            reader = Reader(_readable(path, stack))
            reader.open()
        except Exception as error:  # ReaderError, OSError, and whatever damaged files make of rosbags
            raise InputError(f'recording {path} cannot be read: {_explained(path, error)}') from error
        stack.callback(reader.close)
        yield reader


def _recording_in(folder: Path) -> Path | None:
    if (folder / METADATA).is_file():
        return folder
    files = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith('.'))
    found = [file for file in files if file.suffix.lower() in STORAGES]
    if len(found) == 1:
        return found[0]
    if found:
        storage = STORAGES[found[0].suffix.lower()]
        raise InputError(
            f'folder {folder} holds {len(found)} files of a recording but no {METADATA}: write it with "ros2 bag '
            f'reindex -s {storage} {folder}", or give one of the files'
        )
    if bags := [file for file in files if file.suffix.lower() == ROS1_SUFFIX]:
        raise InputError(_ros1(bags[0]))
    return None


def _ros1(path: Path) -> str:
    return f'{path} is a ROS 1 recording: convert it with "rosbags-convert --src {path} --dst FOLDER"'


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open('rb') as file:
            return file.read(16)
    except OSError:
        return b''


def _readable(path: Path, stack: ExitStack) -> Path:
    """The path itself, or a folder of links to it with names and metadata that the reader understands."""
    if path.is_dir():
        return _readable_folder(path, stack)
    suffix = path.suffix.lower() if path.suffix.lower() in STORAGES else ''
    suffix = suffix or ('.mcap' if _first_bytes(path).startswith(_MCAP) else '.db3')
    if path.suffix == suffix and not _SPECIAL_IN_NAMES & set(str(path)):
        return path
    link = Path(stack.enter_context(TemporaryDirectory())) / f'recording{suffix}'
    link.symlink_to(path.absolute())
    return link


def _readable_folder(folder: Path, stack: ExitStack) -> Path:
    try:
        content: Any = yaml.safe_load((folder / METADATA).read_text(encoding='utf-8'))
        information = content['rosbag2_bagfile_information']
        names = [Path(name).name for name in information['relative_file_paths']]
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError) as error:
        raise ValueError(f'its {METADATA} is damaged or that of something else') from error
    unusual = _SPECIAL_IN_NAMES & set(f'{folder}{"".join(names)}')
    if information.get('storage_identifier') and not unusual:
        return folder
    place = Path(stack.enter_context(TemporaryDirectory()))
    links = [f'recording_{number}{"".join(Path(name).suffixes[-2:])}' for number, name in enumerate(names)]
    for name, link in zip(names, links, strict=True):
        if (folder / name).exists():
            (place / link).symlink_to((folder / name).absolute())
    information['relative_file_paths'] = links
    if not information.get('storage_identifier'):
        known = [STORAGES[part] for part in Path(names[0]).suffixes if part in STORAGES] if names else []
        information['storage_identifier'] = known[-1] if known else ''
    (place / METADATA).write_text(yaml.safe_dump(content), encoding='utf-8')
    return place


def _explained(path: Path, error: Exception) -> str:
    files = [path] if path.is_file() else [file for file in sorted(path.iterdir()) if file.is_file()]
    for file in files:
        if not _first_bytes(file).startswith(_MCAP):
            continue
        profile, encodings = _mcap_kind(file)
        others = encodings - {'cdr'}
        if profile == 'ros1' or 'ros1' in others:
            return f'{file.name} holds ROS 1 messages: convert the .bag file it was made of with rosbags-convert'
        if others:
            return (
                f'{file.name} holds {" and ".join(sorted(others))} messages, not those of ROS 2 (cdr): export its '
                'images as a video or as files, which are read too'
            )
        if profile != 'ros2':
            return f'{file.name} says that it is of profile {profile!r}, not ros2: record it with rosbag2'
    said = f'{type(error).__name__} {error}' if isinstance(error, KeyError | AttributeError) else str(error)
    return f'{said} (one that was cut off needs "ros2 bag reindex", or "mcap recover IN -o OUT")'


def _mcap_kind(path: Path) -> tuple[str, set[str]]:
    """Profile, and encodings of the channels as far as they are told before the first chunk or at the end."""
    profile, encodings = '', set()
    try:
        with path.open('rb') as file:
            file.seek(len(_MCAP))
            for _ in range(_MOST_RECORDS):
                code, length = struct.unpack('<BQ', file.read(9))
                if code in (1, 4) and length <= _LARGEST_RECORD:
                    content = file.read(length)
                    if code == 1:
                        profile = _text(content, 0)[0]
                    else:
                        encodings.add(_text(content, _text(content, 4)[1])[0])
                else:
                    file.seek(length, 1)
    except (OSError, struct.error, UnicodeDecodeError, OverflowError):
        pass
    return profile, encodings


def _text(content: bytes, place: int) -> tuple[str, int]:
    """A string with its length in front, and where it ends."""
    length = struct.unpack_from('<I', content, place)[0]
    return content[place + 4 : place + 4 + length].decode(), place + 4 + length
