"""Writes checkpoints in the layouts of the published files, at any size, with the settings objects they carry.

The packages of those objects (omegaconf, yacs) are not installed: classes of their names exist only while a file is
being written.
"""

from __future__ import annotations

import collections
import dataclasses
import sys
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from hand3r_ros.checkpoints.tensor_matching import Layout, hand_layout, scene_layout
from hand3r_ros.network import presets
from hand3r_ros.network.config import Hand3RConfig
from hand3r_ros.network.hand.config import HandConfig
from hand3r_ros.network.prompt import PromptConfig
from hand3r_ros.network.scene.config import SceneConfig

SMALL = Hand3RConfig(
    scene=SceneConfig(
        encoder_width=64,
        encoder_depth=2,
        decoder_width=32,
        decoder_depth=4,
        encoder_heads=4,
        decoder_heads=4,
        state_heads=2,
        state_size=8,
        memory_slots=4,
        memory_heads=4,
        memory_depth=1,
        ray_map_heads=4,
        ray_map_depth=1,
        world_depth=1,
        dpt_widths=(4, 8, 12, 16),
        dpt_fusion_width=8,
        dpt_output_width=4,
    ),
    hand=HandConfig(
        crop_size=64,
        used_width=48,
        width=32,
        depth=2,
        heads=4,
        mlp_width=64,
        head_width=32,
        head_depth=2,
        head_heads=2,
        head_dim=16,
        head_mlp_width=32,
    ),
    prompt=PromptConfig(hand_width=32, scene_width=64, decoder_width=32),
    image_long_side=64,
)

UNUSED_OF_HAMER = ('initialized', 'discriminator.D_conv1.bias', 'mano.faces_tensor', 'mano.J_regressor')

MODEL_EXPRESSION = (
    "ARCroco3DStereo(ARCroco3DStereoConfig(freeze='encoder', state_size={scene.state_size}, state_pe='2d', "
    "pos_embed='RoPE100', rgb_head=True, pose_head=True, patch_embed_cls='ManyAR_PatchEmbed', img_size=(512, 512), "
    "head_type='dpt', output_mode='pts3d+pose', depth_mode=('exp', -inf, inf), conf_mode=('exp', 1, inf), "
    "pose_mode=('exp', -inf, inf), enc_embed_dim={scene.encoder_width}, enc_depth={scene.encoder_depth}, "
    'enc_num_heads={scene.encoder_heads}, dec_embed_dim={scene.decoder_width}, dec_depth={scene.decoder_depth}, '
    'dec_num_heads={scene.decoder_heads}, landscape_only=False))'
)


def use_small_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes SMALL the preset 'full'."""
    monkeypatch.setitem(presets.PRESETS, 'full', SMALL)


def random_tensors(layout: Layout, seed: int) -> dict[str, Tensor]:
    """Random numbers for every tensor that the layout needs, tied ones shared."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {name: torch.randn(layout.shapes[name], generator=generator) for name in layout.parameters}
    return tensors | {second: tensors[first] for second, first in layout.duplicates.items()}


def scene_tensors(config: Hand3RConfig = SMALL) -> dict[str, Tensor]:
    """As in CUT3R's file: the unused tensors are there too."""
    layout = scene_layout(config)
    return random_tensors(layout, 1) | {name: torch.zeros(2, 2) for name in layout.ignored}


def hand_tensors(config: Hand3RConfig = SMALL) -> dict[str, Tensor]:
    """As in HaMeR's file: discriminator, hand model and a flag are there too."""
    return random_tensors(hand_layout(config), 2) | {name: torch.ones(3, dtype=torch.int64) for name in UNUSED_OF_HAMER}


def write_cut3r(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tensors: Mapping[str, Tensor] | None = None,
    config: Hand3RConfig = SMALL,
    **settings: Any,
) -> Path:
    """A file as CUT3R's training writes it; ``settings`` go into its omegaconf arguments."""
    with monkeypatch.context() as patch:
        expression = MODEL_EXPRESSION.format(scene=config.scene)
        arguments = omegaconf_dictionary(patch, {'model': expression, 'lr': 1e-6, 'gpu': None, **settings})
        content = {
            'args': arguments,
            'model': dict(scene_tensors(config) if tensors is None else tensors),
            'epoch': 9,
            'best_so_far': 0.25,
        }
        torch.save(content, path)
    return path


def write_hamer(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tensors: Mapping[str, Tensor] | None = None,
    config: Hand3RConfig = SMALL,
    **entries: Any,
) -> Path:
    """A file as Lightning writes it; ``entries`` are added at its top."""
    hand = config.hand
    decoder = {'depth': hand.head_depth, 'heads': hand.head_heads, 'dim_head': hand.head_dim, 'dropout': 0.0}
    head = {'TYPE': 'transformer_decoder', 'TRANSFORMER_DECODER': decoder}
    model = {'IMAGE_SIZE': hand.crop_size, 'BACKBONE': {'TYPE': 'vit'}, 'MANO_HEAD': head}
    with monkeypatch.context() as patch:
        node = stand_in(patch, 'yacs.config', 'CfgNode', dict)
        content = {
            'epoch': 35,
            'global_step': 1_000_000,
            'pytorch-lightning_version': '1.8.1',
            'state_dict': collections.OrderedDict(hand_tensors(config) if tensors is None else tensors),
            'loops': {'fit_loop': {'state_dict': {}}},
            'callbacks': {'ModelCheckpoint': {'best_model_score': torch.tensor(0.5), 'dirpath': '/data'}},
            'optimizer_states': [{'state': {0: {'step': torch.tensor(3.0)}}, 'param_groups': [{'lr': 1e-5}]}],
            'lr_schedulers': [],
            'hparams_name': 'cfg',
            'hyper_parameters': {'cfg': _nested(node, {'MODEL': model, 'EXTRA': {'FOCAL_LENGTH': 5000}})},
            **entries,
        }
        torch.save(content, path)
    return path


def omegaconf_dictionary(patch: pytest.MonkeyPatch, values: Mapping[str, Any]) -> Any:
    """An object that is pickled as an omegaconf DictConfig."""
    container, any_node, metadata, container_metadata = (
        stand_in(patch, module, name)
        for module, name in (
            ('omegaconf.dictconfig', 'DictConfig'),
            ('omegaconf.nodes', 'AnyNode'),
            ('omegaconf.base', 'Metadata'),
            ('omegaconf.base', 'ContainerMetadata'),
        )
    )
    made = container()
    nodes = {}
    for key, value in values.items():
        nodes[key] = any_node()
        about = metadata()
        about.__dict__.update(ref_type=typing.Any, object_type=None, optional=True, key=key, flags={})
        nodes[key].__dict__.update(_metadata=about, _parent=made, _val=value, _flags_cache=None)
    about = container_metadata()
    about.__dict__.update(ref_type=typing.Any, object_type=dict, resolver_cache=collections.defaultdict(dict))
    made.__dict__.update(_metadata=about, _parent=None, _content=nodes)
    return made


def stand_in(patch: pytest.MonkeyPatch, module_name: str, class_name: str, base: type = object) -> type:
    """A class that pickle believes to be ``module_name.class_name``."""
    parts = module_name.split('.')
    for end in range(1, len(parts) + 1):
        name = '.'.join(parts[:end])
        if name not in sys.modules:
            patch.setitem(sys.modules, name, types.ModuleType(name))
    made = type(class_name, (base,), {'__module__': module_name})
    patch.setattr(sys.modules[module_name], class_name, made, raising=False)
    return made


def _nested(kind: type, values: Mapping[str, Any]) -> Any:
    return kind({key: _nested(kind, value) if isinstance(value, dict) else value for key, value in values.items()})


def without_fusion(config: Hand3RConfig) -> Hand3RConfig:
    """What the public checkpoints make."""
    return dataclasses.replace(config, fusion=False)
