"""Schema of a saved session: names, types and shapes of its tensors, checked before any data is read.

Sizes that depend on the network or on the pose source are compared with theirs once they are read
(``session_memory.check_scene``, ``PoseSource.restore``); here they are only kept within what any of them can have.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from hand3r_ros.safetensors_files import TensorEntry

MOST_TENSORS = 5000
LARGEST_REST = 2**28
"""Bytes of everything but the map; a state of the full-size network has ten megabytes."""

_FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
_NUMBERS = (torch.float32, torch.float64)
_ANY = (*_NUMBERS, torch.int64, torch.int32, torch.uint8, torch.bool)


@dataclass(frozen=True)
class _Rule:
    """Tensors of these names have one of these types and this shape; None: any size."""

    name: re.Pattern[str]
    dtypes: tuple[torch.dtype, ...]
    shape: tuple[int | None, ...] | None
    """None: up to four dimensions."""

    def fits(self, entry: TensorEntry) -> bool:
        if entry.dtype not in self.dtypes:
            return False
        if self.shape is None:
            return len(entry.shape) <= 4
        pairs = zip(self.shape, entry.shape, strict=False)
        return len(self.shape) == len(entry.shape) and all(wanted in (None, found) for wanted, found in pairs)


def _rule(name: str, dtypes: tuple[torch.dtype, ...], shape: tuple[int | None, ...] | None) -> _Rule:
    return _Rule(re.compile(name, re.ASCII), dtypes, shape)


_HAND = r'session\.previous_hands\.\d{1,3}\.'
_RULES = (
    _rule(r'session\.scene\.(initial_)?(tokens|memory)', _FLOATS, (1, None, None)),
    _rule(r'session\.scene\.positions', (torch.int64,), (1, None, 2)),
    _rule(r'session\.scene\.fresh', (torch.bool,), (1,)),
    _rule(_HAND + 'box', _NUMBERS, (4,)),
    _rule(_HAND + 'vertices_(camera|world)', _NUMBERS, (778, 3)),
    _rule(_HAND + 'keypoints_(camera|world)', _NUMBERS, (21, 3)),
    _rule(_HAND + 'keypoints_image', _NUMBERS, (21, 2)),
    _rule(_HAND + 'T_(camera|world)_wrist', _NUMBERS, (4, 4)),
    _rule(_HAND + '(global_orient|translation|velocity_world)', _NUMBERS, (3,)),
    _rule(_HAND + 'hand_pose', _NUMBERS, (45,)),
    _rule(_HAND + r'(fit\.)?betas', _NUMBERS, (10,)),
    _rule(_HAND + r'(keypoint_confidence|fit\.keypoint_agreement)', _NUMBERS, (21,)),
    _rule(_HAND + r'fit\.orientation', _NUMBERS, (3, 3)),
    _rule(_HAND + r'fit\.wrist', _NUMBERS, (3,)),
    _rule(_HAND + r'fit\.angles', _NUMBERS, (25,)),
    _rule(_HAND + r'fit\.local_rotations', _NUMBERS, (15, 3, 3)),
    _rule(_HAND + r'fit\.keypoints', _NUMBERS, (21, 3)),
    _rule(_HAND + r'fit\.shape_information', _NUMBERS, (10, 10)),
    _rule(r'pose\.\w{1,40}', _ANY, None),
    _rule(r'tracker\.tracks\.\d{1,3}\.box', _NUMBERS, (4,)),
    _rule(r'tracker\.tracks\.\d{1,3}\.wrist_world', _NUMBERS, (3,)),
    _rule(r'tracker\.tracks\.\d{1,3}\.velocity', _NUMBERS, (2,)),
    _rule(r'smoother\.\d{1,10}\.(position|velocity)', _NUMBERS, (3,)),
    _rule(r'smoother\.\d{1,10}\.rotation', _NUMBERS, (4,)),
    _rule(r'propagation\.centres\.\d{1,10}', _NUMBERS, (2,)),
    _rule(r'map\.keys', (torch.int64,), (None,)),
    _rule(r'map\.points', (torch.float64,), (None, 3)),
    _rule(r'map\.colors', (torch.float32,), (None, 3)),
    _rule(r'map\.(counts|last_seen)', (torch.int32,), (None,)),
)


def check_tensors(tensors: Mapping[str, TensorEntry], most_voxels: int) -> None:
    """Raises ValueError naming the first tensor that a session does not have, or not so, or not so large."""
    if len(tensors) > MOST_TENSORS:
        raise ValueError(f'it has {len(tensors)} tensors, at most {MOST_TENSORS} are taken')
    rest = 0
    for name, entry in tensors.items():
        rules = [rule for rule in _RULES if rule.name.fullmatch(name)]
        if not any(rule.fits(entry) for rule in rules):
            expected = _expectation(rules)
            raise ValueError(f'its tensor {name[:100]!r} is {entry.dtype} {list(entry.shape)}, {expected}')
        if not name.startswith('map.'):
            rest += entry.size
        elif entry.shape[0] > most_voxels:
            raise ValueError(
                f'its map has {entry.shape[0]} voxels, at most {most_voxels} are taken: raise map.max_points to use it'
            )
    if rest > LARGEST_REST:
        raise ValueError(f'it has {rest} bytes beside its map, at most {LARGEST_REST} are taken')


def _expectation(rules: list[_Rule]) -> str:
    if not rules:
        return 'which no session has'
    rule = rules[0]
    types = ' or '.join(str(dtype) for dtype in rule.dtypes)
    shape = 'up to four dimensions' if rule.shape is None else str(list(rule.shape)).replace('None', 'n')
    return f'expected {types} {shape}'
