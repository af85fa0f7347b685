"""Recognises published networks by the names of their tensors, for messages about checkpoints of others."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

UNKNOWN: Final = 'no network known here'


@dataclass(frozen=True)
class KnownNetwork:
    """Prefixes of tensor names that only one network has together."""

    name: str
    present: tuple[str, ...]
    absent: tuple[str, ...] = ()


KNOWN_NETWORKS: Final = (
    KnownNetwork('HaMeR', ('backbone.blocks.', 'mano_head.transformer.'), ('refine_net.',)),
    KnownNetwork('WiLoR', ('backbone.', 'refine_net.')),
    KnownNetwork('HaWoR', ('backbone.', 'mano_head.', 'motion_module')),
    KnownNetwork('Human3R', ('dec_blocks_state.', 'mlp_fuse')),
    KnownNetwork('CUT3R with DPT heads', ('dec_blocks_state.', 'downstream_head.dpt_self.')),
    KnownNetwork('CUT3R with linear heads (cut3r_224_linear_4.pth)', ('dec_blocks_state.', 'downstream_head.proj.')),
    KnownNetwork('CUT3R of another layout', ('dec_blocks_state.', 'pose_retriever.')),
    KnownNetwork('MASt3R', ('dec_blocks2.', 'downstream_head1.head_local_features.')),
    KnownNetwork('DUSt3R', ('dec_blocks2.', 'downstream_head1.')),
    KnownNetwork('CroCo', ('enc_blocks.', 'dec_blocks.', 'mask_token')),
    KnownNetwork('VGGT', ('aggregator.',)),
    KnownNetwork('ViTPose', ('backbone.blocks.', 'keypoint_head.')),
    KnownNetwork('DINOv2', ('cls_token', 'blocks.', 'patch_embed.')),
)
"""The first that fits is meant: the more particular come first."""


def known_network(names: Collection[str]) -> str:
    """Name of the network, or ``UNKNOWN``."""

    def has(prefix: str) -> bool:
        return any(name.startswith(prefix) for name in names)

    for family in KNOWN_NETWORKS:
        if all(map(has, family.present)) and not any(map(has, family.absent)):
            return family.name
    return UNKNOWN
