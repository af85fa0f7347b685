"""Configuration of the whole dual-stream network."""

from __future__ import annotations

from dataclasses import dataclass, field

from hand3r_ros.network.detection.config import DetectionHeadConfig
from hand3r_ros.network.hand.config import HandConfig
from hand3r_ros.network.prompt import PromptConfig
from hand3r_ros.network.scene.config import SceneConfig


@dataclass(frozen=True)
class Hand3RConfig:
    """Both streams, the prompts that join them and the working resolution."""

    scene: SceneConfig = field(default_factory=SceneConfig)
    hand: HandConfig = field(default_factory=HandConfig)
    prompt: PromptConfig = field(default_factory=PromptConfig)
    image_long_side: int = 512
    """Pixels of the longer side of the scene image; it is scaled to this and centre-cropped to whole patches."""
    fusion: bool = True
    """Whether hands enter the scene stream as prompts and get a learned translation. False for weights without
    trained prompts (both public checkpoints, joined as they are): hands then leave the scene untouched."""
    detection: DetectionHeadConfig | None = None
    """The hand detection head; None for weights without one. ``hand3r-lab train detector`` adds it to finished weights,
    so networks are made without it everywhere else."""

    def __post_init__(self) -> None:
        if not isinstance(self.fusion, bool):
            raise ValueError(f'fusion must be True or False, got {self.fusion!r}')
        for name, prompt_value, stream_value in (
            ('hand_width', self.prompt.hand_width, self.hand.width),
            ('scene_width', self.prompt.scene_width, self.scene.encoder_width),
            ('decoder_width', self.prompt.decoder_width, self.scene.decoder_width),
            ('patch_size', self.prompt.patch_size, self.scene.patch_size),
        ):
            if prompt_value != stream_value:
                raise ValueError(f'prompt.{name} is {prompt_value} but its stream has {stream_value}')
        if self.prompt.translation == 'correction' and not self.scene.takes_camera:
            raise ValueError(
                "prompt.translation 'correction' needs a focal length: a scene stream with self_points 'camera', "
                f'got {self.scene.self_points!r}'
            )
        if self.hand.orientation == 'line_of_sight' and not self.scene.takes_camera:
            raise ValueError(
                "hand.orientation 'line_of_sight' needs a focal length: a scene stream with self_points 'camera', "
                f'got {self.scene.self_points!r}'
            )
        if self.image_long_side < self.scene.patch_size or self.image_long_side % self.scene.patch_size:
            raise ValueError(
                f'image_long_side must be a multiple of the patch size {self.scene.patch_size}, '
                f'got {self.image_long_side}'
            )
