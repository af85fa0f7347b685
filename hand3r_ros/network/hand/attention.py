"""Softmax attention of the hand stream, which also has to run for no hands at all."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention of queries [N, heads, Q, d] to keys and values [N, heads, K, d]: [N, heads, Q, d].

    In half precision on CUDA torch's own function returns None for an empty batch (seen with torch 2.11).
    """
    if not len(query):
        return query
    return functional.scaled_dot_product_attention(query, key, value)
