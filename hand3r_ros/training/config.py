"""What a training run is: one frozen, typed configuration, saved beside every checkpoint."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from hand3r_ros.hand_model.data import OPEN_HAND
from hand3r_ros.network.checkpoints import RECOMMENDABLE_POSE_SOURCES

STAGES = ('scene', 'hand', 'fusion', 'detector')


@dataclass(frozen=True)
class TrainingConfig:
    """One stage of training.

    ``scene`` trains the scene stream from nothing on clips (pointmap and pose losses), ``hand`` the hand stream on
    single crops (paper eq. 7 plus rotation, shape and 2D terms, since there is no pretrained expert to start from),
    ``fusion`` the prompt encoder and the translation head on clips with hands (paper eq. 8); the hand stream is frozen
    and the scene stream learns at ``scene_learning_rate``. ``detector`` adds the hand detection head to finished
    weights.
    """

    stage: str
    preset: str = 'tiny'
    data: str = 'data/rendered'  # folder written by ``hand3r render``, or of DexYCB or HOI4D (docs/datasets.md)
    split: str = ''  # of DexYCB ('s0/train' if empty) or HOI4D ('train' if empty); 'all' is everything there is
    hand_model: str = OPEN_HAND  # or file or folder of the user's MANO_RIGHT, which DexYCB and HOI4D need
    out: str = 'out/training'
    steps: int = 4000
    batch: int = 64  # crops (hand) or clips (scene, fusion)
    clip_frames: int = 4  # frames per clip, in time order
    learning_rate: float = 5e-4
    scene_learning_rate: float = 1e-4  # fusion only: the scene stream has to learn to look at prompts
    warmup_steps: int = 200
    weight_decay: float = 0.05
    gradient_clip: float = 1.0
    threads: int = 1  # more threads than free cores make every step slower
    checkpoint_every: int = 200
    seed: int = 0
    augmentation: float = 1.0  # of hand crops: 0 none, 1 full shifts, scales and turns
    # Fusion only: what the node's pose_source 'auto' takes with these weights, written into their header. With the
    # tiny preset feature tracks on the predicted points gave better poses than the pose head in every measurement.
    pose_source: str = 'geometric'
    # Weights of the loss terms. The paper gives none; these balance the terms at the start of training.
    weight_keypoints: float = 20.0  # root-relative joints and vertices, metres
    weight_rotations: float = 1.0  # rotation matrices
    weight_orientation: float = (
        3.0  # global orientation alone: without it a new network stays at the mean hand for long
    )
    weight_betas: float = 0.1
    weight_reprojection: float = 4.0  # crop units, 1 = crop side
    weight_pose: float = 1.0  # camera pose against pointmap
    weight_translation: float = 10.0  # wrist position, metres
    gamma: float = 0.5  # paper eq. 8: scene losses against forgetting
    confidence_alpha: float = 0.2  # CUT3R's confidence regulariser
    # Detector only. Training the encoder too changes the tokens that everything else was trained on: then `fusion`
    # has to follow.
    encoder_learning_rate: float = 0.0
    smallest_visible: float = 0.25  # hands of which less is visible are neither to be found nor to be left out
    weight_box: float = 1.0  # overlap and edges of boxes against heat maps

    def __post_init__(self) -> None:
        if self.stage not in STAGES:
            raise ValueError(f'stage must be one of {", ".join(STAGES)}, got {self.stage!r}')
        for name in ('steps', 'batch', 'clip_frames', 'threads', 'checkpoint_every'):
            if getattr(self, name) < 1:
                raise ValueError(f'{name} must be at least 1, got {getattr(self, name)}')
        if self.learning_rate <= 0.0:
            raise ValueError(f'learning_rate must be positive, got {self.learning_rate}')
        if self.pose_source not in RECOMMENDABLE_POSE_SOURCES:
            known = ', '.join(RECOMMENDABLE_POSE_SOURCES)
            raise ValueError(f'pose_source must be one of {known}, got {self.pose_source!r}')

    def with_overrides(self, overrides: list[str]) -> TrainingConfig:
        """The configuration with ``NAME=VALUE`` strings applied; unknown names and wrong types are refused."""
        types = {field.name: type(getattr(self, field.name)) for field in dataclasses.fields(self)}
        values: dict[str, object] = {}
        for override in overrides:
            name, separator, text = override.partition('=')
            if not separator or name not in types:
                known = ', '.join(sorted(types))
                raise ValueError(f'override {override!r} must be NAME=VALUE with NAME one of: {known}')
            try:
                values[name] = types[name](text)
            except ValueError as error:
                raise ValueError(f'{name} must be a {types[name].__name__}, got {text!r}') from error
        return dataclasses.replace(self, **values)  # type: ignore[arg-type]

    def save(self, path: Path) -> None:
        """Writes the configuration as JSON."""
        path.write_text(json.dumps(dataclasses.asdict(self), indent=1))
