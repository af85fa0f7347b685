"""Opens a checkpoint that ``torch.save`` wrote, without executing anything from it.

``torch.load(weights_only=True)`` refuses the published files, because beside their tensors they carry settings objects
of packages that need not be installed (omegaconf, yacs); any more permissive loading would run what the file says.
Here the pickle is read by ``hand3r_ros.safe_pickle``, in which those objects are records without meaning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hand3r_ros.checkpoints.allowed_globals import NameCheck
from hand3r_ros.checkpoints.archive import TorchArchive
from hand3r_ros.checkpoints.errors import CheckpointError
from hand3r_ros.checkpoints.file_type import require_zip
from hand3r_ros.checkpoints.stored import StoredFile
from hand3r_ros.checkpoints.tensors import StoredTensor, stored_tensor
from hand3r_ros.safe_pickle import PickleProgramError, mapping_of, read_pickle

PARAMETER_ENTRIES = ('model', 'state_dict')
"""Where training codes put the parameters: CUT3R and its relatives, Lightning."""


@dataclass(frozen=True)
class TorchCheckpoint:
    """An open checkpoint."""

    archive: TorchArchive
    tensors: Mapping[str, StoredTensor]
    """The parameters by name."""
    content: Mapping[Any, Any]
    """Everything in the file, as records."""
    foreign_names: tuple[str, ...]
    """Classes and functions of unknown packages that the file names; none was imported."""

    @property
    def source(self) -> StoredFile:
        """The file."""
        return self.archive.source


@contextmanager
def open_checkpoint(file: Path | StoredFile) -> Iterator[TorchCheckpoint]:
    """The checkpoint, open for reading its tensors.

    Raises:
        CheckpointError: the file is missing, damaged, unsafe, or no checkpoint with parameters by name.

    """
    source = file if isinstance(file, StoredFile) else StoredFile(file)
    require_zip(source)
    with TorchArchive(source) as archive:
        names = NameCheck()
        entries = read_entries(archive.pickle, source, names)
        yield TorchCheckpoint(archive, parameters_of(entries, source), entries, tuple(sorted(names.foreign)))


def read_entries(program: bytes, source: StoredFile, names: NameCheck) -> Mapping[Any, Any]:
    """What the pickle of a checkpoint holds, as records.

    Raises:
        CheckpointError: it is damaged or unsafe, or holds no entries by name.

    """
    try:
        content = read_pickle(program, names)
    except PickleProgramError as error:
        raise CheckpointError(f'{source} is refused: {error}') from error
    entries = mapping_of(content)
    if entries is None:
        raise CheckpointError(
            f'{source} is a torch file, but holds {_name_of(content)} instead of parameters by name: '
            'a checkpoint of a training run is expected'
        )
    return entries


def parameters_of(entries: Mapping[Any, Any], source: StoredFile) -> Mapping[str, StoredTensor]:
    """The parameters among the entries of a checkpoint, by name.

    Raises:
        CheckpointError: there are none.

    """
    for candidate in (*map(entries.get, PARAMETER_ENTRIES), entries):
        found = _tensors(mapping_of(candidate) or {}, source)
        if found:
            return found
    names = ', '.join(repr(str(name)[:40]) for name in list(entries)[:8] if isinstance(name, str))
    raise CheckpointError(f'{source} is a torch checkpoint without parameters; it has the entries {names or "none"}')


def _tensors(entries: Mapping[Any, Any], source: StoredFile) -> dict[str, StoredTensor]:
    tensors: dict[str, StoredTensor] = {}
    for name, value in entries.items():
        try:
            tensor = stored_tensor(value)
        except CheckpointError as error:
            raise CheckpointError(f'{source}: {str(name)[:120]!r} is {error}') from error
        if tensor is not None and isinstance(name, str):
            tensors[name] = tensor
    return tensors


def _name_of(value: Any) -> str:
    function = getattr(value, 'function', None)
    return f'a {function}' if function is not None else f'a {type(value).__name__}'
