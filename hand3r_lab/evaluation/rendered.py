"""Accuracy of the whole online pipeline on rendered sequences that training never saw, beside trivial baselines.

The pipeline runs as on the robot: frames one by one, boxes given (as from a detector that never fails), intrinsics
known. Baselines that need an average use the average over the *test* hands themselves, which flatters them.
"""

from __future__ import annotations

from pathlib import Path

from hand3r_lab.evaluation.aims import aim_results
from hand3r_lab.evaluation.jobs import Measured, Plan, measure
from hand3r_lab.evaluation.outputs import Outputs, check_outputs, write_outputs
from hand3r_lab.evaluation.record import Record
from hand3r_lab.evaluation.report import format_report
from hand3r_lab.evaluation.rows import all_numbers
from hand3r_lab.fused_head import file_sha256
from hand3r_ros.hand_model.data import load_open_hand
from hand3r_ros.hand_model.layer import HandLayer
from hand3r_ros.network.checkpoints import read_weights_info

RENDERED = 'rendered test set'


def evaluate_rendered(plan: Plan, processes: int = 1, outputs: Outputs | None = None) -> str:
    """Runs the test set and returns the report; ``outputs`` says what is written.

    Raises:
        OSError, RuntimeError, ValueError: a result cannot be written; this is found out first.
        WeightsError, HandModelMismatchError, DetectorUnavailableError: see ``jobs.SequenceJob``.

    """
    outputs = outputs or Outputs()
    if outputs.plots is not None and not plan.rows:
        raise ValueError('--plots shows the errors of hands, which --detection only does not measure')
    check_outputs(outputs)
    sha256 = file_sha256(plan.weights)
    measured = measure(plan, processes)
    record = record_of(plan, measured, sha256)
    return write_outputs(format_report(record), record, measured.samples, outputs)


def reprint(path: Path, outputs: Outputs) -> str:
    """The report of an earlier evaluation, from its JSON.

    Raises:
        OSError, ValueError: the file cannot be read or is something else, or there would have to be plots.

    """
    if outputs.plots is not None:
        raise ValueError(f'--plots shows single hands, which {path} does not hold: measure them, without --numbers')
    check_outputs(outputs)
    record = Record.load(path)
    return write_outputs(format_report(record), record, {}, outputs)


def record_of(plan: Plan, measured: Measured, sha256: str) -> Record:
    """The numbers of what was measured, with the weights of this checksum."""
    pose_source = read_weights_info(plan.weights).pose_source
    rows = all_numbers(measured.samples, HandLayer(load_open_hand())) if plan.rows else {}
    detection = None if measured.detection is None else measured.detection.numbers()
    return Record(
        data=RENDERED,
        preset=plan.preset,
        weights_sha256=sha256,
        sequences=plan.sequences,
        frames=plan.frames,
        rows=rows,
        ablation_sequences=min(plan.ablation_sequences, plan.sequences) if plan.rows else 0,
        pose_source=pose_source,
        aims=aim_results(rows, detection, pose_source) if plan.rows else [],
        detection=detection,
    )
