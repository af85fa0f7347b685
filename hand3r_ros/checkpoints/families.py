"""Which network a set of tensor names looks like, for messages about files of others."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

UNKNOWN: Final = 'no network known here'


@dataclass(frozen=True)
class Family:
    """Prefixes of tensor names that only one network has together."""

    name: str
    present: tuple[str, ...]
    absent: tuple[str, ...] = ()


FAMILIES: Final = (
    Family('HaMeR', ('backbone.blocks.', 'mano_head.transformer.'), ('refine_net.',)),
    Family('WiLoR', ('backbone.', 'refine_net.')),
    Family('HaWoR', ('backbone.', 'mano_head.', 'motion_module')),
    Family('Human3R', ('dec_blocks_state.', 'mlp_fuse')),
    Family('CUT3R with DPT heads', ('dec_blocks_state.', 'downstream_head.dpt_self.')),
    Family('CUT3R with linear heads (cut3r_224_linear_4.pth)', ('dec_blocks_state.', 'downstream_head.proj.')),
    Family('CUT3R of another layout', ('dec_blocks_state.', 'pose_retriever.')),
    Family('MASt3R', ('dec_blocks2.', 'downstream_head1.head_local_features.')),
    Family('DUSt3R', ('dec_blocks2.', 'downstream_head1.')),
    Family('CroCo', ('enc_blocks.', 'dec_blocks.', 'mask_token')),
    Family('VGGT', ('aggregator.',)),
    Family('ViTPose', ('backbone.blocks.', 'keypoint_head.')),
    Family('DINOv2', ('cls_token', 'blocks.', 'patch_embed.')),
)
"""The first that fits is meant: the more particular come first."""


def family_of(names: Collection[str]) -> str:
    """Name of the network, or ``UNKNOWN``."""

    def has(prefix: str) -> bool:
        return any(name.startswith(prefix) for name in names)

    for family in FAMILIES:
        if all(map(has, family.present)) and not any(map(has, family.absent)):
            return family.name
    return UNKNOWN
