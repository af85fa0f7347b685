"""What a check of a data set found: per sequence and in total, as text and as an exit code."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from hand3r_lab.datasets.samples import CorruptSampleError


class ExitCode(IntEnum):
    """Exit codes of ``hand3r-lab data check`` (1 is an error of the command itself, 2 wrong usage)."""

    COMPLETE = 0
    INCOMPLETE = 3
    CORRUPT = 4


@dataclass
class SequenceReport:
    """One sequence (of one camera)."""

    name: str
    frames: int = 0
    hand_labels: int | None = None  # frames with a hand label; None where only a deep check can tell
    missing: list[str] = field(default_factory=list)  # files that should be there
    corrupt: list[str] = field(default_factory=list)  # 'file: reason'
    notes: list[str] = field(default_factory=list)  # worth knowing, no defect

    def add(self, error: CorruptSampleError, base: Path) -> None:
        """Notes a file that cannot be used; one that is not there counts as missing."""
        name = error.path.relative_to(base).as_posix() if error.path.is_relative_to(base) else str(error.path)
        if error.reason == 'missing':
            self.missing.append(name)
        else:
            self.corrupt.append(f'{name}: {error.reason}')

    @property
    def status(self) -> str:
        """'corrupt', 'incomplete' or 'complete'."""
        if self.corrupt:
            return 'corrupt'
        return 'incomplete' if self.missing else 'complete'


@dataclass
class DataReport:
    """A whole data set."""

    kind: str  # 'DexYCB', ...
    root: Path
    deep: bool
    sequences: list[SequenceReport] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)  # of the data set as a whole
    corrupt: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, error: CorruptSampleError) -> None:
        """Notes a file shared by many sequences that cannot be used."""
        shared = SequenceReport('')
        shared.add(error, self.root)
        self.missing += shared.missing
        self.corrupt += shared.corrupt

    @property
    def exit_code(self) -> ExitCode:
        """The worst of everything."""
        statuses = {sequence.status for sequence in self.sequences}
        if self.corrupt or 'corrupt' in statuses:
            return ExitCode.CORRUPT
        if self.missing or 'incomplete' in statuses:
            return ExitCode.INCOMPLETE
        return ExitCode.COMPLETE

    def text(self, most: int = 20) -> str:
        """Totals first, then what is wrong, at most ``most`` lines of each kind."""
        count = {status: 0 for status in ('complete', 'incomplete', 'corrupt')}
        for sequence in self.sequences:
            count[sequence.status] += 1
        frames = sum(sequence.frames for sequence in self.sequences)
        known = [sequence.hand_labels for sequence in self.sequences if sequence.hand_labels is not None]
        lines = [
            f'{self.kind} in {self.root} ({"every file decoded" if self.deep else "names and sizes; --deep decodes"})',
            f'  sequences: {len(self.sequences)} ({count["complete"]} complete, {count["incomplete"]} incomplete, '
            f'{count["corrupt"]} corrupt)',
            f'  frames: {frames}' + (f', with a hand label: {sum(known)}' if known else ''),
        ]
        lines += _section('missing', self.missing, most)
        lines += _section('corrupt', self.corrupt, most)
        lines += _section('notes', self.notes, most)
        wrong = [_sequence_line(sequence) for sequence in self.sequences if sequence.status != 'complete']
        lines += _section('sequences with defects', wrong, most)
        noted = [f'{sequence.name}: {"; ".join(sequence.notes)}' for sequence in self.sequences if sequence.notes]
        lines += _section('notes on sequences', noted, most)
        lines.append(f'  {self.exit_code.name.lower()}')
        return '\n'.join(lines)


def _sequence_line(sequence: SequenceReport) -> str:
    parts = []
    for word, entries in (('missing', sequence.missing), ('corrupt', sequence.corrupt)):
        if entries:
            more = f' and {len(entries) - 3} more' if len(entries) > 3 else ''
            parts.append(f'{len(entries)} {word} ({", ".join(entries[:3])}{more})')
    return f'{sequence.name}: {"; ".join(parts)}'


def _section(title: str, entries: list[str], most: int) -> list[str]:
    if not entries:
        return []
    shown = [f'    {entry}' for entry in entries[:most]]
    if len(entries) > most:
        shown.append(f'    and {len(entries) - most} more (--all lists everything)')
    return [f'  {title}: {len(entries)}', *shown]
