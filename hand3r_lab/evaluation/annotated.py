"""The same numbers on DexYCB and HOI4D, read by this project's readers.

Hands are scored on the data set's own keypoints; the fingertips of predicted hands are taken from the same vertices
as the data set's. Boxes are those of the annotated mesh, clipped to the image. Frames that cannot be read are left out
and listed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hand3r_lab.cpu_threads import torch_threads
from hand3r_lab.datasets import dexycb, hoi4d
from hand3r_lab.datasets.dexycb import DexYCBSequence
from hand3r_lab.datasets.mano_annotations import FINGERTIPS, AnnotationModel
from hand3r_lab.datasets.recognition import DEXYCB, PUBLIC_FORMATS, recognise
from hand3r_lab.datasets.samples import AnnotatedHand, AnnotatedSequence, CorruptSampleError, DataSetError, SkipLog
from hand3r_lab.evaluation.outputs import Outputs, check_outputs, write_outputs
from hand3r_lab.evaluation.record import Record
from hand3r_lab.evaluation.report import format_rows
from hand3r_lab.evaluation.rows import all_numbers, make_pipelines, with_reference
from hand3r_lab.evaluation.samples import measure_sequence, merged, unchanged
from hand3r_lab.evaluation.truth import EvaluatedFrame, EvaluatedHand, EvaluatedSequence
from hand3r_lab.fused_head import file_sha256
from hand3r_ros.checkpoints.locations import find_mano, find_weights_folder
from hand3r_ros.geometry import Intrinsics, project_points
from hand3r_ros.hand_model.data import OPEN_HAND, HandModelData, load_mano, load_open_hand, require_same_hand_model
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.network.checkpoints import load_network
from hand3r_ros.online.hand_mask import mesh_depth
from hand3r_ros.online.results import HandResult

DEFAULT_SPLITS = {'DexYCB': 's0/test', 'HOI4D': 'test'}
FINGERTIP_KEYPOINTS = [4, 8, 12, 16, 20]
SMALLEST_BOX = 8.0  # px, along both sides; less of a hand inside the image shows nothing


@torch_threads(1)
def evaluate_data_set(
    root: Path,
    split: str | None,
    mano: Path | None,
    preset: str,
    weights_dir: Path | None,
    sequences: int,
    frames: int,
    ablations: bool = False,
    ablation_sequences: int = 10,
    outputs: Outputs | None = None,
) -> str:
    """Runs the first ``frames`` frames of ``sequences`` sequences and returns the report.

    The sequences are spread evenly over the split. Weights for the open hand can be measured too, on their own
    fingertips, which are not quite those of MANO.

    Raises:
        DataSetError: the folder is neither DexYCB nor HOI4D, or nothing of the split is there.
        WeightsError, HandModelFileError: the weights, or MANO, with which these data sets are annotated, are missing or
            damaged.

    """
    outputs = outputs or Outputs()
    check_outputs(outputs)
    known = recognise(root, PUBLIC_FORMATS)
    split = split or DEFAULT_SPLITS[known.name]
    weights = find_weights_folder(preset, weights_dir)
    network, info = load_network(weights, preset)
    mano_file = find_mano(mano, weights_dir)
    right = load_mano(mano_file)
    own_fingertips = info.hand_model == OPEN_HAND
    if not own_fingertips:
        require_same_hand_model(right.id, info.hand_model, str(weights / f'{preset}.safetensors'))
    reader = dexycb if known is DEXYCB else hoi4d
    opened, refused = reader.open_sequences(root.expanduser(), split, AnnotationModel.load(mano_file))
    if not opened:
        raise DataSetError(f'{root}: no sequence of the split {split!r} of {known.name} can be opened')
    skipped = SkipLog()
    for error in refused:
        skipped.add_corrupt(error)
    chosen = spread(opened, sequences)
    layer = HandLayer(load_open_hand() if own_fingertips else right)
    pipelines, ablated = make_pipelines(network.eval(), layer, preset, ablations)
    adapt = unchanged if own_fingertips else with_toolkit_fingertips
    parts = []
    for index, sequence in enumerate(tqdm(chosen, desc='sequences', mininterval=5.0)):
        also = ablated if index < ablation_sequences else {}
        measured = measure_sequence(pipelines | also, evaluated(sequence, right, frames, skipped), adapt)
        parts.append(with_reference(measured, also))
    samples = merged(parts)
    record = Record(
        data=f'{known.name}, {split}',
        preset=preset,
        weights_sha256=file_sha256(weights / f'{preset}.safetensors'),
        sequences=len(chosen),
        frames=frames,
        rows=all_numbers(samples, HandLayer(right)),
        ablation_sequences=min(ablation_sequences, len(chosen)),
        pose_source=info.pose_source,
    )
    text = (
        f'{record.data}: {len(chosen)} of {len(opened)} sequences, at most {frames} frames of each, '
        f'{record.rows["ours"]["hands"]:.0f} hands, boxes given, intrinsics known.\n\n{format_rows(record.rows)}'
    )
    if skipped.summary():
        text += '\n\n' + skipped.summary()
    return write_outputs(text, record, samples, outputs)


def spread(sequences: Sequence[AnnotatedSequence], count: int) -> list[AnnotatedSequence]:
    """``count`` sequences (all, where there are fewer), evenly spread over their order, always the same ones."""
    count = min(max(count, 1), len(sequences))
    return [sequences[i * len(sequences) // count] for i in range(count)]


def evaluated(sequence: AnnotatedSequence, right: HandModelData, frames: int, skipped: SkipLog) -> EvaluatedSequence:
    """A sequence as the evaluation takes it; what of it cannot be read is noted in ``skipped``."""
    return EvaluatedSequence(sequence.name, sequence.frame_rate, _frames(sequence, right, frames, skipped))


def _frames(
    sequence: AnnotatedSequence, right: HandModelData, frames: int, skipped: SkipLog
) -> Iterator[EvaluatedFrame]:
    for index in itertools.islice(range(len(sequence)), frames):
        try:
            frame = sequence.frame(index)
            hand_pixels = sequence.label(index).hand_pixels if isinstance(sequence, DexYCBSequence) else None
        except CorruptSampleError as error:
            skipped.add_corrupt(error)
            continue
        hands = [_hand(hand, frame.intrinsics, right, hand_pixels) for hand in frame.hands]
        known = tuple(hand for hand in hands if hand is not None)
        pose = frame.T_world_camera if sequence.has_camera_path else None
        yield EvaluatedFrame(index, frame.image, frame.depth, frame.intrinsics, pose, known)


def _hand(
    hand: AnnotatedHand, intrinsics: Intrinsics, right: HandModelData, hand_pixels: int | None
) -> EvaluatedHand | None:
    """None where next to nothing of the hand is inside the image."""
    if hand.vertices_camera[:, 2].min() <= 0.0:
        return None
    pixels = project_points(hand.vertices_camera, intrinsics)
    last = (intrinsics.width - 1, intrinsics.height - 1)
    box = np.concatenate([pixels.min(0).clip(0, last), pixels.max(0).clip(0, last)])
    if min(box[2:] - box[:2]) < SMALLEST_BOX:
        return None
    visible = np.nan if hand_pixels is None else visible_fraction(hand, intrinsics, right, hand_pixels)
    return EvaluatedHand(hand.side, hand.keypoints_camera, box, visible, hand.rotations, hand.betas)


def visible_fraction(hand: AnnotatedHand, intrinsics: Intrinsics, right: HandModelData, hand_pixels: int) -> float:
    """Labelled pixels of a hand over those that its whole mesh covers, inside the image and beyond its border."""
    margin_x, margin_y = intrinsics.width, intrinsics.height
    wide = Intrinsics(
        intrinsics.fx,
        intrinsics.fy,
        intrinsics.cx + margin_x,
        intrinsics.cy + margin_y,
        intrinsics.width + 2 * margin_x,
        intrinsics.height + 2 * margin_y,
    )
    silhouette: NDArray[np.bool_] = np.isfinite(mesh_depth(hand.vertices_camera, right.faces(hand.side), wide))
    return min(1.0, hand_pixels / max(1, int(silhouette.sum())))


def with_toolkit_fingertips(hand: HandResult) -> HandResult:
    """The same hand with its fingertip keypoints at the vertices that DexYCB's toolkit and HOI4D take (manopth)."""
    tips = list(FINGERTIPS[hand.side])
    camera, world = hand.keypoints_camera.copy(), hand.keypoints_world.copy()
    camera[FINGERTIP_KEYPOINTS], world[FINGERTIP_KEYPOINTS] = hand.vertices_camera[tips], hand.vertices_world[tips]
    return replace(hand, keypoints_camera=camera, keypoints_world=world)
