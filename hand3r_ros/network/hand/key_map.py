"""Which tensor of a HaMeR checkpoint is which parameter of ``HandStream``.

The map is explicit and total: 503 tensors of the released file, none guessed. What the checkpoint carries besides
them is training-only or belongs to the hand model, and known by its name or the prefix of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from hand3r_ros.network.hand.config import HandConfig
from hand3r_ros.network.wrapped_names import unwrapped_names

IGNORED_NAMES = frozenset(('initialized',))
IGNORED_PREFIXES = ('discriminator.', 'mano.')
"""Known and not needed: a training flag, the adversarial prior of the training, and the hand model, which is read from
the user's own MANO file; its buffers differ with the release of smplx. A checkpoint may lack any of them."""

_BACKBONE = {
    'pos_embed': 'position',
    'patch_embed.proj.weight': 'patches.weight',
    'patch_embed.proj.bias': 'patches.bias',
    'last_norm.weight': 'norm.weight',
    'last_norm.bias': 'norm.bias',
}
_BACKBONE_BLOCK = {
    'norm1': 'attention_norm',
    'attn.qkv': 'attention.query_key_value',
    'attn.proj': 'attention.project',
    'norm2': 'feed_forward_norm',
    'mlp.fc1': 'feed_forward.expand',
    'mlp.fc2': 'feed_forward.contract',
}
_HEAD = {
    'init_hand_pose': 'initial_pose',
    'init_betas': 'initial_betas',
    'init_cam': 'initial_camera',
    'transformer.pos_embedding': 'position',
}
_HEAD_LINEAR = {
    'transformer.to_token_embedding': 'embed',
    'decpose': 'pose',
    'decshape': 'shape',
    'deccam': 'camera',
}
_HEAD_LAYER = {
    '0.norm': 'self_norm',
    '0.fn.to_out.0': 'self_attention.project',
    '1.norm': 'cross_norm',
    '1.fn.to_out.0': 'cross_attention.project',
    '2.norm': 'feed_forward_norm',
    '2.fn.net.0': 'feed_forward.expand',
    '2.fn.net.3': 'feed_forward.contract',
}
_HEAD_LAYER_WITHOUT_BIAS = {
    '0.fn.to_qkv': 'self_attention.query_key_value',
    '1.fn.to_q': 'cross_attention.query',
    '1.fn.to_kv': 'cross_attention.key_value',
}

Value = TypeVar('Value')


def checkpoint_key_map(config: HandConfig) -> dict[str, str]:
    """Checkpoint name to ``HandStream.state_dict`` name, for every tensor of a stream of this configuration."""
    names = {f'backbone.{theirs}': f'backbone.{ours}' for theirs, ours in _BACKBONE.items()}
    for index in range(config.depth):
        names |= _with_bias(f'backbone.blocks.{index}.', f'backbone.blocks.{index}.', _BACKBONE_BLOCK)
    names |= {f'mano_head.{theirs}': f'mano_head.{ours}' for theirs, ours in _HEAD.items()}
    names |= _with_bias('mano_head.', 'mano_head.', _HEAD_LINEAR)
    for index in range(config.head_depth):
        theirs_prefix = f'mano_head.transformer.transformer.layers.{index}.'
        ours_prefix = f'mano_head.layers.{index}.'
        names |= _with_bias(theirs_prefix, ours_prefix, _HEAD_LAYER)
        for theirs, ours in _HEAD_LAYER_WITHOUT_BIAS.items():
            names[f'{theirs_prefix}{theirs}.weight'] = f'{ours_prefix}{ours}.weight'
    return names


def _with_bias(theirs_prefix: str, ours_prefix: str, modules: Mapping[str, str]) -> dict[str, str]:
    return {
        f'{theirs_prefix}{theirs}.{kind}': f'{ours_prefix}{ours}.{kind}'
        for theirs, ours in modules.items()
        for kind in ('weight', 'bias')
    }


def is_ignored(name: str) -> bool:
    """Whether a checkpoint tensor is known and not needed."""
    return name in IGNORED_NAMES or name.startswith(IGNORED_PREFIXES)


def rename_checkpoint(tensors: Mapping[str, Value], config: HandConfig) -> dict[str, Value]:
    """The checkpoint's tensors under the names of ``HandStream.state_dict``.

    Raises:
        ValueError: a tensor is missing or unknown; the message names examples of both.

    """
    names, bare = checkpoint_key_map(config), unwrapped_names(tensors)
    tensors = {bare[name]: tensor for name, tensor in tensors.items()}
    missing = sorted(names.keys() - tensors.keys())
    unknown = sorted(name for name in tensors.keys() - names.keys() if not is_ignored(name))
    if missing or unknown:
        raise ValueError(
            f'not a HaMeR checkpoint of this size ({len(names)} tensors expected): '
            f'{_examples(missing)} missing, {_examples(unknown)} unknown'
        )
    return {ours: tensors[theirs] for theirs, ours in names.items()}


def _examples(names: Iterable[str]) -> str:
    names = list(names)
    if not names:
        return 'none'
    return f'{len(names)} ({", ".join(names[:3])}{", ..." if len(names) > 3 else ""})'
