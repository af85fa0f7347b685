"""Which data set a folder holds, by what lies in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hand3r_lab.datasets.dexycb_check import check_dexycb
from hand3r_lab.datasets.dexycb_layout import DexYCBLayout
from hand3r_lab.datasets.hoi4d_check import check_hoi4d
from hand3r_lab.datasets.hoi4d_layout import has_camera_folder
from hand3r_lab.datasets.report import DataReport
from hand3r_lab.datasets.samples import DataSetError

_SHOWN = 8


@dataclass(frozen=True)
class DataFormat:
    """A kind of data set."""

    name: str
    signature: str  # what its folder contains, for messages
    matches: Callable[[Path], bool]
    check: Callable[[Path, bool], DataReport]


def _is_dexycb(root: Path) -> bool:
    try:
        return bool(DexYCBLayout(root).subjects)
    except DataSetError:
        return False


DEXYCB = DataFormat('DexYCB', 'folders such as 20200709-subject-01, and calibration/', _is_dexycb, check_dexycb)
HOI4D = DataFormat(
    'HOI4D',
    'ZY20210800001/... or HOI4D_release/ZY20210800001/..., handpose/ and camera_params/',
    has_camera_folder,
    check_hoi4d,
)
PUBLIC_FORMATS = (DEXYCB, HOI4D)


def recognise(root: Path, formats: Sequence[DataFormat]) -> DataFormat:
    """The format of a folder.

    Raises:
        DataSetError: it is none of ``formats``; says what was found, what was expected, and a folder nearby that fits.
    """
    root = root.expanduser()
    if not root.is_dir():
        problem = 'is a file' if root.exists() else 'does not exist'
        names = ', '.join(known.name for known in formats)
        raise DataSetError(f'{root} {problem}: give the folder of a data set ({names}); `hand3r-lab render` makes one')
    for candidate in formats:
        if candidate.matches(root):
            return candidate
    found = sorted(path.name + ('/' if path.is_dir() else '') for path in root.iterdir())
    shown = ', '.join(found[:_SHOWN]) + (f' and {len(found) - _SHOWN} more' if len(found) > _SHOWN else '')
    expected = '; '.join(f'{known.name}: {known.signature}' for known in formats)
    raise DataSetError(
        f'{root} is no data set of a known kind. Found: {shown or "nothing"}. '
        f'Expected {expected}.{_hint(root, formats)}'
    )


def _hint(root: Path, formats: Sequence[DataFormat]) -> str:
    nearby = [path for path in sorted(root.iterdir()) if path.is_dir()][:50] + list(root.resolve().parents)[:4]
    for path in nearby:
        for candidate in formats:
            if candidate.matches(path):
                return f' {path} looks like {candidate.name}.'
    return ''
