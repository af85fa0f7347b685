"""The hand landmark network of MediaPipe Hands (model 'full', Apache-2.0): 21 keypoints from a rotated hand crop.

An EfficientNet-lite trunk and four linear read-outs. The trunk's features before pooling are also what a frozen hand
expert gives to the prompts (Hand3R, eq. 2). Weights: ``weights/hand_landmarks.safetensors``, converted from the wheel
mediapipe 0.10.21 by ``scripts/convert_landmark_networks.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from hand3r_ros.network.landmarks.convolutions import SameConvolution

CROP_SIZE = 224
"""Pixels per side of the crop; RGB in 0..1."""

FEATURE_WIDTH = 1152
FEATURE_SIZE = 7
NUM_KEYPOINTS = 21

_BLOCKS = (
    # expanded width, kernel, stride, output width (None: the trunk ends with the depthwise convolution)
    (64, 3, 2, 24),
    (144, 3, 1, 24),
    (144, 5, 2, 40),
    (240, 5, 1, 40),
    (240, 3, 2, 80),
    (480, 3, 1, 80),
    (480, 3, 1, 80),
    (480, 5, 1, 112),
    (672, 5, 1, 112),
    (672, 5, 1, 112),
    (672, 5, 2, 192),
    (1152, 5, 1, 192),
    (1152, 5, 1, 192),
    (1152, 5, 1, 192),
    (1152, 3, 1, None),
)


@dataclass(frozen=True)
class LandmarkOutput:
    """Read-outs for N crops."""

    keypoints: Tensor  # [N, 21, 3] x, y in crop pixels, z in the same unit relative to the wrist (smaller: nearer)
    presence: Tensor  # [N] probability that the crop shows a hand
    right: Tensor  # [N] probability that it is a right hand (in an image that is not mirrored)
    points_metric: Tensor  # [N, 21, 3] m, from the centre of the hand, in the axes of the crop
    features: Tensor  # [N, 1152, 7, 7] trunk features before pooling


class LandmarkNetwork(nn.Module):
    """Crops in, keypoints out; no parameter is meant to be trained."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            SameConvolution(3, 24, 3, 2),
            nn.ReLU6(inplace=True),
            SameConvolution(24, 24, 3, depthwise=True),
            nn.ReLU6(inplace=True),
            SameConvolution(24, 16),
        )
        blocks, width = [], 16
        for expanded, kernel, stride, output in _BLOCKS:
            blocks.append(_InvertedResidual(width, expanded, kernel, stride, output))
            width = output or expanded
        self.blocks = nn.Sequential(*blocks)
        self.right = nn.Linear(FEATURE_WIDTH, 1)
        self.presence = nn.Linear(FEATURE_WIDTH, 1)
        self.keypoints = nn.Linear(FEATURE_WIDTH, 3 * NUM_KEYPOINTS)
        self.points_metric = nn.Linear(FEATURE_WIDTH, 3 * NUM_KEYPOINTS)

    def forward(self, crops: Tensor) -> LandmarkOutput:
        """[N, 3, 224, 224] RGB in 0..1; every hand expected upright (wrist below the middle finger)."""
        features = self.blocks(self.stem(crops))
        pooled = features.mean((2, 3))
        return LandmarkOutput(
            keypoints=self.keypoints(pooled).unflatten(1, (NUM_KEYPOINTS, 3)),
            presence=self.presence(pooled).sigmoid()[:, 0],
            right=self.right(pooled).sigmoid()[:, 0],
            points_metric=self.points_metric(pooled).unflatten(1, (NUM_KEYPOINTS, 3)),
            features=features,
        )


class _InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow; added to the input where nothing changes its shape."""

    def __init__(self, width: int, expanded: int, kernel: int, stride: int, output: int | None) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            SameConvolution(width, expanded),
            nn.ReLU6(inplace=True),
            SameConvolution(expanded, expanded, kernel, stride, depthwise=True),
            nn.ReLU6(inplace=True),
        ]
        if output is not None:
            layers.append(SameConvolution(expanded, output))
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and output == width

    def forward(self, image: Tensor) -> Tensor:
        changed = self.layers(image)
        return image + changed if self.residual else changed
