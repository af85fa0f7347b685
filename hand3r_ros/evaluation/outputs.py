"""Where an evaluation's numbers go besides the terminal: JSON, CSV, plots, and the paper's tables."""

from __future__ import annotations

import csv
import importlib.util
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


def check_outputs(outputs: Outputs, out: Path | None) -> None:
    """Finds out before hours of measuring, not after, that a result cannot be written; makes the folder of plots.

    Raises:
        OSError: a file or folder cannot be made.
        RuntimeError: plots are asked for and matplotlib is not installed.

    """
    for option, path in (('--out', out), ('--csv', outputs.csv)):
        if path is not None and path.is_dir():
            raise IsADirectoryError(f'{option} {path} is a folder; give the name of a file')
        if path is not None and not path.absolute().parent.is_dir():
            raise FileNotFoundError(f'{option} {path}: the folder {path.absolute().parent} does not exist')
    if outputs.plots is not None:
        if importlib.util.find_spec('matplotlib') is None:
            raise RuntimeError('--plots needs matplotlib, which is not installed: pip install matplotlib')
        outputs.plots.mkdir(parents=True, exist_ok=True)


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
