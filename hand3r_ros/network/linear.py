"""A linear layer that takes the faster of torch's two matrix multiplications on a CPU.

torch multiplies float32 with the BLAS it was built with. oneDNN, which it also brings, is a few per cent faster on
large matrices with AVX2, and much faster where that BLAS leaves AVX-512 unused, as MKL does on some processors. Small
matrices, gradients, other types and other devices keep the ordinary path, so training is not touched.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn

WORTHWHILE = 2**27
"""Multiplications from which oneDNN's larger overhead per call pays off (measured: docs/performance.md)."""

TRIAL_TOLERANCE = 1e-4


class Linear(nn.Linear):
    """``nn.Linear`` with the same parameters and, but for rounding, the same results."""

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] to [..., out]."""
        if x.numel() * self.out_features < WORTHWHILE or not self._may_use_onednn(x):
            return super().forward(x)
        return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, 'none', [], '')

    def _may_use_onednn(self, x: Tensor) -> bool:
        return (
            not torch.is_grad_enabled()
            and x.device.type == 'cpu'
            and x.dtype == self.weight.dtype == torch.float32
            and not torch.is_autocast_enabled('cpu')
            and bool(torch.backends.mkldnn.enabled)
            and onednn_multiplies()
        )


@functools.cache
def onednn_multiplies() -> bool:
    """Whether this build of torch has the operator and it gives what it should; found out by trying once."""
    generator = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(shape, generator=generator) for shape in ((3, 32), (16, 32)))
    bias = torch.arange(16.0)
    try:
        found = torch.ops.mkldnn._linear_pointwise(x, weight, bias, 'none', [], '')
    except (AttributeError, NotImplementedError, RuntimeError):
        return False
    return torch.allclose(found, nn.functional.linear(x, weight, bias), atol=TRIAL_TOLERANCE)
