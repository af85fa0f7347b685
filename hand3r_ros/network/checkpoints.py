"""Weights on disk: one safetensors file per preset; its header says what they were trained for.

safetensors holds numbers only, so a file from a stranger can be wrong but cannot run code. The header says which
preset, configuration and hand model the weights were trained for; anything that does not fit is refused by name.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from hand3r_ros.network.config import Hand3RConfig
from hand3r_ros.network.detection.config import DetectionHeadConfig
from hand3r_ros.network.hand.config import HandConfig
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset as preset_config
from hand3r_ros.network.prompt import PromptConfig
from hand3r_ros.network.scene.config import SceneConfig, StemConfig
from hand3r_ros.safetensors_files import write_tensors

HEADER_KEY = 'hand3r_ros'
REQUIRED_METADATA = ('preset', 'hand_model')
RECOMMENDABLE_POSE_SOURCES = ('network', 'geometric')
"""What the metadata key 'pose_source' may say; absent it means 'network', the paper's own."""


class WeightsError(RuntimeError):
    """A weights file is missing, damaged, or not what was asked for; the message says which and what to do."""


@dataclass(frozen=True)
class WeightsInfo:
    """What the header of a weights file says."""

    path: Path
    preset: str
    hand_model: str
    """Id of the hand model whose rotations and betas the weights predict ('open_hand', 'mano')."""
    config: Hand3RConfig
    config_hash: str
    metadata: Mapping[str, Any]
    """Everything that was given to ``save_network``."""

    @property
    def pose_source(self) -> str:
        """Where the camera pose is best taken from with these weights, as measured by whoever trained them."""
        return str(self.metadata.get('pose_source', RECOMMENDABLE_POSE_SOURCES[0]))


def save_network(path: Path | str, network: Hand3R, metadata: Mapping[str, Any], half: bool = False) -> None:
    """Writes all parameters and the header; the file appears completely or not at all.

    Args:
        path: ending in ``.safetensors``; its folder must exist.
        network: what to save; its configuration goes into the header.
        metadata: JSON values; 'preset' and 'hand_model' are required, 'pose_source' may name the better source of
            the camera pose, one of ``RECOMMENDABLE_POSE_SOURCES``.
        half: store float16, for a file of half the size.

    Raises:
        ValueError: required metadata is missing, a value is not allowed, or cannot be written as JSON.

    """
    path = Path(path)
    header = weights_header(network.config, metadata, path)
    tensors = {
        name: tensor.half() if half and tensor.is_floating_point() else tensor
        for name, tensor in network.state_dict().items()
    }
    write_tensors(path, tensors, header)


def weights_header(config: Hand3RConfig, metadata: Mapping[str, Any], path: Path | str) -> dict[str, str]:
    """What the header of a weights file says beside its tensors; ``path`` is for messages.

    Raises:
        ValueError: as ``save_network``.

    """
    if absent := [key for key in REQUIRED_METADATA if not isinstance(metadata.get(key), str)]:
        raise ValueError(f'metadata of {path} must name {absent} as text')
    _check_pose_source(metadata)
    content = {
        'metadata': dict(metadata),
        'config': dataclasses.asdict(config),
        'config_hash': config_hash(config),
    }
    try:
        return {HEADER_KEY: json.dumps(content)}
    except TypeError as error:
        raise ValueError(f'metadata of {path} must consist of JSON values: {error}') from error


def load_network(weights_dir: Path | str, preset: str) -> tuple[Hand3R, WeightsInfo]:
    """The network of a preset with the weights of ``<weights_dir>/<preset>.safetensors``, in evaluation mode.

    Raises:
        ValueError: there is no such preset.
        WeightsError: the file is missing, truncated, not one of ours, of another preset or size, or not finite.

    """
    preset_config(preset)  # the name becomes part of a path
    info = read_weights_info(Path(weights_dir) / f'{preset}.safetensors')
    wanted = require_configuration(info, preset)
    # Initialising parameters that are about to be replaced takes half a minute at full size.
    with torch.device('meta'):
        network = Hand3R(wanted)
    check_shapes(info.path, network.state_dict())  # before memory is taken for sizes that the file speaks of
    network.to_empty(device='cpu')
    fill(network.state_dict(), info.path)
    return network.eval(), info


def require_configuration(info: WeightsInfo, preset: str) -> Hand3RConfig:
    """The configuration of a preset with what these weights have of its optional parts.

    Raises:
        ValueError: there is no such preset.
        WeightsError: the weights are of another preset or of other sizes.

    """
    if info.preset != preset:
        raise WeightsError(f'{info.path} holds weights of preset {info.preset!r}, not {preset!r}: use its own name')
    # What the weights were trained for beyond both streams is their own property: the two public checkpoints come
    # without fusion, and the detection head is added last.
    wanted = dataclasses.replace(preset_config(preset), fusion=info.config.fusion, detection=info.config.detection)
    if info.config != wanted:
        differences = '; '.join(_differences(dataclasses.asdict(info.config), dataclasses.asdict(wanted)))
        raise WeightsError(
            f'{info.path} was made for another {preset!r} configuration ({differences}): train or convert it again '
            'with this version'
        )
    return wanted


def read_weights_info(path: Path | str) -> WeightsInfo:
    """The header of a weights file, without reading its tensors.

    Raises:
        WeightsError: the file is missing, truncated or not one of ours.

    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(
            f'weights file {path.absolute()} does not exist: check the parameter weights_dir and $HAND3R_WEIGHTS, or '
            'make the file with `hand3r convert` (preset full) or `hand3r-lab train`; `hand3r weights` lists what is '
            'found and where the rest comes from'
        )
    try:
        with safe_open(path, framework='pt') as file:
            header = (file.metadata() or {}).get(HEADER_KEY)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f'{path} is damaged or no safetensors file ({error}): copy or download it again') from error
    if header is None:
        raise WeightsError(
            f'{path} is a safetensors file, but not one of hand3r_ros (no {HEADER_KEY!r} in its header): '
            'public checkpoints must be converted with `hand3r convert`'
        )
    try:
        content = json.loads(header)
        metadata = content['metadata']
        preset, hand_model = (str(metadata[key]) for key in REQUIRED_METADATA)
        _check_pose_source(metadata)
        config = _config_from(content['config'])
        return WeightsInfo(path, preset, hand_model, config, str(content['config_hash']), metadata)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise WeightsError(
            f'the header of {path} cannot be read ({type(error).__name__}: {str(error)[:200]}): '
            'it was written by another version of hand3r_ros or edited'
        ) from error


def _check_pose_source(metadata: Mapping[str, Any]) -> None:
    found = metadata.get('pose_source', RECOMMENDABLE_POSE_SOURCES[0])
    if found not in RECOMMENDABLE_POSE_SOURCES:
        raise ValueError(f"metadata 'pose_source' is {found!r}, not one of {', '.join(RECOMMENDABLE_POSE_SOURCES)}")


def config_hash(config: Hand3RConfig) -> str:
    """Sixteen hexadecimal digits that change with any field of the configuration."""
    text = json.dumps(dataclasses.asdict(config), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def check_shapes(path: Path, expected: Mapping[str, Tensor]) -> None:
    """Compares all names and shapes of a file with those of ``expected``, whose numbers play no part.

    Raises:
        WeightsError: they differ, or the file is damaged.

    """
    with _opened(path) as file:
        shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118 (not a mapping)
    _require_none(path, _misfits(shapes, expected))


def fill(expected: Mapping[str, Tensor], path: Path) -> None:
    """Copies the file's tensors into ``expected``, one by one, after comparing all names and shapes.

    Raises:
        WeightsError: as ``check_shapes``, or numbers are not finite.

    """
    check_shapes(path, expected)
    with _opened(path) as file:
        # Each tensor is read from the disk once; the file may be larger than what the cache can keep.
        _require_none(
            path,
            [f'{name} is not finite' for name in expected if not _copy(file.get_tensor(name), expected[name])],
        )


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework='pt') as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise WeightsError(f'{path} is damaged ({error}): copy or download it again') from error


def _require_none(path: Path, problems: list[str]) -> None:
    if problems:
        more = f' and {len(problems) - 3} more' if len(problems) > 3 else ''
        raise WeightsError(f'the tensors of {path} do not fit the network: {"; ".join(problems[:3])}{more}')


def _misfits(shapes: Mapping[str, list[int]], expected: Mapping[str, Tensor]) -> list[str]:
    problems = [f'{name} is missing' for name in sorted(expected.keys() - shapes.keys())]
    problems += [f'{name} is unknown' for name in sorted(shapes.keys() - expected.keys())]
    problems += [
        f'{name} is {shapes[name]} instead of {list(expected[name].shape)}'
        for name in sorted(expected.keys() & shapes.keys())
        if shapes[name] != list(expected[name].shape)
    ]
    return problems


def _copy(source: Tensor, target: Tensor) -> bool:
    """Copies into ``target``, whatever the precision of ``source``; False if the numbers are not finite."""
    target.copy_(source)
    return bool(target.isfinite().all())


def _config_from(content: Mapping[str, Any]) -> Hand3RConfig:
    """Inverse of ``dataclasses.asdict`` after JSON; fields that an older file lacks take their defaults."""
    parts: dict[str, type] = {'scene': SceneConfig, 'hand': HandConfig, 'prompt': PromptConfig}
    nested: dict[str, Any] = {name: kind(**_field_values(content[name])) for name, kind in parts.items()}
    if content.get('detection') is not None:
        nested['detection'] = DetectionHeadConfig(**_field_values(content['detection']))
    return Hand3RConfig(**nested, **{name: value for name, value in content.items() if name not in nested})


def _field_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """What JSON made of the fields of a configuration class, as it was before."""

    def restored(value: Any) -> Any:
        if isinstance(value, list):
            return tuple(value)
        return StemConfig(**value) if isinstance(value, dict) else value

    return {name: restored(value) for name, value in values.items()}


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any], prefix: str = '') -> list[str]:
    """Fields that differ, as 'scene.encoder_width is 192 instead of 256'."""
    differences: list[str] = []
    for name, value in wanted.items():
        if isinstance(value, Mapping):
            differences += _differences(found[name], value, f'{prefix}{name}.')
        elif found[name] != value:
            differences.append(f'{prefix}{name} is {found[name]} instead of {value}')
    return differences
