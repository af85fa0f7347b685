"""Compares the tensors of a checkpoint with what the network needs, by name and shape, and lists what does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch

from hand3r_ros.checkpoints.known_networks import UNKNOWN, known_network
from hand3r_ros.checkpoints.sources import CUT3R, HAMER, Source
from hand3r_ros.checkpoints.tensors import StoredTensor
from hand3r_ros.network.config import Hand3RConfig
from hand3r_ros.network.hand import key_map as hand_keys
from hand3r_ros.network.hand.stream import HandStream
from hand3r_ros.network.scene import key_map as scene_keys
from hand3r_ros.network.scene.stream import SceneStream
from hand3r_ros.network.wrapped_names import unwrapped_names

Shape = tuple[int, ...]
FLOATING = frozenset(('float64', 'float32', 'float16', 'bfloat16'))
SHOWN = 3


@dataclass(frozen=True)
class Layout:
    """What a published checkpoint must hold."""

    source: Source
    prefix: str
    """Of the stream's parameters in ``Hand3R.state_dict``."""
    parameters: Mapping[str, str]
    """Name in the checkpoint to name in the stream's state dict."""
    shapes: Mapping[str, Shape]
    """By name in the checkpoint, second names of tied tensors included."""
    duplicates: Mapping[str, str] = field(default_factory=dict)
    """Second name of a tied tensor to its first."""
    ignored: frozenset[str] = frozenset()
    """Known and not needed; may be absent."""
    ignored_prefixes: tuple[str, ...] = ()
    """Of names that are not needed either."""

    def ignores(self, name: str) -> bool:
        """Whether a tensor is known and not needed."""
        return name in self.ignored or name.startswith(self.ignored_prefixes)


@dataclass(frozen=True)
class TensorMatch:
    """What became of the tensors of one checkpoint."""

    chosen: Mapping[str, StoredTensor]
    """By name in ``Hand3R.state_dict``."""
    tied: tuple[tuple[str, StoredTensor, StoredTensor], ...]
    """Tensors stored twice, which must hold the same numbers."""
    ignored: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    misshapen: tuple[str, ...]
    """Each with what it is and what it should be."""
    family: str
    """Which network the names look like."""

    @property
    def complete(self) -> bool:
        """Whether every tensor that is needed is there with its shape."""
        return not (self.missing or self.misshapen)

    def problems(self) -> Iterator[str]:
        """One line for every tensor that does not fit."""
        yield from (f'missing     {name}' for name in self.missing)
        yield from (f'misshapen   {name}' for name in self.misshapen)
        yield from (f'unexpected  {name}' for name in self.unexpected)

    def summary(self) -> str:
        """Counts with the first few names of each kind."""
        kinds = (('missing', self.missing), ('of another shape', self.misshapen), ('unexpected', self.unexpected))
        return '; '.join(f'{len(names)} {kind} ({_first(names)})' for kind, names in kinds if names)


def scene_layout(config: Hand3RConfig) -> Layout:
    """CUT3R's checkpoint at the sizes of ``config``."""
    keys = scene_keys.checkpoint_key_map(config.scene)
    with torch.device('meta'):
        own = {name: tuple(tensor.shape) for name, tensor in SceneStream(config.scene).state_dict().items()}
    shapes = {theirs: own[ours] for theirs, ours in keys.parameters.items()}
    shapes |= {second: shapes[first] for second, first in keys.duplicates.items()}
    return Layout(CUT3R, 'scene.', keys.parameters, shapes, keys.duplicates, keys.unused)


def hand_layout(config: Hand3RConfig) -> Layout:
    """HaMeR's checkpoint at the sizes of ``config``."""
    parameters = hand_keys.checkpoint_key_map(config.hand)
    with torch.device('meta'):
        own = {name: tuple(tensor.shape) for name, tensor in HandStream(config.hand).state_dict().items()}
    shapes = {theirs: own[ours] for theirs, ours in parameters.items()}
    ignored = (hand_keys.IGNORED_NAMES, hand_keys.IGNORED_PREFIXES)
    return Layout(HAMER, 'hand.', parameters, shapes, {}, *ignored)


def match_tensors(tensors: Mapping[str, StoredTensor], layout: Layout) -> TensorMatch:
    """Sorts the tensors of a checkpoint."""
    bare = unwrapped_names(tensors)
    tensors = {bare[name]: tensor for name, tensor in tensors.items()}
    available = dict(tensors)
    tied: list[tuple[str, StoredTensor, StoredTensor]] = []
    for second, first in layout.duplicates.items():
        if second in tensors and available.setdefault(first, tensors[second]) != tensors[second]:
            tied.append((second, tensors[second], available[first]))
    ignored = {name for name in tensors if layout.ignores(name)}
    return TensorMatch(
        chosen={
            layout.prefix + ours: available[theirs] for theirs, ours in layout.parameters.items() if theirs in available
        },
        tied=tuple(tied),
        ignored=tuple(sorted(ignored)),
        missing=tuple(sorted(layout.parameters.keys() - available.keys())),
        unexpected=tuple(sorted(tensors.keys() - layout.shapes.keys() - ignored)),
        misshapen=tuple(_misshapen(tensors, layout)),
        family=known_network(tensors),
    )


def _misshapen(tensors: Mapping[str, StoredTensor], layout: Layout) -> Iterator[str]:
    for name in sorted(tensors.keys() & layout.shapes.keys()):
        tensor, wanted = tensors[name], layout.shapes[name]
        if tensor.shape != wanted:
            yield f'{name} {list(tensor.shape)} instead of {list(wanted)}'
        elif tensor.element_type not in FLOATING:
            yield f'{name} {tensor.element_type} instead of float32'


def describe(match: TensorMatch, tensor_count: int) -> str:
    """What the checkpoint looks like, for a message."""
    looks = 'looks like no network known here' if match.family == UNKNOWN else f'looks like {match.family}'
    return f'a torch checkpoint with {tensor_count} tensors that {looks}'


def _first(names: tuple[str, ...]) -> str:
    shown = ', '.join(name[:120] for name in names[:SHOWN])
    return f'{shown}, ...' if len(names) > SHOWN else shown
