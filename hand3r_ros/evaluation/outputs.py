"""Where an evaluation's numbers go besides the terminal: JSON, CSV, plots, and the paper's tables."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hand3r_ros.evaluation.numbers import Numbers
from hand3r_ros.evaluation.published import format_tables
from hand3r_ros.evaluation.report import COLUMNS, OPTIONAL_COLUMNS
from hand3r_ros.evaluation.samples import Samples


@dataclass(frozen=True)
class Outputs:
    """What is asked for."""

    csv: Path | None = None
    plots: Path | None = None
    """Folder; made when it does not exist."""
    tables: bool = False


def write_outputs(
    text: str,
    numbers: Mapping[str, Numbers],
    samples: Mapping[str, Samples],
    outputs: Outputs,
    out: Path | None,
    data: str,
) -> str:
    """Writes what is asked for and returns the report, with what belongs below it.

    Raises:
        OSError: a file cannot be written.

    """
    if out is not None:
        out.write_text(json.dumps(numbers, indent=1))
    if outputs.csv is not None:
        write_csv(outputs.csv, numbers)
    if outputs.plots is not None:
        from hand3r_ros.evaluation.plots import write_plots  # matplotlib takes a second to load

        files = write_plots(outputs.plots, samples)
        text += '\n\nPlots: ' + (', '.join(str(file) for file in files) or 'none, no hand was measured')
    return text + '\n\n' + format_tables(numbers, data) if outputs.tables else text


def write_csv(path: Path, numbers: Mapping[str, Numbers]) -> None:
    """One line per row of the report, one column per number, empty where a row says nothing; full precision."""
    with path.open('w', newline='') as file:
        writer = csv.writer(file)
        columns = (*COLUMNS, *OPTIONAL_COLUMNS)
        writer.writerow(['method', *columns])
        writer.writerows([name, *(repr(row[c]) if c in row else '' for c in columns)] for name, row in numbers.items())
