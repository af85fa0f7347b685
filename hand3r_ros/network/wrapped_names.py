"""Names of checkpoint tensors without the prefixes that training codes add.

``torch.compile`` puts ``_orig_mod`` and data-parallel training ``module`` into the names, around the whole network or a
part of it; a training class that holds the network puts ``model`` in front. None of them is a name in CUT3R or HaMeR.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Final

WRAPPERS: Final = frozenset(('_orig_mod', 'module'))
"""Carry no meaning anywhere in a name."""

HOLDER: Final = 'model'
"""Carries none in front."""


def unwrapped_names(names: Collection[str]) -> dict[str, str]:
    """Every name with what it is without wrappers; where two would become one, they stay as they are."""
    bare = {name: _unwrapped(name) for name in names}
    counts = Counter(bare.values())
    return {name: short if counts[short] == 1 else name for name, short in bare.items()}


def _unwrapped(name: str) -> str:
    parts = [part for part in name.split('.') if part not in WRAPPERS]
    while len(parts) > 1 and parts[0] == HOLDER:
        del parts[0]
    return '.'.join(parts) or name
