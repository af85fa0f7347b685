"""What the numbers should come to, and by which factor they beat each trivial predictor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hand3r_lab.evaluation.ablations import WITHOUT_PROMPTS, ZEROED
from hand3r_lab.evaluation.numbers import Numbers
from hand3r_lab.evaluation.rows import GEOMETRIC, OURS, SAME_SEQUENCES

BASELINES = ('mean pose', 'true rotation + mean pose', 'depth from box size', 'constant depth', 'static camera')
WORTHWHILE = 2.0
"""A number that is not this many times better than a trivial one has not earned much."""
DETECTION = 'detection'


@dataclass(frozen=True)
class Aim:
    """A number of one row and its limit."""

    name: str
    row: str  # of the report; 'pose' stands for the pose source that the weights recommend
    column: str
    limit: float
    at_least: bool = False  # the limit is to be exceeded, else undercut


AIMS = (
    Aim('PA-MPJPE mm', 'ours', 'PA-MPJPE mm', 9.0),
    Aim('root-relative MPJPE mm', 'ours', 'MPJPE mm', 16.0),
    Aim('C-MPJPE mm', 'ours', 'C-MPJPE mm', 45.0),
    Aim('WA-MPJPE mm, 30 frames', 'pose', 'WA-MPJPE mm', 25.0),
    Aim('depth AbsRel', 'ours', 'depth AbsRel', 0.12),
    Aim('camera ATE cm', 'pose', 'camera ATE cm', 2.0),
    Aim('detection F1', DETECTION, 'F1', 0.9, at_least=True),
)
GAINS = {'prompts': WITHOUT_PROMPTS, 'scene': ZEROED}
"""What has to earn a share of the C-MPJPE, and the row without it."""
LEAST_GAIN = 10.0  # %


@dataclass(frozen=True)
class AimResult:
    """Measured value of one aim."""

    name: str
    value: float | None  # None: not measured
    limit: float
    at_least: bool
    factors: dict[str, float]  # how many times better than each baseline that says something about it

    @property
    def reached(self) -> bool | None:
        """None where it was not measured."""
        if self.value is None:
            return None
        return self.value > self.limit if self.at_least else self.value < self.limit

    @property
    def worthwhile(self) -> bool | None:
        """Whether every baseline is beaten by the factor ``WORTHWHILE``; None where there is none."""
        return all(factor >= WORTHWHILE for factor in self.factors.values()) if self.factors else None


def aim_results(rows: Mapping[str, Numbers], detection: Numbers | None, pose_source: str) -> list[AimResult]:
    """All aims, in order.

    Args:
        rows: of the report.
        detection: numbers of the detection head, where it was measured.
        pose_source: 'network' or 'geometric', whose rows count for camera and world.

    """
    places = {'pose': GEOMETRIC if pose_source == 'geometric' else OURS}
    known = {**rows, DETECTION: detection or {}}
    results = []
    for aim in AIMS:
        value = known.get(places.get(aim.row, aim.row), {}).get(aim.column)
        factors = {}
        for baseline in BASELINES:
            trivial = rows.get(baseline, {}).get(aim.column)
            if value and trivial is not None:
                factors[baseline] = trivial / value
        results.append(AimResult(aim.name, value, aim.limit, aim.at_least, factors))
    for part, row in GAINS.items():
        gain = gain_percent(rows, row)
        results.append(AimResult(f'gain from {part}, % of C-MPJPE', gain, LEAST_GAIN, True, {}))
    return results


def gain_percent(rows: Mapping[str, Numbers], without: str) -> float | None:
    """By how much less the whole network errs (C-MPJPE) than the row ``without`` a part, on the same sequences."""
    reference = rows.get(SAME_SEQUENCES, {}).get('C-MPJPE mm')
    ablated = rows.get(without, {}).get('C-MPJPE mm')
    if reference is None or not ablated:
        return None
    return 100.0 * (1.0 - reference / ablated)
