"""Dense prediction head of the 224-pixel checkpoint: each token becomes the pixels of its own patch."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from hand3r_ros.network.scene.blocks import FeedForward, initialise_linear_layers
from hand3r_ros.network.scene.config import SceneConfig


class LinearHead(nn.Module):
    """Two linear layers per token and a pixel shuffle; looks at the last level only."""

    def __init__(self, config: SceneConfig, channels: int) -> None:
        super().__init__()
        self.patch_size = config.patch_size
        width = config.decoder_width
        self.mlp = FeedForward(width, config.mlp_ratio * width, channels * config.patch_size**2)
        initialise_linear_layers(self)

    @property
    def output_layer(self) -> nn.Linear:
        """The layer whose bias sets where the map starts (one entry per channel and pixel of a patch)."""
        layer = self.mlp[2]
        assert isinstance(layer, nn.Linear)
        return layer

    def forward(self, levels: Sequence[Tensor], image_size: tuple[int, int], details: Sequence[Tensor] = ()) -> Tensor:
        """Token tensors, the last one [B, L, D], to a map [B, channels, H, W] for ``image_size`` (H, W)."""
        rows, columns = (side // self.patch_size for side in image_size)
        patches = self.mlp(levels[-1]).transpose(1, 2).unflatten(2, (rows, columns))
        return functional.pixel_shuffle(patches, self.patch_size)
