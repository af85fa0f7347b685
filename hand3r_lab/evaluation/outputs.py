"""Where an evaluation's numbers go besides the terminal: JSON, CSV, plots, the model card, and the paper's tables."""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hand3r_lab.evaluation.numbers import Numbers
from hand3r_lab.evaluation.published import format_tables
from hand3r_lab.evaluation.record import Record
from hand3r_lab.evaluation.report import COLUMNS, OPTIONAL_COLUMNS
from hand3r_lab.evaluation.samples import Samples

CARD_BEGIN, CARD_END = '<!-- measured by hand3r-lab evaluate --card -->', '<!-- end of measured -->'
PHOTOS_BEGIN = '<!-- measured by hand3r-lab evaluate --photos --card -->'


@dataclass(frozen=True)
class Outputs:
    """Requested outputs."""

    out: Path | None = None
    """JSON of the whole record."""
    csv: Path | None = None
    plots: Path | None = None
    """Folder; made when it does not exist."""
    tables: bool = False
    cards: tuple[Path, ...] = ()
    """Documents, such as the model card, whose block of measured numbers is replaced."""


def check_outputs(outputs: Outputs, mark: str = CARD_BEGIN) -> None:
    """Finds out before hours of measuring, not after, that a result cannot be written; makes the folder of plots.

    ``mark`` is where the numbers of a card begin.

    Raises:
        OSError: a file or folder cannot be made.
        RuntimeError: plots are asked for and matplotlib is not installed.
        ValueError: the card has no place for the numbers.

    """
    for option, path in (('--out', outputs.out), ('--csv', outputs.csv)):
        if path is not None and path.is_dir():
            raise IsADirectoryError(f'{option} {path} is a folder; give the name of a file')
        if path is not None and not path.absolute().parent.is_dir():
            raise FileNotFoundError(f'{option} {path}: the folder {path.absolute().parent} does not exist')
    for card in outputs.cards:
        with_measured(card.read_text(), '', str(card), mark)
    if outputs.plots is not None:
        if importlib.util.find_spec('matplotlib') is None:
            raise RuntimeError('--plots needs matplotlib, which is not installed: pip install matplotlib')
        outputs.plots.mkdir(parents=True, exist_ok=True)


def write_outputs(text: str, record: Record, samples: Mapping[str, Samples], outputs: Outputs) -> str:
    """Writes what is asked for and returns the report, with what belongs below it.

    Raises:
        OSError: a file cannot be written.

    """
    if outputs.out is not None:
        record.save(outputs.out)
    if outputs.csv is not None:
        write_csv(outputs.csv, record.rows)
    write_cards(outputs.cards, text)
    if outputs.plots is not None:
        from hand3r_lab.evaluation.plots import write_plots  # matplotlib takes a second to load

        files = write_plots(outputs.plots, samples)
        text += '\n\nPlots: ' + (', '.join(str(file) for file in files) or 'none, no hand was measured')
    return text + '\n\n' + format_tables(record.rows, record.data) if outputs.tables else text


def write_cards(cards: Iterable[Path], text: str, mark: str = CARD_BEGIN) -> None:
    """Puts ``text`` into every card, see ``with_measured``; raises OSError or ValueError."""
    for card in cards:
        card.write_text(with_measured(card.read_text(), text, str(card), mark))


def with_measured(card: str, text: str, name: str = 'the card', mark: str = CARD_BEGIN) -> str:
    """A model card with ``text`` between ``mark`` and the end mark.

    Raises:
        ValueError: the marks are not there; ``name`` says where.

    """
    before, begin, rest = card.partition(mark)
    _, end, after = rest.partition(CARD_END)
    if not begin or not end:
        raise ValueError(f'--card {name}: no place for the numbers, which is between {mark} and {CARD_END}')
    return f'{before}{begin}\n{text}\n{end}{after}'


def measured_in(card: str, mark: str = CARD_BEGIN) -> str:
    """What stands between the marks of a card."""
    return card.partition(mark)[2].partition(CARD_END)[0].strip('\n')


def write_csv(path: Path, numbers: Mapping[str, Numbers]) -> None:
    """One line per row of the report, one column per number, empty where a row says nothing; full precision."""
    with path.open('w', newline='') as file:
        writer = csv.writer(file)
        columns = (*COLUMNS, *OPTIONAL_COLUMNS)
        writer.writerow(['method', *columns])
        writer.writerows([name, *(repr(row[c]) if c in row else '' for c in columns)] for name, row in numbers.items())
