"""One test sequence is one job, in this process or in workers; the numbers are the same either way.

A worker loads the weights once and computes with one thread. Results are put together in the order of the sequences,
whoever was ready first.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import torch
from tqdm import tqdm

from hand3r_lab.cpu_threads import opencv_threads, torch_threads
from hand3r_lab.evaluation.detection import DetectionScore, HeadWatch
from hand3r_lab.evaluation.rows import make_pipelines, with_reference
from hand3r_lab.evaluation.samples import Pipeline, Samples, measure_sequence, merged
from hand3r_lab.evaluation.truth import rendered_sequence
from hand3r_lab.fused_head import load_fused_head
from hand3r_ros.checkpoints.locations import find_weights_folder
from hand3r_ros.hand_model.data import load_open_hand, require_same_hand_model
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.network.checkpoints import load_network, read_weights_info

WRONG_HAND = 'The rendered test set shows the open hand: measure these weights on a public data set, with --data'


@dataclass(frozen=True)
class Plan:
    """What is measured on the rendered test set."""

    preset: str = 'tiny'
    weights_dir: Path | None = None
    sequences: int = 10
    frames: int = 30
    rows: bool = True
    """All but detection."""
    ablations: bool = False
    ablation_sequences: int = 10
    """Ablations see the first sequences only."""
    detection: bool = False
    fused_head: Path | None = None

    def __post_init__(self) -> None:
        for name in ('sequences', 'frames', 'ablation_sequences'):
            if getattr(self, name) < 1:
                raise ValueError(f'{name} must be at least 1, got {getattr(self, name)}')

    @property
    def weights(self) -> Path:
        """The file that is evaluated.

        Raises:
            WeightsError: there is none.

        """
        path = find_weights_folder(self.preset, self.weights_dir) / f'{self.preset}.safetensors'
        return read_weights_info(path).path


@dataclass(frozen=True)
class Measured:
    """Measurements of the sequences."""

    samples: dict[str, Samples]
    detection: DetectionScore | None


class SequenceJob:
    """Everything a plan needs, loaded once; called with the number of a sequence."""

    def __init__(self, plan: Plan) -> None:
        """Loads weights and hand model.

        Raises:
            WeightsError: the weights, or the head on fused tokens, are missing or damaged.
            HandModelMismatchError: the weights are for another hand than the rendered one.
            DetectorUnavailableError: detection is asked for and the weights have no such head.

        """
        self.plan = plan
        weights, hand = plan.weights, load_open_hand()
        network, info = load_network(weights.parent, plan.preset)
        require_same_hand_model(hand.id, info.hand_model, str(weights), WRONG_HAND)
        self._watch = HeadWatch(network, plan.preset) if plan.detection else None
        self._pipelines: dict[str, Pipeline] = {}
        self._ablations: dict[str, Pipeline] = {}
        if plan.rows:
            head = None if plan.fused_head is None else load_fused_head(plan.fused_head, network.config, weights)
            made = make_pipelines(network, HandLayer(hand), plan.preset, plan.ablations, head)
            self._pipelines, self._ablations = made

    def __call__(self, index: int) -> Measured:
        """Measures one sequence."""
        if self._watch is not None:
            self._watch.score = DetectionScore()
        ablations = self._ablations if index < self.plan.ablation_sequences else {}
        sequence = rendered_sequence(index, self.plan.frames)
        samples = measure_sequence(self._pipelines | ablations, sequence, watch=self._watch)
        return Measured(with_reference(samples, ablations), None if self._watch is None else self._watch.score)


def measure(plan: Plan, processes: int) -> Measured:
    """Measures all sequences of a plan, in workers where there are several processes and sequences; shows progress.

    Raises:
        ValueError: there is to be less than one process.
        WeightsError, HandModelMismatchError, DetectorUnavailableError: as ``SequenceJob``.

    """
    if processes < 1:
        raise ValueError(f'processes must be at least 1, got {processes}')
    count = min(processes, plan.sequences)
    if count == 1:
        with torch_threads(1), opencv_threads(1):
            return _together(map(functools.partial(_work, plan), range(plan.sequences)), plan)
    pool = ProcessPoolExecutor(count, multiprocessing.get_context('spawn'), initializer=_use_one_thread)
    try:
        return _together(pool.map(functools.partial(_work, plan), range(plan.sequences)), plan)
    finally:  # also after an error or Ctrl-C no sequence is begun any more
        pool.shutdown(cancel_futures=True)


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def _use_one_thread() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def _work(plan: Plan, index: int) -> Measured:
    return _job(plan)(index)


@functools.lru_cache(maxsize=1)
def _job(plan: Plan) -> SequenceJob:
    return SequenceJob(plan)


def _together(results: Iterator[Measured], plan: Plan) -> Measured:
    parts, score = [], DetectionScore()
    for result in tqdm(results, total=plan.sequences, desc='test sequences', mininterval=1.0):
        parts.append(result.samples)
        if result.detection is not None:
            score.merge(result.detection)
    return Measured(merged(parts), score if plan.detection else None)
