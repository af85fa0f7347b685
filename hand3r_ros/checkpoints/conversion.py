"""Makes the weights of preset 'full' from the public checkpoints: checked, merged, written in one safe format."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from hand3r_ros import __version__
from hand3r_ros.checkpoints.downloads import Downloads, Report, load_mano_file
from hand3r_ros.checkpoints.errors import CheckpointError, MisfitError
from hand3r_ros.checkpoints.settings import hand_differences, scene_differences
from hand3r_ros.checkpoints.sources import MANO, Source
from hand3r_ros.checkpoints.stored import StoredFile
from hand3r_ros.checkpoints.tensor_matching import (
    Layout,
    TensorMatch,
    describe,
    hand_layout,
    match_tensors,
    scene_layout,
)
from hand3r_ros.checkpoints.tensors import StoredTensor
from hand3r_ros.checkpoints.torch_checkpoint import TorchCheckpoint, open_checkpoint
from hand3r_ros.files import replacing, require_space
from hand3r_ros.hand_model import data as hand_data
from hand3r_ros.network.checkpoints import weights_header
from hand3r_ros.network.config import Hand3RConfig
from hand3r_ros.network.presets import preset as preset_config
from hand3r_ros.safetensors_files import Entry, write_safetensors

PRESET = 'full'
WEIGHTS_FILE = f'{PRESET}.safetensors'
SOURCES_FILE = f'{PRESET}.sources.json'
MANO_FILE = 'MANO_RIGHT.npz'
NEEDED = ('cut3r', 'hamer')
"""MANO may come later."""
NOT_REDISTRIBUTED = (
    'Made from files under the licences named here, which bind whoever uses the result. MANO, also in this form, must '
    'not be passed on to anybody.'
)


@dataclass(frozen=True)
class ConversionRequest:
    """What to convert and where to."""

    cut3r: Path | None
    """The file, or a folder or archive with it; None: it is looked for in ``downloads``."""
    hamer: Path | None
    folder: Path
    mano: Path | None = None
    overwrite: bool = False
    allow_unexpected: bool = False
    """Go on when a checkpoint has tensors that are not in the key maps; they are listed and left out."""
    downloads: Path | None = None
    """Folder, with everything below, or archive in which the files that are not named are looked for."""


@dataclass(frozen=True)
class ConversionResult:
    """What was written."""

    weights: Path
    sources: Path
    mano: Path | None
    tensors: int
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Part:
    """One checkpoint with what was found out about it."""

    key: str
    layout: Layout
    checkpoint: TorchCheckpoint
    match: TensorMatch
    warnings: tuple[str, ...]


def convert(request: ConversionRequest, report: Report = print) -> ConversionResult:
    """Checks both checkpoints, then writes the weights, the record of their sources and the MANO arrays.

    Nothing is written before everything has been checked, and every file appears completely or not at all. Of the
    numbers, one tensor at a time is in memory.

    Raises:
        CheckpointError: a file is not what it should be (``MisfitError`` lists the tensors), or numbers are not finite.
        HandModelFileError: the MANO file is not what it should be.
        FileExistsError: there are weights already and ``overwrite`` is False.
        OSError: the folder cannot be written or is full.

    """
    weights = request.folder / WEIGHTS_FILE
    if weights.exists() and not request.overwrite:
        raise FileExistsError(f'{weights} exists: give --overwrite to replace it, or another folder')
    config = replace(preset_config(PRESET), fusion=False)
    named = {'cut3r': request.cut3r, 'hamer': request.hamer, 'mano': request.mano}
    given = {kind: path for kind, path in named.items() if path is not None}
    with ExitStack() as stack:
        downloads = stack.enter_context(Downloads(request.folder, report))
        files = downloads.files(given, request.downloads, NEEDED)
        mano = load_mano_file(files['mano']) if 'mano' in files else None
        parts = [
            _inspect('cut3r', stack.enter_context(open_checkpoint(files['cut3r'])), scene_layout(config), request),
            _inspect('hamer', stack.enter_context(open_checkpoint(files['hamer'])), hand_layout(config), request),
        ]
        parts = [_with_warnings(part, config) for part in parts]
        request.folder.mkdir(parents=True, exist_ok=True)
        sources = {part.key: _source_record(part, report) for part in parts}
        report(f'writing {weights}')
        written = _write_weights(weights, parts, config, sources)
        if mano is not None:
            sources['mano'] = _write_mano(mano, files['mano'], request.folder)
    warnings = tuple(f'{part.checkpoint.source}: {warning}' for part in parts for warning in part.warnings)
    content = {
        'note': NOT_REDISTRIBUTED,
        'made_by': f'hand3r_ros {__version__}, hand3r convert',
        'weights': written,
        'sources': sources,
        'warnings': list(warnings),
    }
    with replacing(request.folder / SOURCES_FILE) as file:
        file.write(json.dumps(content, indent=2).encode() + b'\n')
    return ConversionResult(
        weights,
        request.folder / SOURCES_FILE,
        None if mano is None else request.folder / MANO_FILE,
        written['tensors'],
        warnings,
    )


def _write_weights(
    path: Path, parts: Sequence[_Part], config: Hand3RConfig, sources: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Writes the safetensors file; returns what the record of sources says about it."""
    chosen = [(name, part, tensor) for part in parts for name, tensor in part.match.chosen.items()]
    entries = [_entry(name, tensor) for name, _, tensor in chosen]
    require_space(path.parent, sum(entry.size for entry in entries), 'a file of the weights')
    metadata = {
        'preset': PRESET,
        'hand_model': hand_data.MANO,
        'sources': {key: record['sha256'] for key, record in sources.items()},
        'licence': NOT_REDISTRIBUTED,
    }
    numbers = (_numbers(name, part, tensor) for name, part, tensor in chosen)
    size, digest = write_safetensors(path, entries, numbers, weights_header(config, metadata, path))
    return {'file': path.name, 'bytes': size, 'sha256': digest, 'tensors': len(entries)}


def _inspect(key: str, checkpoint: TorchCheckpoint, layout: Layout, request: ConversionRequest) -> _Part:
    """Compares names and shapes, before any number is read."""
    found = match_tensors(checkpoint.tensors, layout)
    if found.complete and (request.allow_unexpected or not found.unexpected):
        return _Part(key, layout, checkpoint, found, ())
    source = layout.source
    looks = describe(found, len(checkpoint.tensors))
    if len(found.missing) > len(layout.parameters) // 2:
        reason = f'{checkpoint.source} is {looks}, not {source.title}'
    else:
        reason = f'{checkpoint.source}, {looks}, does not fit: {found.summary()}'
    if found.complete:
        advice = 'If the file is right, --allow-unexpected leaves those tensors out'
    else:
        advice = f'Expected: {source.file_name} with {len(layout.parameters)} tensors, from {source.where}'
    raise MisfitError(f'{reason}. {advice}', tuple(found.problems()))


def _with_warnings(part: _Part, config: Hand3RConfig) -> _Part:
    differences = {'cut3r': scene_differences, 'hamer': hand_differences}[part.key]
    warnings = list(differences(part.checkpoint.content, config))
    if names := part.checkpoint.foreign_names:
        warnings.append(f'it names objects of unknown packages, which were ignored: {", ".join(names[:10])}')
    if part.match.unexpected:
        warnings.append(f'left out, unknown here: {", ".join(part.match.unexpected)}')
    for name, second, first in part.match.tied:
        if not np.array_equal(second.read(part.checkpoint.archive), first.read(part.checkpoint.archive)):
            raise CheckpointError(f'{part.checkpoint.source}: {name} differs from the tensor it should be tied to')
    return replace(part, warnings=tuple(warnings))


def _entry(name: str, tensor: StoredTensor) -> Entry:
    return Entry(name, 'float32' if tensor.element_type == 'float64' else tensor.element_type, tensor.shape)


def _numbers(name: str, part: _Part, tensor: StoredTensor) -> NDArray[Any]:
    numbers = tensor.read(part.checkpoint.archive)
    if not _is_finite(numbers, tensor.element_type):
        raise CheckpointError(f'{part.checkpoint.source}: {name} holds values that are not finite')
    return numbers.astype(np.float32) if tensor.element_type == 'float64' else numbers


def _is_finite(numbers: NDArray[Any], element_type: str) -> bool:
    if element_type == 'bfloat16':  # its bits: an exponent of ones is infinity or NaN
        return bool(((numbers & 0x7F80) != 0x7F80).all())
    return bool(np.isfinite(numbers).all())


def _source_record(part: _Part, report: Report) -> dict[str, Any]:
    file = part.checkpoint.source
    report(f'reading {file}')
    record = _file_record(file, part.layout.source)
    record['tensors_used'] = len(part.match.chosen)
    record['tensors_ignored'] = [*part.match.ignored, *part.match.unexpected]
    return record


def _file_record(file: StoredFile, source: Source) -> dict[str, Any]:
    with file.open() as opened:
        digest = _sha256(opened)
    record = {'title': source.title, 'file': file.name, 'bytes': file.size, 'sha256': digest}
    if source.sha256 is not None:
        record['is_the_known_release'] = digest == source.sha256
    return record | {'from': source.where, 'licence': source.licence}


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    for chunk in iter(lambda: file.read(4 * 2**20), b''):
        digest.update(chunk)
    return digest.hexdigest()


def _write_mano(mano: hand_data.HandModelData, file: StoredFile, folder: Path) -> dict[str, Any]:
    record = _file_record(file, MANO)  # before it may be replaced: it can be the same file
    with replacing(folder / MANO_FILE) as target:
        np.savez(target, **{name: getattr(mano, name) for name in hand_data.ARRAY_NAMES})
    return record | {'converted_to': MANO_FILE}
