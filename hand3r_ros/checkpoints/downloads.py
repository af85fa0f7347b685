"""Finds the files that `hand3r convert` needs among downloads, by their content and not by their names.

A torch file says in its first bytes which tensors it holds, MANO's arrays have names of their own. Folders are searched
with everything below, archives where no plain file fits; of a compressed archive only the file that is needed is
copied out, and removed again at the end.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

from hand3r_ros.checkpoints.allowed_globals import NameCheck
from hand3r_ros.checkpoints.archive import MAX_PICKLE_BYTES, leading_pickle
from hand3r_ros.checkpoints.containers import Member, is_container, members, plain_file
from hand3r_ros.checkpoints.errors import CheckpointError
from hand3r_ros.checkpoints.file_type import ZIP_START, file_type
from hand3r_ros.checkpoints.known_networks import UNKNOWN, known_network
from hand3r_ros.checkpoints.sources import SOURCES, Source
from hand3r_ros.checkpoints.stored import StoredFile
from hand3r_ros.checkpoints.torch_checkpoint import open_checkpoint, parameters_of, read_entries
from hand3r_ros.files import require_space
from hand3r_ros.hand_model.data import HandModelData, mano_from_bytes
from hand3r_ros.hand_model.unpickling import HandModelFileError
from hand3r_ros.network.wrapped_names import unwrapped_names

Report = Callable[[str], None]
"""Receives progress, line by line."""

MAX_FILES: Final = 20_000
MAX_MANO_BYTES: Final = 64 * 2**20  # MANO_RIGHT.pkl has about 4 MB
WORTH_SAYING: Final = 100 * 2**20
FAMILY_OF: Final = {'HaMeR': 'hamer', 'CUT3R with DPT heads': 'cut3r'}
_MANO_ARRAYS = (b'v_template', b'hands_components')
_PICKLE_STARTS = (b'\x80', b'(', b'c', b'}', b']')
_SHOWN = 6


@dataclass(frozen=True)
class _Seen:
    """What a file turned out to be."""

    kind: str | None
    """A key of ``SOURCES``, or None."""
    remark: str = ''
    """Why it is not one, where that is worth saying."""


class Downloads:
    """Searches folders and archives; a context manager that removes what it had to copy out of archives."""

    def __init__(self, scratch: Path, report: Report) -> None:
        """``scratch``: folder for copies, made when one is needed."""
        self._scratch, self._report, self._stack = scratch, report, ExitStack()

    def __enter__(self) -> Downloads:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._stack.close()

    def files(self, given: Mapping[str, Path], folder: Path | None, needed: Collection[str]) -> dict[str, StoredFile]:
        """The file of every kind, by key of ``SOURCES``; one that is not ``needed`` may be absent.

        Args:
            given: file, folder or archive in which one kind is looked for.
            folder: where the kinds that are not in ``given`` are looked for.
            needed: kinds that must be found.

        Raises:
            CheckpointError: one of them is not there; the message says what is there instead, and where it comes from.
            CheckpointError, HandModelFileError: a file that is given is damaged or of another kind.
            OSError: a place cannot be read, or there is no space for a copy.

        """
        found: dict[str, StoredFile] = {}
        for kind, place in given.items():
            if not _holds_others(place):
                found[kind] = StoredFile(place)
                _require_whole(kind, found[kind])  # before archives are searched, which takes minutes
        for kind, place in given.items():
            if kind not in found:
                found |= self._search(place, (kind,), (kind,))
        rest = [kind for kind in SOURCES if kind not in given]
        if folder is not None and rest:
            found |= self._search(folder, rest, [kind for kind in rest if kind in needed])
        for kind, file in found.items():
            self._report(f'{SOURCES[kind].title}: {file}')
        return found

    def _search(self, place: Path, wanted: Collection[str], needed: Collection[str]) -> dict[str, StoredFile]:
        candidates: dict[str, list[StoredFile]] = {kind: [] for kind in wanted}
        remarks: list[str] = []
        archives: list[Path] = []
        for path in _files_below(place):
            try:
                if is_container(path):
                    archives.append(path)
                    continue
                with plain_file(path) as file:
                    seen = recognise(file)
                    if seen.kind is not None and seen.kind in candidates:
                        candidates[seen.kind].append(file.stored())
                    elif seen.remark:
                        remarks.append(f'{path} ({seen.remark})')
            except OSError as error:
                remarks.append(f'{path} ({error.strerror or error})')
        best = {kind: self._best(kind, files, remarks) for kind, files in candidates.items()}
        found = {kind: chosen for kind, chosen in best.items() if chosen is not None}
        for path in sorted(archives, key=_likelihood):
            if missing := [kind for kind in wanted if kind not in found]:
                self._look_into(path, missing, found, remarks)
        if absent := [SOURCES[kind] for kind in needed if kind not in found]:
            raise CheckpointError(_not_found(place, absent, remarks))
        return found

    def _best(self, kind: str, files: list[StoredFile], remarks: list[str]) -> StoredFile | None:
        """The one that is whole and has the published name, else the first that is whole."""
        whole = []
        for file in sorted(files, key=lambda file: (file.name != SOURCES[kind].file_name, str(file))):
            if reason := _defect(kind, file):
                remarks.append(reason)
            else:
                whole.append(file)
        for other in whole[1:]:
            self._report(f'{other} would do as well and is not used')
        return whole[0] if whole else None

    def _look_into(self, path: Path, wanted: Collection[str], found: dict[str, StoredFile], remarks: list[str]) -> None:
        """Takes what is wanted and fits out of an archive."""
        self._report(f'looking into {path} ({_size_text(path.stat().st_size)})')
        try:
            for member in members(path):
                seen = recognise(member)
                if seen.kind is not None and seen.kind in wanted and seen.kind not in found:
                    file = self._out_of_archive(member)
                    if reason := _defect(seen.kind, file):
                        remarks.append(reason)
                    else:
                        found[seen.kind] = file
                elif seen.remark:
                    remarks.append(f'{member} ({seen.remark})')
                if all(kind in found for kind in wanted):
                    return
        except CheckpointError as error:
            remarks.append(str(error))

    def _out_of_archive(self, member: Member) -> StoredFile:
        if not member.is_packed:
            return member.stored()
        if not self._scratch.exists():
            self._scratch.mkdir(parents=True)
            self._stack.callback(_remove_if_empty, self._scratch)
        require_space(self._scratch, member.size, f'the copy of {member.name}')
        target = self._scratch / f'.{Path(member.name).name}.{os.getpid()}.tmp'
        self._stack.callback(target.unlink, missing_ok=True)
        if member.size >= WORTH_SAYING:
            self._report(f'copying {member.name} out of it ({_size_text(member.size)})')
        return member.copy(target)


def recognise(file: Member) -> _Seen:
    """Which of the files that are needed this is, from its first bytes."""
    head = file.head(4096)
    if leading_pickle(head) is not None:
        return _recognise_checkpoint(file)
    resembles = any(word in Path(file.name or file.container).name.lower() for word in SOURCES)
    if head.startswith(ZIP_START):  # arrays of numpy, whose directory is at the end: other whole files are archives
        content = file.head(min(file.size, MAX_MANO_BYTES))
        if all(name + b'.npy' in content for name in _MANO_ARRAYS):
            return _Seen('mano')
        if b'.npy' in content:
            kind = 'arrays, but not those of MANO'
        else:
            kind = 'an archive in an archive' if file.name else 'a zip file that is damaged or not whole'
        return _Seen(None, kind if resembles else '')
    if head.startswith(_PICKLE_STARTS) and file.size <= MAX_MANO_BYTES:
        content = file.head(file.size)
        if all(name in content for name in _MANO_ARRAYS):
            return _Seen('mano')
    return _Seen(None, file_type(head, file.size) if resembles else '')


def _recognise_checkpoint(file: Member) -> _Seen:
    source = StoredFile(file.container)
    try:
        program = leading_pickle(file.head(min(file.size, MAX_PICKLE_BYTES))) or b''
        names = parameters_of(read_entries(program, source, NameCheck()), source)
    except CheckpointError as error:
        return _Seen(None, str(error).removeprefix(f'{source} ').removeprefix('is '))
    family = known_network(unwrapped_names(names).values())
    return _Seen(FAMILY_OF.get(family), 'a torch checkpoint of no network known here' if family == UNKNOWN else family)


def load_mano_file(file: StoredFile) -> HandModelData:
    """MANO from a file that may lie in an archive.

    Raises:
        HandModelFileError: it is not MANO's right hand.
        CheckpointError: it is of another kind altogether.

    """
    try:
        with file.open() as opened:
            content = opened.read(MAX_MANO_BYTES + 1)
    except OSError as error:
        raise HandModelFileError(f'{file}: cannot be read: {error.strerror or error}') from error
    if len(content) > MAX_MANO_BYTES:
        raise HandModelFileError(f'{file}: {file.size} bytes is too large for a hand model')
    try:
        return mano_from_bytes(content, str(file))
    except HandModelFileError as error:
        if content.startswith((*_PICKLE_STARTS, ZIP_START)):
            raise
        mano = SOURCES['mano']
        reason = f'{file} is {file_type(content[:4096], file.size)}. Expected: {mano.file_name}, from {mano.where}'
        raise CheckpointError(reason) from error


def _require_whole(kind: str, file: StoredFile) -> None:
    if kind == 'mano':
        load_mano_file(file)
    else:
        with open_checkpoint(file):
            pass


def _defect(kind: str, file: StoredFile) -> str:
    """What is wrong with a file that is of the right kind; empty if it is whole."""
    try:
        _require_whole(kind, file)
    except (CheckpointError, HandModelFileError, OSError) as error:
        return str(error)
    return ''


def _holds_others(place: Path) -> bool:
    """Whether a file has to be looked for in it. Raises OSError."""
    return place.is_dir() or (place.is_file() and is_container(place))


def _files_below(place: Path) -> Iterator[Path]:
    """Plain files at and below a place, in order; hidden folders and links to folders are left out."""
    if not place.is_dir():
        if not _is_regular(place):
            raise CheckpointError(f'{place} does not exist, or is no file')
        yield place
        return
    count = 0
    for folder, folders, names in os.walk(place):
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        for name in sorted(names):
            path = Path(folder, name)
            count += 1
            if count > MAX_FILES:
                raise CheckpointError(
                    f'{place} holds more than {MAX_FILES} files: name a folder with the downloads only'
                )
            if not name.startswith('.') and _is_regular(path):
                yield path


def _is_regular(path: Path) -> bool:
    """Neither a pipe nor a device, which could not be read to an end."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _likelihood(path: Path) -> tuple[bool, int, str]:
    """Archives with a promising name first, then small ones."""
    promising = any(word in path.name.lower() for word in SOURCES)
    return not promising, path.stat().st_size, str(path)


def _not_found(place: Path, absent: Iterable[Source], remarks: list[str]) -> str:
    lines = [f'{place} holds no {source.title}: {source.file_name}, from {source.where}' for source in absent]
    shown = remarks[:_SHOWN] + ([f'and {len(remarks) - _SHOWN} more'] if len(remarks) > _SHOWN else [])
    return '\n'.join((*lines, *(['What is there instead:'] if shown else []), *(f'  {remark}' for remark in shown)))


def _size_text(size: int) -> str:
    return f'{size / 1e9:.1f} GB' if size >= 10**9 else f'{size / 1e6:.1f} MB'


def _remove_if_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()
