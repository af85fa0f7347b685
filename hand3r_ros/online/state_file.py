"""Sessions on disk: one safetensors file with everything the next frame depends on, and what it belongs to.

The header says which preset, configuration and weights the recurrent state is of; in other weights its numbers mean
nothing, so a file that does not fit is refused by name. A checksum over header and tensors finds damage that leaves
the file readable. It has no key: whoever wants to can write a file that fits it, so what is read is believed no more
than that. ``state_schema`` judges the header before memory is taken for the tensors.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from hand3r_ros.files import FilePlace, reading
from hand3r_ros.online.session_memory import SessionMemory
from hand3r_ros.online.state_codec import decode, encode, tensor_names
from hand3r_ros.online.state_schema import check_tensors
from hand3r_ros.safetensors_files import read_header, read_tensor, tensor_bytes, write_tensors

SUFFIX = '.safetensors'
HEADER_KEY, CHECKSUM_KEY = 'hand3r_ros_session', 'sha256'
FORMAT = 3
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


def write_state(place: FilePlace, memory: SessionMemory, owner: StateOwner) -> None:
    """Writes a session; the file appears completely or not at all. Its folder is made if it does not exist.

    Raises:
        OSError: the file cannot be written.

    """
    tensors: dict[str, Tensor] = {}
    tree = encode(memory, tensors)
    header = json.dumps({'format': FORMAT, **dataclasses.asdict(owner), 'memory': tree}, allow_nan=False)
    metadata = {HEADER_KEY: header, CHECKSUM_KEY: _checksum(header, tensors)}
    write_tensors(place, tensors, metadata)


def read_state(place: FilePlace, owner: StateOwner, most_voxels: int) -> SessionMemory:
    """The session in a file, if it is one of ``owner`` and its map has at most ``most_voxels``.

    Raises:
        StateFileError: the file is missing, damaged, too large, no state file, or of another network or pose source.

    """
    header, tensors = _read(place, most_voxels)
    try:
        content = json.loads(header)
        if content['format'] != FORMAT:
            raise StateFileError(
                f'{place} has format {reprlib.repr(content["format"])}, this version reads {FORMAT}: save it again'
            )
        _check_owner(place, content, owner)
        memory = decode(SessionMemory, content['memory'], tensors)
        if unknown := tensors.keys() - tensor_names(content['memory']):
            raise ValueError(f'nothing is said about its tensor {min(unknown)!r}')
        return memory
    except StateFileError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise StateFileError(
            f'{place} cannot be understood ({type(error).__name__}: {error}): it was edited, or written by another '
            'version of hand3r_ros'
        ) from error


def _read(place: FilePlace, most_voxels: int) -> tuple[str, dict[str, Tensor]]:
    try:
        with reading(place) as file:
            header = read_header(file)
            text = header.metadata.get(HEADER_KEY)
            if text is None:
                raise StateFileError(f'{place} is a safetensors file, but not one with a saved session of hand3r_ros')
            check_tensors(header.tensors, most_voxels)
            tensors = {name: read_tensor(file, entry) for name, entry in header.tensors.items()}
    except StateFileError:
        raise
    except FileNotFoundError as error:
        raise StateFileError(f'state file {place} does not exist') from error
    except OSError as error:
        raise StateFileError(f'state file {place} cannot be read: {error.strerror or error}') from error
    except ValueError as error:
        raise StateFileError(f'{place} is damaged, edited or no state file: {error}') from error
    if header.metadata.get(CHECKSUM_KEY) != _checksum(text, tensors):
        raise StateFileError(f'{place} is damaged: its content does not fit its checksum')
    return text, tensors


def _check_owner(place: FilePlace, content: Mapping[str, Any], owner: StateOwner) -> None:
    wanted = dataclasses.asdict(owner)
    differences = [
        f'{name} {reprlib.repr(content[name])} instead of {expected!r}'
        for name, expected in wanted.items()
        if content[name] != expected
    ]
    if differences:
        raise StateFileError(
            f'the session in {place} is of another network or setting ({"; ".join(differences)}): load it with those '
            'it was saved with'
        )


def _checksum(header: str, tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(header.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f'{name} {tensor.dtype} {list(tensor.shape)}'.encode())
        digest.update(tensor_bytes(tensor).data)
    return digest.hexdigest()
