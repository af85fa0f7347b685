"""Which tensor of a CUT3R checkpoint is which parameter of ``SceneStream``.

The map is explicit and total: every name of the published files is a parameter here, a second name of a tied tensor,
or a tensor that no computation uses. Nothing is guessed and nothing is skipped silently.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from hand3r_ros.network.scene.config import SceneConfig
from hand3r_ros.network.wrapped_names import unwrapped_names

_ENCODER_BLOCK = {
    'norm1': 'attention_norm',
    'attn.qkv': 'attention.qkv',
    'attn.proj': 'attention.output',
    'norm2': 'mlp_norm',
    'mlp.fc1': 'mlp.0',
    'mlp.fc2': 'mlp.2',
}
_DECODER_BLOCK = {
    'norm1': 'attention_norm',
    'attn.qkv': 'attention.qkv',
    'attn.proj': 'attention.output',
    'norm2': 'cross_norm',
    'norm_y': 'context_norm',
    'cross_attn.projq': 'cross_attention.query',
    'cross_attn.projk': 'cross_attention.key',
    'cross_attn.projv': 'cross_attention.value',
    'cross_attn.proj': 'cross_attention.output',
    'norm3': 'mlp_norm',
    'mlp.fc1': 'mlp.0',
    'mlp.fc2': 'mlp.2',
}
_MODULATED_BLOCK = {
    'norm1.mlp.1': 'attention_norm.modulation',
    'norm1.norm': 'attention_norm.norm',
    'attn.qkv': 'attention.qkv',
    'attn.proj': 'attention.output',
    'norm2.mlp.1': 'mlp_norm.modulation',
    'norm2.norm': 'mlp_norm.norm',
    'mlp.fc1': 'mlp.0',
    'mlp.fc2': 'mlp.2',
}
_SINGLE_TENSORS = {
    'pose_token': 'first_pose_token',
    'register_tokens.weight': 'state_tokens',
    'pose_retriever.masked_token': 'memory.unknown_pose',
    'pose_retriever.mem': 'memory.initial_slots',
}
_SINGLE_LAYERS = {
    'patch_embed.proj': 'image_encoder.patch_embedding',
    'enc_norm': 'image_encoder.norm',
    'decoder_embed': 'decoder.image_embedding',
    'decoder_embed_state': 'state_embedding',
    'dec_norm': 'decoder.image_norm',
    'dec_norm_state': 'decoder.state_norm',
    'pose_retriever.proj_q': 'memory.key_projection',
    'downstream_head.pose_head.mlp.fc1': 'pose_head.mlp.0',
    'downstream_head.pose_head.mlp.fc2': 'pose_head.mlp.2',
}
_RAY_MAP_TENSORS = {
    'masked_img_token': 'ray_maps.missing_image',
    'masked_ray_map_token': 'ray_maps.missing_ray_map',
}
_RAY_MAP_LAYERS = {
    'patch_embed_ray_map.proj': 'ray_maps.encoder.patch_embedding',
    'enc_norm_ray_map': 'ray_maps.encoder.norm',
}
_DPT_LAYERS = {
    'act_postprocess.0.0': 'resample.0.0',
    'act_postprocess.0.1': 'resample.0.1',
    'act_postprocess.1.0': 'resample.1.0',
    'act_postprocess.1.1': 'resample.1.1',
    'act_postprocess.2.0': 'resample.2.0',
    'act_postprocess.3.0': 'resample.3.0',
    'act_postprocess.3.1': 'resample.3.1',
    'head.0': 'reduce',
    'head.2': 'refine',
    'head.4': 'output',
}
_FUSION_LAYERS = {
    'out_conv': 'output',
    'resConfUnit2.conv1': 'refinement.first',
    'resConfUnit2.conv2': 'refinement.second',
}
_FUSION_LEVEL_LAYERS = {
    'resConfUnit1.conv1': 'level_refinement.first',
    'resConfUnit1.conv2': 'level_refinement.second',
}
_DPT_LEVELS = 4


@dataclass(frozen=True)
class SceneKeyMap:
    """Every tensor name of a checkpoint, sorted by what becomes of it."""

    parameters: Mapping[str, str]
    """Checkpoint name to ``SceneStream.state_dict`` name."""
    duplicates: Mapping[str, str]
    """Second name of a tied tensor to the checkpoint name under which it is read."""
    unused: frozenset[str]
    """Tensors that no computation uses."""

    def names(self) -> frozenset[str]:
        """All names the checkpoint has."""
        return frozenset(self.parameters) | frozenset(self.duplicates) | self.unused


def checkpoint_key_map(config: SceneConfig) -> SceneKeyMap:
    """The key map of a CUT3R checkpoint with the sizes of ``config``."""
    names = dict(_SINGLE_TENSORS) | _with_bias('', '', _SINGLE_LAYERS)
    names |= _blocks('enc_blocks', 'image_encoder.blocks', config.encoder_depth, _ENCODER_BLOCK)
    names |= _blocks('dec_blocks', 'decoder.image_blocks', config.decoder_depth, _DECODER_BLOCK)
    names |= _blocks('dec_blocks_state', 'decoder.state_blocks', config.decoder_depth, _DECODER_BLOCK)
    for kind in ('read_blocks', 'write_blocks'):
        names |= _blocks(f'pose_retriever.{kind}', f'memory.{kind}', config.memory_depth, _DECODER_BLOCK)
    if config.ray_map_depth:
        names |= _RAY_MAP_TENSORS | _with_bias('', '', _RAY_MAP_LAYERS)
        names |= _blocks('enc_blocks_ray_map', 'ray_maps.encoder.blocks', config.ray_map_depth, _ENCODER_BLOCK)
    if config.world_head:
        names |= _blocks('downstream_head.final_transform', 'heads.world_blocks', config.world_depth, _MODULATED_BLOCK)
    heads = _dense_heads(config)
    duplicates: dict[str, str] = {}
    unused: set[str] = set()
    for theirs, ours in heads.items():
        if config.head == 'linear':
            names |= _with_bias(f'{theirs}.', f'{ours}.', {'fc1': 'mlp.0', 'fc2': 'mlp.2'})
        else:
            names |= _dpt_parameters(f'{theirs}.', f'{ours}.')
            duplicates |= _dpt_duplicates(f'{theirs}.')
            unused |= _dpt_unused(f'{theirs}.')
    return SceneKeyMap(names, duplicates, frozenset(unused))


def rename_checkpoint(tensors: Mapping[str, Tensor], config: SceneConfig) -> dict[str, Tensor]:
    """The checkpoint's tensors under the names of ``SceneStream.state_dict``.

    Raises:
        ValueError: a tensor is missing, unknown, or two names of a tied tensor disagree.

    """
    bare = unwrapped_names(tensors)
    tensors = {bare[name]: tensor for name, tensor in tensors.items()}
    key_map = checkpoint_key_map(config)
    # A file may hold a tied tensor under one of its names only, and may leave out what is not used.
    available = dict(tensors)
    for second, first in key_map.duplicates.items():
        if second in tensors and first in tensors and not torch.equal(tensors[second], tensors[first]):
            raise ValueError(f'the tied tensors {first} and {second} of the checkpoint differ')
        if second in tensors:
            available.setdefault(first, tensors[second])
    missing = sorted(key_map.parameters.keys() - available.keys())
    unknown = sorted(tensors.keys() - key_map.names())
    if missing or unknown:
        raise ValueError(
            f'not a CUT3R checkpoint of this size ({len(key_map.parameters)} tensors expected): '
            f'{_examples(missing)} missing, {_examples(unknown)} unknown'
        )
    return {ours: available[theirs] for theirs, ours in key_map.parameters.items()}


def _dense_heads(config: SceneConfig) -> dict[str, str]:
    """Prefixes of the dense heads the configuration has."""
    theirs = ('dpt_self', 'dpt_cross', 'dpt_rgb') if config.head == 'dpt' else ('proj', 'cross_proj', 'rgb_proj')
    ours = ('self_points', 'world_points', 'rgb')
    wanted = (True, config.world_head, config.rgb_head)
    pairs = zip(theirs, ours, wanted, strict=True)
    return {f'downstream_head.{their}': f'heads.{our}' for their, our, has in pairs if has}


def _dpt_parameters(theirs: str, ours: str) -> dict[str, str]:
    names = _with_bias(theirs, ours, _DPT_LAYERS)
    for level in range(_DPT_LEVELS):
        names[f'{theirs}scratch.layer{level + 1}_rn.weight'] = f'{ours}project.{level}.weight'
        fusion = (f'{theirs}scratch.refinenet{level + 1}.', f'{ours}fusions.{level}.')
        names |= _with_bias(*fusion, _FUSION_LAYERS)
        if level < _DPT_LEVELS - 1:
            names |= _with_bias(*fusion, _FUSION_LEVEL_LAYERS)
    return names


def _dpt_duplicates(theirs: str) -> dict[str, str]:
    return {
        f'{theirs}scratch.layer_rn.{level}.weight': f'{theirs}scratch.layer{level + 1}_rn.weight'
        for level in range(_DPT_LEVELS)
    }


def _dpt_unused(theirs: str) -> set[str]:
    """The deepest fusion has nothing to add, so its first unit is never run."""
    return set(_with_bias(f'{theirs}scratch.refinenet{_DPT_LEVELS}.', '', _FUSION_LEVEL_LAYERS))


def _blocks(theirs: str, ours: str, depth: int, layers: Mapping[str, str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for index in range(depth):
        names |= _with_bias(f'{theirs}.{index}.', f'{ours}.{index}.', layers)
    return names


def _with_bias(theirs: str, ours: str, layers: Mapping[str, str]) -> dict[str, str]:
    return {
        f'{theirs}{their}.{kind}': f'{ours}{our}.{kind}' for their, our in layers.items() for kind in ('weight', 'bias')
    }


def _examples(names: Iterable[str]) -> str:
    names = list(names)
    if not names:
        return 'none'
    return f'{len(names)} ({", ".join(names[:3])}{", ..." if len(names) > 3 else ""})'
