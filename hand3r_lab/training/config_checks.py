"""What no training configuration may say: every refusal names the field, what was found and what is possible."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import yaml

from hand3r_ros.network.checkpoints import RECOMMENDABLE_POSE_SOURCES

if TYPE_CHECKING:
    from hand3r_lab.training.config import TrainingConfig

STAGES = ('scene', 'hand', 'fusion', 'detector', 'fused_head')
PRECISIONS = ('float32', 'tf32', 'bfloat16')
RECORDABLE_STAGES = ('scene', 'hand', 'fusion', 'detector')  # whose steps all have the same shapes
LARGEST_SEED = 2**31

_CHOICES = {'stage': STAGES, 'precision': PRECISIONS, 'pose_source': RECOMMENDABLE_POSE_SOURCES}
_AT_LEAST_ONE = ('steps', 'batch', 'clip_frames', 'threads', 'checkpoint_every')
_POSITIVE = ('learning_rate', 'gradient_clip')
_SHARES = ('intrinsics_dropout', 'smallest_visible')
_NOT_NEGATIVE = (
    'truncate_frames',
    'workers',
    'warmup_steps',
    'scene_learning_rate',
    'encoder_learning_rate',
    'augmentation',
    'gamma',
    'confidence_alpha',
)  # and every ``weight_...``
_UNROLLS_NOTHING = ('hand', 'detector')  # stages on single images have no activations of a clip


def check(config: TrainingConfig) -> None:
    """Refuses values that cannot be meant.

    Raises:
        ValueError: names the field.

    """
    for name, known in _CHOICES.items():
        if getattr(config, name) not in known:
            raise ValueError(f'{name} must be one of {", ".join(known)}, got {getattr(config, name)!r}')
    _check_numbers(config)
    if config.truncate_frames > config.clip_frames:
        raise ValueError(
            f'truncate_frames ({config.truncate_frames}) must not exceed clip_frames ({config.clip_frames})'
        )
    if not config.train_backbone and not config.start_from:
        raise ValueError('train_backbone=false needs start_from: a backbone that stays as it is must come trained')
    if config.hold_data and config.workers:
        raise ValueError(
            f'hold_data=true makes batches in the training process: set workers=0 (got {config.workers}), or '
            'hold_data=false'
        )
    _check_recording(config)
    if config.checkpoint_activations and config.stage in _UNROLLS_NOTHING:
        raise ValueError(
            f'checkpoint_activations does nothing in stage {config.stage!r}, which sees single images: leave it out, '
            'and lower batch to need less memory'
        )


def _check_recording(config: TrainingConfig) -> None:
    if not config.cuda_graphs:
        return
    if config.stage not in RECORDABLE_STAGES:
        raise ValueError(
            f'cuda_graphs=true is for stages {", ".join(RECORDABLE_STAGES)}; the number of hands in a step of '
            f'{config.stage!r} varies: leave it out'
        )
    if config.truncate_frames:
        raise ValueError(
            f'cuda_graphs=true needs truncate_frames=0 (got {config.truncate_frames}): it keeps no state from one part '
            'of a clip to the next'
        )


def _check_numbers(config: TrainingConfig) -> None:
    numbers = {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(config)
        if isinstance(getattr(config, field.name), (int, float))
    }
    for name, value in numbers.items():
        if not math.isfinite(value):
            raise ValueError(f'{name} must be a finite number, got {value}')
        if name in _AT_LEAST_ONE and value < 1:
            raise ValueError(f'{name} must be at least 1, got {value}')
        if name in _POSITIVE and value <= 0.0:
            raise ValueError(f'{name} must be positive, got {value}')
        if name in _SHARES and not 0.0 <= value <= 1.0:
            raise ValueError(f'{name} must lie between 0 and 1, got {value}')
        if (name in _NOT_NEGATIVE or name.startswith('weight_')) and value < 0:
            raise ValueError(f'{name} must not be negative, got {value}')
    if not 0 <= config.seed <= LARGEST_SEED:
        raise ValueError(f'seed must lie between 0 and {LARGEST_SEED}, got {config.seed}')


class UniqueKeyLoader(yaml.SafeLoader):
    """Reads YAML without executing anything; a key that is given twice is an error, not the last one's win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping of a node.

        Raises:
            ValueError: names the key and the line of its second value.

        """
        seen = set()
        for key, _ in node.value:
            if key.value in seen and isinstance(key, yaml.ScalarNode):
                raise ValueError(f'{key.value} is given twice, again in line {key.start_mark.line + 1}: keep one')
            if isinstance(key, yaml.ScalarNode):
                seen.add(key.value)
        return super().construct_mapping(node, deep)
