"""Convolutions padded as in TensorFlow ('SAME'): where a stride leaves an odd border, the extra pixel is at the end."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class SameConvolution(nn.Conv2d):
    """A convolution whose output has ``ceil(size / stride)`` pixels per side, as TensorFlow's 'SAME'."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, depthwise: bool = False) -> None:
        """Symmetric padding where the stride is 1; kernels are odd, image sides multiples of the stride."""
        super().__init__(
            inputs,
            outputs,
            kernel,
            stride,
            padding=kernel // 2 if stride == 1 else 0,
            groups=inputs if depthwise else 1,
        )

    def forward(self, image: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H / stride, W / stride]."""
        border = self.kernel_size[0] - self.stride[0]
        if self.stride[0] > 1 and border > 0:
            before, after = border // 2, border - border // 2
            image = functional.pad(image, (before, after, before, after))
        return super().forward(image)
