"""The rows of the report: which pipelines run side by side, and what is read from what they measured."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hand3r_lab.evaluation.ablations import FUSED_HEAD, ZEROED, ZeroedScene, ablated
from hand3r_lab.evaluation.baselines import baseline_numbers
from hand3r_lab.evaluation.numbers import (
    Numbers,
    camera_numbers,
    occlusion_numbers,
    sample_numbers,
    scene_numbers,
    world_numbers,
)
from hand3r_lab.evaluation.samples import ANY_PIXEL, SMALLEST_VISIBLE, Pipeline, Samples
from hand3r_lab.evaluation.sharing import SharedSteps, share_encoders
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.network.hand.mano_head import ManoHead
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.online.config import DetectionConfig, MapConfig, ReconstructorConfig, TrackingConfig
from hand3r_ros.online.detection.registry import make_detector
from hand3r_ros.online.reconstructor import OnlineReconstructor

OURS, GEOMETRIC = 'ours, network pose', 'ours, geometric pose'
EVERY_HAND = 'ours'
"""The pipeline that is also given the boxes of nearly hidden hands; it fills the occlusion bins and nothing else."""
SAME_SEQUENCES = 'ours, same sequences'
"""What ablations are compared with: the whole network on the sequences that they have seen."""


def make_pipelines(
    network: Hand3R, layer: HandLayer, preset: str, ablations: bool = False, fused_head: ManoHead | None = None
) -> tuple[dict[str, Pipeline], dict[str, Pipeline]]:
    """What every evaluation runs side by side, and the ablations; ``network`` is made to share its encoders.

    Without ``ablations`` there is one, the zeroed scene; a MANO head on fused tokens is measured where it is given.
    """

    def pipeline(
        network: Hand3R, pose_source: str, smallest_visible: float = SMALLEST_VISIBLE, keeps_depth: bool = False
    ) -> Pipeline:
        # No number looks at the map, and all of them have to run at once.
        # No number looks at hands that nobody has seen either.
        config = ReconstructorConfig(
            preset=preset,
            pose_source=pose_source,
            detection=DetectionConfig(detector='topic'),
            map=MapConfig(enabled=False),
            tracking=TrackingConfig(max_prediction=0.0),
        )
        reconstructor = OnlineReconstructor(network, layer, make_detector(config), config)
        shape = network.config
        return Pipeline(reconstructor, shape.image_long_side, shape.scene.patch_size, smallest_visible, keeps_depth)

    share_encoders(network)
    whole = SharedSteps.of(network)
    changed: dict[str, Hand3R] = {ZEROED: ZeroedScene.of(network)}
    for name, other in ablated(network, fused_head).items():
        if ablations or name == FUSED_HEAD:
            changed[name] = other
    return (
        {
            OURS: pipeline(whole, 'network', keeps_depth=True),
            GEOMETRIC: pipeline(whole, 'geometric'),
            EVERY_HAND: pipeline(whole, 'network', ANY_PIXEL),
        },
        {name: pipeline(other, 'network') for name, other in changed.items()},
    )


def with_reference(samples: dict[str, Samples], ablations: Collection[str]) -> dict[str, Samples]:
    """The samples of one sequence, those of the whole network once more before the ablations that saw it too."""
    if not ablations:
        return samples
    whole = {name: measured for name, measured in samples.items() if name not in ablations}
    return {**whole, SAME_SEQUENCES: samples[OURS], **{name: samples[name] for name in ablations}}


def all_numbers(samples: Mapping[str, Samples], layer: HandLayer) -> dict[str, Numbers]:
    """The rows of the report from what ``make_pipelines``'s pipelines measured."""
    ours, geometric = samples[OURS], samples[GEOMETRIC]
    rows = {
        'ours': {**sample_numbers(ours.hands), **scene_numbers(ours)} | {'hands': float(len(ours.hands))},
        OURS: {**camera_numbers(ours.cameras), **world_numbers(ours.tracks)},
        GEOMETRIC: {**camera_numbers(geometric.cameras), **world_numbers(geometric.tracks)},
    }
    for name, measured in samples.items():
        if name == ZEROED:
            hands = sample_numbers(measured.hands)
            rows[name] = {'C-MPJPE mm': hands['C-MPJPE mm']} if hands else {}
        elif name not in (OURS, GEOMETRIC, EVERY_HAND):
            rows[name] = {
                **sample_numbers(measured.hands),
                **scene_numbers(measured),
                **camera_numbers(measured.cameras),
                **world_numbers(measured.tracks),
            }
    return {**rows, **baseline_numbers(ours, layer), **occlusion_numbers(samples[EVERY_HAND].hands, 'ours')}
