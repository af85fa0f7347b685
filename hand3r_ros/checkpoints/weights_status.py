"""Status of weights and hand models: what was found, what is missing, and where to get it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hand3r_ros.checkpoints.locations import find_mano, find_weights_folder, places
from hand3r_ros.checkpoints.sources import CUT3R, HAMER, MANO, Source
from hand3r_ros.hand_model.data import MANO as MANO_ID
from hand3r_ros.hand_model.data import OPEN_HAND, load_mano
from hand3r_ros.hand_model.unpickling import HandModelFileError
from hand3r_ros.network.checkpoints import WeightsError, read_weights_info, require_configuration
from hand3r_ros.network.presets import PRESETS

OWN_LICENCE = 'Apache-2.0 (ours)'
OPEN_HAND_LICENCE = 'Apache-2.0 (ours), from a mesh under the MIT licence'
HOW_TO_CONVERT = 'hand3r convert DOWNLOADS --out FOLDER (DOWNLOADS: the folder with these files, archives as they came)'


@dataclass(frozen=True)
class Found:
    """One thing that was looked for."""

    name: str
    path: Path | None
    """None where there is nothing."""
    remark: str
    """What it is, or what is wrong with it."""
    usable: bool
    needs: str = ''
    """Hand model that the weights were made for."""
    sources: tuple[Source, ...] = ()
    """Files from which a missing one is made."""
    licence: str = OWN_LICENCE


@dataclass(frozen=True)
class WeightsStatus:
    """Presets and hand models with their status."""

    places: tuple[str, ...]
    presets: tuple[Found, ...]
    hand_models: tuple[Found, ...]

    @property
    def usable_presets(self) -> tuple[str, ...]:
        """Presets whose weights and hand model are both there."""
        hands = {found.name for found in self.hand_models if found.usable}
        return tuple(found.name for found in self.presets if found.usable and found.needs in hands)

    def lines(self) -> Iterator[str]:
        """The status as text."""
        yield 'looked in:'
        yield from (f'  {place}' for place in self.places)
        for found in (*self.presets, *self.hand_models):
            yield ''
            yield from _lines(found)
        yield ''
        yield f'ready to run: {", ".join(self.usable_presets) or "nothing"}'


def _lines(found: Found) -> Iterator[str]:
    yield f'{found.name}: {"ok" if found.usable else "NOT USABLE"}, {found.remark}'
    if found.path is not None:
        yield f'  file     {found.path.absolute()}'
    yield f'  licence  {found.licence}'
    if not found.usable:
        yield from (f'  get      {source.file_name} ({source.title}) from {source.where}' for source in found.sources)
        if len(found.sources) > 1:
            yield f'  then     {HOW_TO_CONVERT}'


def weights_status(weights_dir: Path | None = None, mano: Path | None = None) -> WeightsStatus:
    """Looks for everything; reads headers and the hand model, no weights."""
    presets = tuple(_preset(name, weights_dir) for name in sorted(PRESETS, reverse=True))
    open_hand = Found(OPEN_HAND, None, 'part of the package', True, licence=OPEN_HAND_LICENCE)
    looked = tuple(f'{place.folder.absolute()} ({place.reason})' for place in places(weights_dir))
    return WeightsStatus(looked, presets, (open_hand, _mano(weights_dir, mano)))


def _preset(name: str, weights_dir: Path | None) -> Found:
    path = find_weights_folder(name, weights_dir) / f'{name}.safetensors'
    public = (CUT3R, HAMER, MANO) if name == 'full' else ()
    licence = '; '.join(f'{source.title}: {source.licence}' for source in public[:2]) or OWN_LICENCE
    if not path.is_file():
        return Found(name, None, 'not found', False, sources=public, licence=licence)
    try:
        info = read_weights_info(path)
        require_configuration(info, name)
    except WeightsError as error:
        return Found(name, path, str(error), False, sources=public, licence=licence)
    fusion = 'with' if info.config.fusion else 'without'
    remark = f'{path.stat().st_size / 1e6:.0f} MB, {fusion} learned fusion, for the hand model {info.hand_model}'
    return Found(name, path, remark, True, info.hand_model, licence=licence)


def _mano(weights_dir: Path | None, mano: Path | None) -> Found:
    try:
        path = find_mano(mano, weights_dir)
    except HandModelFileError:
        return Found(MANO_ID, None, 'not found', False, sources=(MANO,), licence=MANO.licence)
    try:
        load_mano(path)
    except HandModelFileError as error:
        return Found(MANO_ID, path, str(error), False, sources=(MANO,), licence=MANO.licence)
    return Found(MANO_ID, path, 'complete', True, licence=MANO.licence)
