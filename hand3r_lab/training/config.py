"""What a training run is: one frozen, typed configuration, saved beside every checkpoint."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hand3r_lab.training.config_checks import UniqueKeyLoader, check
from hand3r_ros.hand_model.data import OPEN_HAND

_PATHS = ('data', 'hand_model', 'out', 'start_from')
"""Fields whose text may begin with ``~``."""

_RENAMED = {
    'back_and_forth': 'reflect_clips',
    'camera_hidden': 'intrinsics_dropout',
    'lesson_hands': 'lifting_hands',
    'weight_lesson': 'weight_lifting',
    'weight_outlines': 'weight_depth_gradient',
}
"""Fields of earlier versions, for whoever has a file with them."""


@dataclass(frozen=True)
class TrainingConfig:
    """One stage of training.

    ``scene`` trains the scene stream on clips (pointmap and pose losses), from nothing. ``hand`` trains the hand
    stream on single crops: from nothing with rotation, shape and 2D terms beside the paper's eq. 7, or, with
    ``start_from`` and ``train_backbone: false``, only the MANO head of a pretrained expert (the paper's stage 1).
    ``fusion`` trains the prompt encoder and the translation head on clips with hands (eq. 8, the paper's stage 2); the
    hand stream is frozen and the scene stream learns at ``scene_learning_rate``. ``detector`` adds the hand detection
    head to finished weights. ``fused_head`` trains a MANO head on the fused tokens of finished weights, an
    ablation.
    """

    stage: str
    preset: str = 'tiny'
    # Folder written by ``hand3r-lab render``, or of DexYCB or HOI4D (docs/datasets.md); or ``rendered://train``: scenes
    # that are drawn on the way
    data: str = 'data/rendered'
    split: str = ''  # of DexYCB ('s0/train' if empty) or HOI4D ('train' if empty); 'all' is everything there is
    hand_model: str = OPEN_HAND  # or file or folder of the user's MANO_RIGHT, which DexYCB and HOI4D need
    out: str = 'out/training'
    start_from: str = ''  # weights file (safetensors) whose streams to start from; empty: from nothing
    steps: int = 4000
    batch: int = 64  # crops (hand), clips (scene, fusion) or images (detector), per process
    clip_frames: int = 4  # frames per clip, in time order
    # Clips longer than the sequences of a rendered folder run back and forth in them: long streams of short sequences
    reflect_clips: bool = False
    truncate_frames: int = 0  # gradients flow through so many frames of the recurrent state; 0: through the whole clip
    learning_rate: float = 5e-4
    # Of the scene stream's dense heads over that of the rest: they are deep, without normalisation, and run away.
    dense_head_share: float = 0.2
    scene_learning_rate: float = 1e-4  # fusion only: the scene stream has to learn to look at prompts; 0: frozen
    train_backbone: bool = True  # hand only: False trains the MANO head alone
    warmup_steps: int = 200
    weight_decay: float = 0.05
    gradient_clip: float = 1.0
    device: str = 'auto'  # auto, cpu or cuda
    # Of the network: float32, tf32 (float32 whose products round their factors, on GPUs that can) or bfloat16; losses
    # are always float32
    precision: str = 'float32'
    checkpoint_activations: bool = False  # stages on clips: compute every frame twice and keep little of it
    threads: int = 1  # more threads than free cores make every step slower
    hold_data: bool = False  # keep the images of rendered data in the memory of `device` and make batches there
    # On CUDA: record a step once and replay it, which saves launching its kernels one by one. For stages whose steps
    # all have the same shapes (scene, hand, detector; fusion on rendered folders); on a CPU nothing is recorded
    cuda_graphs: bool = False
    workers: int = 0  # processes that make batches; 0: the training process makes them itself
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
    # Of networks whose tokens vote for keypoints:
    weight_votes: float = 8.0  # the keypoints, crop units
    weight_cells: float = 2.0  # which cell a keypoint lies on
    weight_lifting: float = 0.5  # all losses of a hand for keypoints without a picture
    lifting_hands: int = 64  # how many of those in a step
    weight_depth: float = 0.0  # logarithm of the depth against pointmap; CUT3R has no such term
    weight_relative_depth: float = 0.0  # error of the depth over the depth; CUT3R has no such term either
    weight_depth_gradient: float = 0.0  # steps of the depth between neighbouring pixels; no such term in CUT3R
    weight_pose: float = 1.0  # camera pose against pointmap
    weight_focal: float = 0.2  # guessed focal length, of networks that guess one
    intrinsics_dropout: float = 0.2  # share of clips without intrinsics, for networks that take them
    weight_table: float = 0.0  # scene only: where the camera stands relative to the table (rendered scenes know)
    # scene and fusion: losses of the hand detection head against the others; 0: the network has no such head
    weight_detection: float = 0.0
    weight_translation: float = 10.0  # wrist position, metres
    weight_absolute: float = 2.0  # keypoints in the camera frame, metres
    weight_image: float = 10.0  # keypoints in the image, in units of the focal length
    gamma: float = 0.5  # paper eq. 8: scene losses against forgetting
    confidence_alpha: float = 0.2  # CUT3R's confidence regulariser
    # Detector only. Training the encoder too changes the tokens that everything else was trained on: then `fusion`
    # has to follow.
    encoder_learning_rate: float = 0.0
    smallest_visible: float = 0.25  # hands of which less is visible are neither to be found nor to be left out
    weight_box: float = 1.0  # overlap and edges of boxes against heat maps

    def __post_init__(self) -> None:
        check(self)

    @classmethod
    def load(cls, path: Path, stage: str) -> TrainingConfig:
        """The configuration of a YAML file: a mapping of field names; fields it leaves out keep their defaults.

        Raises:
            ValueError: the file is no such mapping, names unknown fields, one twice or another stage, or its values
                contradict.
            FileNotFoundError: there is no such file.

        """
        try:
            content = yaml.load(path.read_text(), UniqueKeyLoader)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ValueError(f'{path} is no YAML file: {error}') from error
        except ValueError as error:
            raise ValueError(f'{path}: {error}') from error
        if not isinstance(content, Mapping):
            raise ValueError(f'{path} must hold NAME: VALUE lines, found {type(content).__name__}')
        if content.get('stage', stage) != stage:
            raise ValueError(f'{path} is for stage {content["stage"]!r}, not {stage!r}')
        try:
            return cls(stage).with_values({name: value for name, value in content.items() if name != 'stage'})
        except ValueError as error:
            raise ValueError(f'{path}: {error}') from error

    def with_overrides(self, overrides: list[str]) -> TrainingConfig:
        """The configuration with ``NAME=VALUE`` strings applied; unknown names and wrong types are refused."""
        values: dict[str, Any] = {}
        for override in overrides:
            name, separator, text = override.partition('=')
            if not separator:
                raise ValueError(f'override {override!r} must be NAME=VALUE')
            values[name] = text
        return self.with_values(values)

    def with_values(self, values: Mapping[str, Any]) -> TrainingConfig:
        """The configuration with fields replaced; text is converted to the type of the field.

        Raises:
            ValueError: a name is unknown, a value is of the wrong type, or the values contradict each other.

        """
        types = {field.name: type(getattr(self, field.name)) for field in dataclasses.fields(self)}
        if renamed := [f'{name} is now called {_RENAMED[name]}' for name in values if name in _RENAMED]:
            raise ValueError(', '.join(renamed))
        if unknown := [str(name) for name in values if name not in types]:
            raise ValueError(f'unknown {", ".join(unknown)}; the fields are: {", ".join(sorted(types))}')
        converted = {name: _converted(name, value, types[name]) for name, value in values.items()}
        homes = {n: str(Path(v).expanduser()) for n, v in converted.items() if n in _PATHS and v.startswith('~')}
        return dataclasses.replace(self, **{**converted, **homes})

    def save(self, path: Path) -> None:
        """Writes the configuration as YAML, which ``load`` reads."""
        path.write_text(yaml.safe_dump(dataclasses.asdict(self), sort_keys=False))


def _converted(name: str, value: Any, wanted: type) -> Any:
    """A value as the type of its field. YAML reads 1e-3 as text and 1 as an integer, both are fine for a number."""
    truths = {'true': True, 'false': False}
    names = {bool: 'true or false', int: 'an integer', float: 'a number', str: 'text'}
    try:
        if wanted is bool:
            return value if isinstance(value, bool) else truths[str(value).lower()]
        if isinstance(value, bool) or (wanted is int and isinstance(value, float)):
            raise ValueError
        return wanted(value)
    except (ValueError, TypeError, KeyError):
        raise ValueError(f'{name} must be {names[wanted]}, got {value!r}') from None
