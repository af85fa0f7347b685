"""Makes the weights of preset 'full' from the public checkpoints: checked, joined, written in one safe format."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from hand3r_ros import __version__
from hand3r_ros.checkpoints.errors import CheckpointError, MisfitError
from hand3r_ros.checkpoints.fitting import Fit, Layout, describe, fit, hand_layout, scene_layout
from hand3r_ros.checkpoints.identify import other_kind
from hand3r_ros.checkpoints.settings import hand_differences, scene_differences
from hand3r_ros.checkpoints.sources import MANO, Source
from hand3r_ros.checkpoints.tensors import StoredTensor
from hand3r_ros.checkpoints.torch_checkpoint import TorchCheckpoint, open_checkpoint
from hand3r_ros.checkpoints.writing import Entry, replacing, write_safetensors
from hand3r_ros.hand_model import data as hand_data
from hand3r_ros.hand_model.unpickling import HandModelFileError
from hand3r_ros.network.checkpoints import weights_header
from hand3r_ros.network.config import Hand3RConfig
from hand3r_ros.network.presets import preset as preset_config

PRESET = 'full'
WEIGHTS_FILE = f'{PRESET}.safetensors'
SOURCES_FILE = f'{PRESET}.sources.json'
MANO_FILE = 'MANO_RIGHT.npz'
NOT_REDISTRIBUTED = (
    'Made from files under the licences named here, which bind whoever uses the result. MANO, also in this form, must '
    'not be passed on to anybody.'
)

Report = Callable[[str], None]


@dataclass(frozen=True)
class ConversionRequest:
    """What to convert and where to."""

    cut3r: Path
    hamer: Path
    folder: Path
    mano: Path | None = None
    overwrite: bool = False
    allow_unexpected: bool = False
    """Go on when a checkpoint has tensors that are not in the key maps; they are listed and left out."""


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
    fit: Fit
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
    mano = None if request.mano is None else _load_mano(request.mano)
    with ExitStack() as stack:
        parts = [
            _inspect('cut3r', stack.enter_context(open_checkpoint(request.cut3r)), scene_layout(config), request),
            _inspect('hamer', stack.enter_context(open_checkpoint(request.hamer)), hand_layout(config), request),
        ]
        parts = [_with_warnings(part, config) for part in parts]
        request.folder.mkdir(parents=True, exist_ok=True)
        sources = {part.key: _source_record(part, report) for part in parts}
        report(f'writing {weights}')
        written = _write_weights(weights, parts, config, sources)
    if mano is not None and request.mano is not None:
        sources['mano'] = _write_mano(mano, hand_data.find_mano_file(request.mano), request.folder)
    warnings = tuple(f'{part.checkpoint.path}: {warning}' for part in parts for warning in part.warnings)
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
    chosen = [(name, part, tensor) for part in parts for name, tensor in part.fit.chosen.items()]
    entries = [_entry(name, tensor) for name, _, tensor in chosen]
    _require_space(path.parent, sum(entry.size for entry in entries))
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
    found = fit(checkpoint.tensors, layout)
    if found.complete and (request.allow_unexpected or not found.unexpected):
        return _Part(key, layout, checkpoint, found, ())
    source = layout.source
    looks = describe(found, len(checkpoint.tensors))
    if len(found.missing) > len(layout.parameters) // 2:
        reason = f'{checkpoint.path} is {looks}, not {source.title}'
    else:
        reason = f'{checkpoint.path}, {looks}, does not fit: {found.summary()}'
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
    if part.fit.unexpected:
        warnings.append(f'left out, unknown here: {", ".join(part.fit.unexpected)}')
    for name, second, first in part.fit.tied:
        if not np.array_equal(second.read(part.checkpoint.archive), first.read(part.checkpoint.archive)):
            raise CheckpointError(f'{part.checkpoint.path}: {name} differs from the tensor it should be tied to')
    return replace(part, warnings=tuple(warnings))


def _entry(name: str, tensor: StoredTensor) -> Entry:
    return Entry(name, 'float32' if tensor.element_type == 'float64' else tensor.element_type, tensor.shape)


def _numbers(name: str, part: _Part, tensor: StoredTensor) -> NDArray[Any]:
    numbers = tensor.read(part.checkpoint.archive)
    if not _is_finite(numbers, tensor.element_type):
        raise CheckpointError(f'{part.checkpoint.path}: {name} holds values that are not finite')
    return numbers.astype(np.float32) if tensor.element_type == 'float64' else numbers


def _is_finite(numbers: NDArray[Any], element_type: str) -> bool:
    if element_type == 'bfloat16':  # its bits: an exponent of ones is infinity or NaN
        return bool(((numbers & 0x7F80) != 0x7F80).all())
    return bool(np.isfinite(numbers).all())


def _source_record(part: _Part, report: Report) -> dict[str, Any]:
    path = part.checkpoint.path
    report(f'reading {path}')
    record = _file_record(path, part.layout.source)
    record['tensors_used'] = len(part.fit.chosen)
    record['tensors_ignored'] = [*part.fit.ignored, *part.fit.unexpected]
    return record


def _file_record(path: Path, source: Source) -> dict[str, Any]:
    with path.open('rb') as file:
        digest = _sha256(file)
    record = {'title': source.title, 'file': path.name, 'bytes': path.stat().st_size, 'sha256': digest}
    if source.sha256 is not None:
        record['is_the_known_release'] = digest == source.sha256
    return record | {'from': source.where, 'licence': source.licence}


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    for chunk in iter(lambda: file.read(4 * 2**20), b''):
        digest.update(chunk)
    return digest.hexdigest()


def _load_mano(path: Path) -> hand_data.HandModelData:
    try:
        return hand_data.load_mano(path)
    except HandModelFileError as error:
        kind = other_kind(path)
        if kind is None:
            raise
        raise CheckpointError(f'{path} is {kind}. Expected: {MANO.file_name}, from {MANO.where}') from error


def _write_mano(mano: hand_data.HandModelData, path: Path, folder: Path) -> dict[str, Any]:
    with replacing(folder / MANO_FILE) as file:
        np.savez(file, **{name: getattr(mano, name) for name in hand_data.ARRAY_NAMES})
    return _file_record(path, MANO) | {'converted_to': MANO_FILE}


def _require_space(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size * 1.01:
        raise OSError(f'{folder} has {free / 1e9:.1f} GB free, the weights need {size / 1e9:.1f} GB')
