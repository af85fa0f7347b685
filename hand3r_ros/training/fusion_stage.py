"""Stage ``fusion``: prompts and translation head on clips with hands (paper eq. 8); hand stream frozen."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from hand3r_ros.network.checkpoints import save_network
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset
from hand3r_ros.training.config import TrainingConfig
from hand3r_ros.training.loop import TrainingLoop
from hand3r_ros.training.losses import translation_loss
from hand3r_ros.training.scene_stage import roll_out, scene_losses
from hand3r_ros.training.sources import hand_model_of, listed_skips, open_clips


def load_streams(network: Hand3R, directory: Path) -> None:
    """Fills both streams from the checkpoints of the stages ``scene`` and ``hand`` in ``directory``.

    Raises:
        FileNotFoundError: when a stage was not trained yet.
    """
    for stage, stream in (('scene', network.scene), ('hand', network.hand)):
        file = directory / stage / 'checkpoint.pt'
        if not file.exists():
            raise FileNotFoundError(f'{file} is missing: train the stage {stage!r} first (`hand3r train {stage}`)')
        stream.load_state_dict(torch.load(file, weights_only=True)['module'])


def train_fusion(config: TrainingConfig, weights: Path | None = None) -> Hand3R:
    """Runs (or resumes) the stage and writes the finished network to ``weights`` (safetensors)."""
    torch.manual_seed(config.seed)
    network = Hand3R(preset(config.preset))
    load_streams(network, Path(config.out))
    network.hand.requires_grad_(False)
    clips = open_clips(config)
    scene = list(network.scene.parameters())
    known = {id(parameter) for parameter in scene} | {id(parameter) for parameter in network.hand.parameters()}
    fusion = [parameter for parameter in network.parameters() if id(parameter) not in known]
    loop = TrainingLoop(config, network, [(fusion, config.learning_rate), (scene, config.scene_learning_rate)])

    def step(generator: torch.Generator) -> dict[str, Tensor]:
        clip = clips.batch(config.batch, generator)
        predictions = roll_out(network, clip, with_hands=True)
        scene_terms = scene_losses(predictions, clip, config)
        placed = [
            (prediction.hands.translation, frame.hand_wrist)
            for prediction, frame in zip(predictions, clip, strict=True)
            if prediction.hands.translation is not None and len(frame.hand_wrist)
        ]
        predicted = torch.cat([translation for translation, _ in placed])
        truth = torch.cat([wrist for _, wrist in placed])
        translation = translation_loss(predicted, truth)
        forgetting = scene_terms['points'] + config.weight_pose * scene_terms['pose']
        total = config.weight_translation * translation + config.gamma * forgetting
        millimetres = (predicted - truth).detach().norm(dim=-1).mean() * 1e3
        return {'total': total, 'wrist_mm': millimetres, **scene_terms}

    with listed_skips(clips):
        loop.run(step)
    if weights is not None:
        weights.parent.mkdir(parents=True, exist_ok=True)
        metadata = {'preset': config.preset, 'hand_model': hand_model_of(config).id, 'pose_source': config.pose_source}
        save_network(weights, network, metadata, half=True)
    return network
