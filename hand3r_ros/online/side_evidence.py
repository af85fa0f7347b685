"""Left or right over time: labels of detectors are accumulated evidence; one wrong label starts no new hand.

The side of a tracked hand decides how its crop is cut (left hands are mirrored) and which hand model is posed, so a
label that is wrong in one image would turn the whole hand round in it. Labels are added up instead, up to a limit, so
that a hand seen for long needs more to be taken for the other one than a hand that has just appeared.
"""

from __future__ import annotations

from dataclasses import dataclass

from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.online.config import TrackingConfig


@dataclass(frozen=True)
class SideBelief:
    """What a tracked hand is taken for, and how much speaks for it."""

    side: HandSide
    evidence: float
    """Weights of the labels for ``side`` minus those against it, limited above by ``TrackingConfig.side_memory``."""

    @classmethod
    def first(cls, side: HandSide, label: HandSide | None, weight: float) -> SideBelief:
        """Of a hand that was not tracked before."""
        return cls(side, weight if label == side else 0.0)

    def after(self, label: HandSide | None, weight: float, config: TrackingConfig) -> SideBelief:
        """With one more label of a weight from 0 to 1; None says nothing about the side."""
        if label is None:
            return self
        evidence = self.evidence + (weight if label == self.side else -weight)
        if evidence <= -config.side_change:
            return SideBelief(label, -evidence)
        return SideBelief(self.side, min(evidence, config.side_memory))
