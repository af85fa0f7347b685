"""Small constants created on the device that uses them.

``torch.tensor`` and ``new_tensor`` fill a tensor on the host and copy it: a GPU has to be waited for, and no CUDA graph
can hold such a copy.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def constant(values: Sequence[float], like: Tensor) -> Tensor:
    """[N] the numbers, with the type and on the device of ``like``."""
    return torch.stack([like.new_full((), value) for value in values])
