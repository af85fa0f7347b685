"""Compares the settings that a checkpoint carries with those of the network, where tensor shapes cannot tell.

Numbers of attention heads, output activations or refinement passes change every result and no shape. The settings
objects are inert records here; a few values are looked up in them, and the Python expression in which CUT3R keeps its
settings is searched as text, never evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from hand3r_ros.network.config import Hand3RConfig
from hand3r_ros.safe_pickle import Call, mapping_of

_MAX_EXPRESSION = 20_000


def scene_settings(config: Hand3RConfig) -> dict[str, str]:
    """What the model expression of a CUT3R checkpoint should say, without blanks; what it leaves out is a default."""
    scene = config.scene
    return {
        'head_type': f"'{scene.head}'",
        'state_pe': f"'{scene.state_layout}'",
        'pos_embed': f"'RoPE{scene.rope_base:g}'",
        'output_mode': "'pts3d+pose'",
        'depth_mode': "('exp',-inf,inf)",
        'conf_mode': "('exp',1,inf)",
        'pose_mode': "('exp',-inf,inf)",
        'enc_num_heads': str(scene.encoder_heads),
        'dec_num_heads': str(scene.decoder_heads),
        'state_dec_num_heads': str(scene.state_heads),
        'patch_size': str(scene.patch_size),
    }


def hand_settings(config: Hand3RConfig) -> dict[tuple[str, ...], Any]:
    """What the settings of a HaMeR checkpoint should say; what they leave out is a default."""
    hand = config.hand
    head = ('MODEL', 'MANO_HEAD')
    return {
        ('MODEL', 'IMAGE_SIZE'): hand.crop_size,
        ('MODEL', 'BACKBONE', 'TYPE'): 'vit',
        (*head, 'IEF_ITERS'): hand.iterations,
        (*head, 'TRANSFORMER_INPUT'): 'zero' if hand.query == 'zero' else 'mean_shape',
        (*head, 'JOINT_REP'): '6d',
        (*head, 'TRANSFORMER_DECODER', 'depth'): hand.head_depth,
        (*head, 'TRANSFORMER_DECODER', 'heads'): hand.head_heads,
        (*head, 'TRANSFORMER_DECODER', 'dim_head'): hand.head_dim,
    }


def scene_differences(content: Mapping[Any, Any], config: Hand3RConfig) -> Iterator[str]:
    """One sentence for every setting of a CUT3R checkpoint that the network does not share."""
    expression = find_setting(content, ('args', 'model'))
    if not isinstance(expression, str):
        return
    text = re.sub(r'\s', '', expression[:_MAX_EXPRESSION]).replace('"', "'")
    for name, wanted in scene_settings(config).items():
        found = re.search(rf"\b{name}=(\([^()]*\)|'[^']*'|[\w.+-]+)", text)
        if found and found.group(1) != wanted:
            yield f'its settings say {name}={found.group(1)[:60]}, this network computes with {name}={wanted}'


def hand_differences(content: Mapping[Any, Any], config: Hand3RConfig) -> Iterator[str]:
    """One sentence for every setting of a HaMeR checkpoint that the network does not share."""
    for path, wanted in hand_settings(config).items():
        found = find_setting(content, ('hyper_parameters', 'cfg', *path))
        if isinstance(found, (str, int, float)) and found != wanted:
            name = '.'.join(path)
            yield f'its settings say {name}: {str(found)[:60]}, this network computes with {name}: {wanted}'


def find_setting(value: Any, path: tuple[str, ...]) -> Any:
    """The value at ``path`` in nested dictionaries, omegaconf, yacs or argparse records; None if it is absent."""
    for name in path:
        entries = _entries(value)
        if name not in entries:
            return None
        value = entries[name]
    return _entries(value).get('_val', value)


def _entries(value: Any) -> Mapping[Any, Any]:
    if entries := mapping_of(value):
        return entries  # a subclass of dict too, as yacs has
    state = value.state if isinstance(value, Call) else None
    if not isinstance(state, dict):
        return {}
    content = state.get('_content')  # omegaconf
    return content if isinstance(content, dict) else state
