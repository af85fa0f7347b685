"""Everything one evaluation has found, as it is written to a file and read again."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hand3r_lab.evaluation.aims import AimResult
from hand3r_lab.evaluation.numbers import Numbers


@dataclass(frozen=True)
class Record:
    """Numbers, and what they were measured with."""

    data: str
    """What was measured on: 'rendered test set', or data set and split."""
    preset: str
    weights_sha256: str
    sequences: int
    frames: int
    rows: dict[str, Numbers]
    ablation_sequences: int = 0
    """How many sequences the ablations have seen."""
    pose_source: str = 'network'
    """What the weights recommend; the aims count its rows."""
    aims: list[AimResult] = field(default_factory=list)
    detection: Numbers | None = None

    def save(self, path: Path) -> None:
        """Writes JSON in full precision.

        Raises:
            OSError: the file cannot be written.

        """
        content = dataclasses.asdict(self)
        for shown, aim in zip(content['aims'], self.aims, strict=True):
            shown |= {'reached': aim.reached, 'at_least_twice_as_good': aim.worthwhile}
        path.write_text(json.dumps(content, indent=1) + '\n')

    @classmethod
    def load(cls, path: Path) -> Record:
        """The record of a file from ``save``.

        Raises:
            OSError: the file cannot be read.
            ValueError: it holds something else.

        """
        try:
            content: dict[str, Any] = json.loads(path.read_text())
            names = [f.name for f in dataclasses.fields(AimResult)]
            aims = [AimResult(**{name: aim[name] for name in names}) for aim in content.pop('aims')]
            return cls(**content, aims=aims)
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise ValueError(
                f'{path} was not written by `hand3r-lab evaluate --out` of this version ({error})'
            ) from error
