"""The summary of a run: as text for people, as numbers for programs, as footer of the picture. No ROS."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hand3r_lab.demo.accuracy import Accuracy
from hand3r_lab.demo.run_record import NodeReport, RunRecord

LABEL_WIDTH = 20
PERCENTILES = (50, 95, 100)
STAGES = ('decode', 'detect', 'inference', 'publish')


@dataclass(frozen=True)
class Summary:
    """Everything that is told at the end."""

    images: int
    results: int
    hands: int
    seconds: float  # from the first to the last image
    latency_ms: tuple[float, ...]  # at PERCENTILES; empty when nothing came
    stage_ms: dict[str, float]  # median of each stage
    node: NodeReport
    accuracy: Accuracy | None


def summarize(run: RunRecord, accuracy: Accuracy | None) -> Summary:
    """Numbers of a run."""
    stamps = sorted(run.frames)
    latencies = run.latencies() * 1e3
    times = list(run.node.times.values())
    return Summary(
        images=run.images,
        results=run.results,
        hands=sum(len(record.hands or ()) for record in run.frames.values()),
        seconds=(stamps[-1] - stamps[0]) * 1e-9 if stamps else 0.0,
        latency_ms=tuple(float(np.percentile(latencies, p)) for p in PERCENTILES) if len(latencies) else (),
        stage_ms={stage: 1e3 * float(np.median([getattr(t, stage) for t in times])) for stage in STAGES if times},
        node=run.node,
        accuracy=accuracy,
    )


def as_text(summary: Summary, places: dict[str, str]) -> str:
    """Lines of name and value; ``places`` are what was written and where."""
    node = summary.node
    rows = [
        ('images', f'{summary.images} in {summary.seconds:.1f} s' if summary.images else 'not recorded'),
        ('processed', f'{node.processed}, dropped {node.dropped}, rejected {node.rejected}'),
        ('hands', f'{summary.hands} in {summary.results} results'),
    ]
    if node.last_error:
        rows.append(('last error', node.last_error))
    if any(summary.latency_ms):  # `hand3r run` writes results at the time of their image
        p50, p95, worst = summary.latency_ms
        rows.append(('latency', f'p50 {p50:.0f} ms, p95 {p95:.0f} ms, longest {worst:.0f} ms (image stamp to ~/hands)'))
    if summary.stage_ms:
        stages = ', '.join(f'{stage} {value:.1f} ms' for stage, value in summary.stage_ms.items())
        rows.append(('in the node', f'{stages} (medians)'))
    lines = _rows(rows)
    if summary.accuracy is not None:
        lines += ['accuracy against the rendered ground truth', *_rows(_accuracy_rows(summary.accuracy))]
    lines += _rows(list(places.items()))
    return '\n'.join(['', '---- hand3r summary ----', *lines, '------------------------'])


def as_numbers(summary: Summary) -> dict[str, Any]:
    """For JSON: SI units, except where a name says milliseconds."""
    numbers = asdict(summary)
    numbers['node'].pop('times')
    numbers['latency_ms'] = {f'p{p}': value for p, value in zip(PERCENTILES, summary.latency_ms, strict=False)}
    return numbers


def for_picture(summary: Summary) -> list[tuple[str, str]]:
    """The numbers below the picture, most important first."""
    entries = []
    accuracy = summary.accuracy
    if accuracy is not None:
        chosen = (('PA-MPJPE', accuracy.pa_mpjpe), ('C-MPJPE', accuracy.c_mpjpe))
        entries += [(name, f'{1e3 * value:.1f} mm') for name, value in chosen if value is not None]
        if accuracy.camera_ate is not None:
            entries.append(('camera ATE', f'{1e2 * accuracy.camera_ate:.1f} cm'))
        if accuracy.depth_abs_rel is not None:
            entries.append(('depth AbsRel', f'{accuracy.depth_abs_rel:.3f}'))
    if any(summary.latency_ms):
        entries.append(('latency p50', f'{summary.latency_ms[0]:.0f} ms'))
    if summary.seconds > 0.0:
        entries.append(('rate', f'{(summary.results - 1) / summary.seconds:.1f} Hz'))
    return entries


def _accuracy_rows(accuracy: Accuracy) -> list[tuple[str, str]]:
    rows = [
        (
            'hands compared',
            f'{accuracy.matched_hands}, missed {accuracy.missed_hands}, false {accuracy.false_hands}',
        )
    ]
    millimetres = {
        'PA-MPJPE': accuracy.pa_mpjpe,
        'MPJPE': accuracy.mpjpe,
        'C-MPJPE': accuracy.c_mpjpe,
        'W-MPJPE': accuracy.w_mpjpe,
        'WA-MPJPE': accuracy.wa_mpjpe,
    }
    explained = {'MPJPE': ' (root-relative)', 'C-MPJPE': ' (in the camera frame)'}
    rows += [
        (name, f'{1e3 * value:.1f} mm{explained.get(name, "")}')
        for name, value in millimetres.items()
        if value is not None
    ]
    if accuracy.camera_ate is not None and accuracy.path_length is not None and accuracy.camera_rotation is not None:
        path = f'over a path of {accuracy.path_length:.2f} m'
        rows.append(('camera ATE', f'{1e2 * accuracy.camera_ate:.1f} cm {path}'))
        rows.append(('camera rotation', f'{np.rad2deg(accuracy.camera_rotation):.2f} deg'))
    if accuracy.depth_abs_rel is not None and accuracy.depth_delta1 is not None:
        rows.append(('depth', f'AbsRel {accuracy.depth_abs_rel:.3f}, delta1 {accuracy.depth_delta1:.3f} (~/points)'))
    return rows


def _rows(rows: list[tuple[str, str]]) -> list[str]:
    return [f'  {name:<{LABEL_WIDTH}}{value}' for name, value in rows]
