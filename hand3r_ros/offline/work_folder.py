"""The working folder of a run until the result is complete: ``<out>.partial``.

A checkpoint is one MCAP part with the results since the last one and one snapshot of what the reconstruction
remembers. ``progress.json`` is replaced in one step and names both: what it does not name was cut off and is removed.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from hand3r_ros.files import replacing
from hand3r_ros.offline.errors import RunError

PROGRESS = 'progress.json'
LOCK = 'lock'
FORMAT = 1


class WorkFolder:
    """Belongs to one process at a time."""

    def __init__(self, out: Path) -> None:
        self.path = out.with_name(out.name + '.partial')
        self.parts: list[str] = []
        self._snapshot = ''
        self._settings: dict[str, Any] = {}
        self._lock: TextIO | None = None

    @property
    def snapshot(self) -> Path:
        """The last snapshot."""
        return self.path / self._snapshot

    @property
    def part_paths(self) -> list[Path]:
        """All finished parts in order."""
        return [self.path / part for part in self.parts]

    @property
    def holds_a_run(self) -> bool:
        """Whether an unfinished run can be resumed here."""
        return (self.path / PROGRESS).exists()

    def open(self, settings: Mapping[str, Any], overwrite: bool) -> dict[str, Any] | None:
        """Creates or takes over the folder; gives the progress that was stored, None for a new run.

        Raises:
            RunError: another process works in it, or it holds a run with other settings.
            OSError: it cannot be written.

        """
        self.path.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        stored = None if overwrite else self._read()
        if stored is not None:
            self._require_same(stored['settings'], _as_json(settings))
            self.parts, self._snapshot = list(stored['parts']), stored['snapshot']
        self._remove_all_but({PROGRESS, LOCK, self._snapshot, *self.parts} if stored is not None else {LOCK})
        self._settings = _as_json(settings)
        return None if stored is None else dict(stored['progress'])

    def new_part(self, first_image: int) -> Path:
        """Where the next part goes."""
        return self.path / f'part_{first_image:08d}'

    def new_snapshot(self, next_image: int) -> Path:
        """Where the snapshot goes that is taken before image ``next_image``."""
        return self.path / f'snapshot_{next_image:08d}.safetensors'

    def commit(self, part: Path, snapshot: Path, progress: Mapping[str, Any]) -> None:
        """From now on a run that is killed continues here."""
        old = self._snapshot
        self.parts, self._snapshot = [*self.parts, part.name], snapshot.name
        content = {
            'format': FORMAT,
            'settings': self._settings,
            'parts': self.parts,
            'snapshot': self._snapshot,
            'progress': progress,
        }
        with replacing(self.path / PROGRESS) as file:
            file.write(json.dumps(content, indent=1).encode())
        if old and old != self._snapshot:
            (self.path / old).unlink(missing_ok=True)

    def remove(self) -> None:
        """The result is complete."""
        self.close()
        shutil.rmtree(self.path)

    def close(self) -> None:
        """Let other processes work in it."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _take_lock(self) -> None:
        self._lock = (self.path / LOCK).open('w')
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise RunError(f'another run is writing to {self.path}') from None

    def _read(self) -> dict[str, Any] | None:
        path = self.path / PROGRESS
        if not path.exists():
            return None
        try:
            stored = json.loads(path.read_text(encoding='utf-8'))
            if stored['format'] != FORMAT:
                raise ValueError(f'format {stored["format"]}')
            complete = all((self.path / name).exists() for name in [*stored['parts'], stored['snapshot']])
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(f'{path} is not of this version ({error}); start over with --overwrite') from error
        if not complete:
            raise RunError(f'{self.path} lacks files that {PROGRESS} names; start over with --overwrite')
        return dict(stored)

    def _require_same(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        changed = [
            f'{name} was {old.get(name)!r}, is {new.get(name)!r}'
            for name in sorted({*old, *new})
            if old.get(name) != new.get(name)
        ]
        if changed:
            raise RunError(
                f'{self.path} holds an unfinished run with other settings: {"; ".join(changed)}. Use the same settings '
                'to resume, --overwrite to start over, or another --out'
            )

    def _remove_all_but(self, names: set[str]) -> None:
        for path in self.path.iterdir():
            if path.name not in names:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _as_json(settings: Mapping[str, Any]) -> dict[str, Any]:
    """As they come back from a JSON file."""
    return dict(json.loads(json.dumps(settings)))
