"""Sessions on disk: one safetensors file that holds everything the next frame depends on, and what it belongs to.

The header says which preset, configuration and weights the recurrent state is of; in other weights its numbers mean
nothing, so a file that does not fit is refused by name. A checksum over header and tensors finds damage that leaves
the file readable.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from hand3r_ros.online.session_memory import SessionMemory
from hand3r_ros.online.state_codec import decode, encode

SUFFIX = '.safetensors'
HEADER_KEY, CHECKSUM_KEY = 'hand3r_ros_session', 'sha256'
FORMAT = 2
_SAMPLES = 1024
"""Values of each parameter that count for the identity of weights."""


class StateFileError(ValueError):
    """A state file is missing, damaged, or of another network; the message says which and what to do."""


@dataclass(frozen=True)
class StateOwner:
    """What a recurrent state belongs to; only the same owner can use it."""

    preset: str
    config_hash: str
    """Of ``Hand3RConfig``, see ``network.checkpoints.config_hash``."""
    weights: str
    """See ``weights_identity``."""
    pose_source: str


def weights_identity(network: nn.Module) -> str:
    """Sixteen hexadecimal digits that tell trained networks of one configuration apart.

    They come from evenly spaced values of every parameter, not from all of them: the full-size network has six
    gigabytes, and training changes every value.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        flat = tensor.detach().reshape(-1)
        sample = flat[:: max(1, len(flat) // _SAMPLES)].float().cpu().contiguous()
        digest.update(f'{name} {list(tensor.shape)}'.encode())
        digest.update(sample.numpy().tobytes())
    return digest.hexdigest()[:16]


def write_state(path: Path, memory: SessionMemory, owner: StateOwner) -> None:
    """Writes a session; the file appears completely or not at all. Its folder is made if it does not exist.

    Raises:
        OSError: the file cannot be written.

    """
    tensors: dict[str, Tensor] = {}
    tree = encode(memory, tensors)
    header = json.dumps({'format': FORMAT, **dataclasses.asdict(owner), 'memory': tree}, allow_nan=False)
    metadata = {HEADER_KEY: header, CHECKSUM_KEY: _checksum(header, tensors)}
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + '.part')
    try:
        save_file(tensors, unfinished, metadata=metadata)
        unfinished.replace(path)
    except SafetensorError as error:  # how safetensors reports a full disk, among others
        raise OSError(f'{path} cannot be written: {error}') from error
    finally:
        unfinished.unlink(missing_ok=True)


def read_state(path: Path, owner: StateOwner) -> SessionMemory:
    """The session in a file, if it is one of ``owner``.

    Raises:
        StateFileError: the file is missing, damaged, no state file, or of another network or pose source.

    """
    header, tensors = _read(path)
    try:
        content = json.loads(header)
        if content['format'] != FORMAT:
            raise StateFileError(f'{path} has format {content["format"]!r}, this version reads {FORMAT}: save it anew')
        _check_owner(path, content, owner)
        return decode(SessionMemory, content['memory'], tensors)
    except StateFileError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StateFileError(
            f'{path} cannot be understood ({type(error).__name__}: {error}): it was edited, or written by another '
            'version of hand3r_ros'
        ) from error


def _read(path: Path) -> tuple[str, dict[str, Tensor]]:
    if not path.is_file():
        raise StateFileError(f'state file {path} does not exist')
    try:
        with safe_open(path, framework='pt') as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError) as error:
        raise StateFileError(f'{path} is damaged or no safetensors file: {error}') from error
    header = metadata.get(HEADER_KEY)
    if header is None:
        raise StateFileError(f'{path} is a safetensors file, but not one with a saved session of hand3r_ros')
    if metadata.get(CHECKSUM_KEY) != _checksum(header, tensors):
        raise StateFileError(f'{path} is damaged: its content does not fit its checksum')
    return header, tensors


def _check_owner(path: Path, content: Mapping[str, Any], owner: StateOwner) -> None:
    wanted = dataclasses.asdict(owner)
    differences = [
        f'{name} {content[name]!r} instead of {wanted[name]!r}' for name in wanted if content[name] != wanted[name]
    ]
    if differences:
        raise StateFileError(
            f'the session in {path} is of another network or setting ({"; ".join(differences)}): load it with those '
            'it was saved with'
        )


def _checksum(header: str, tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(header.encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f'{name} {tensor.dtype} {list(tensor.shape)}'.encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b'')
    return digest.hexdigest()
