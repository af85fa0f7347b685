"""The search path of weights and of the hand model, for node, commands and tests."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from hand3r_ros.hand_model.data import find_mano_file
from hand3r_ros.hand_model.unpickling import HandModelFileError

WEIGHTS_VARIABLE = 'HAND3R_WEIGHTS'
"""Environment variable with the folder of the user's own weights."""


@dataclass(frozen=True)
class Place:
    """A folder and why it is looked into."""

    folder: Path
    reason: str


def places(given: Path | str | None = None) -> tuple[Place, ...]:
    """Folders in the order in which they are searched.

    A folder that is named explicitly (parameter ``weights_dir``, option ``--weights-dir``) is the only one. Otherwise
    $HAND3R_WEIGHTS comes before the weights that are part of the package, so that a user's folder need not hold
    every preset.
    """
    if given:
        return (Place(Path(given).expanduser(), 'given as weights_dir'),)
    packaged = Place(packaged_weights(), 'part of the package')
    chosen = os.environ.get(WEIGHTS_VARIABLE, '')
    return (Place(Path(chosen).expanduser(), f'${WEIGHTS_VARIABLE}'), packaged) if chosen else (packaged,)


def find_weights_folder(preset: str, given: Path | str | None = None) -> Path:
    """The first place that has the weights of ``preset``; the first of all, for the error, if none has."""
    candidates = places(given)
    for place in candidates:
        if (place.folder / f'{preset}.safetensors').is_file():
            return place.folder
    return candidates[0].folder


def find_mano(given: Path | str | None = None, weights_dir: Path | str | None = None) -> Path:
    """The user's MANO file: where it was said to be (file or folder), else beside the weights.

    Raises:
        HandModelFileError: there is none; the message names the places.

    """
    if given:
        return find_mano_file(given)
    folders = [place.folder for place in places(weights_dir)]
    for folder in folders:
        try:
            return find_mano_file(folder)
        except HandModelFileError:
            continue
    looked = ', '.join(str(folder.absolute()) for folder in folders)
    raise HandModelFileError(
        f'no MANO_RIGHT.pkl or MANO_RIGHT.npz in {looked}: name its folder (parameter mano_dir), '
        f'or put it beside the weights. `hand3r weights` says where it comes from'
    )


def packaged_weights() -> Path:
    """The weights that come with the package: in its share folder where it is installed, else in the repository."""
    package = Path(__file__).resolve().parents[1]
    candidates = [package.parent / 'weights', *_installed_weights(package)]
    for folder in candidates:
        if folder.is_dir() and any(folder.glob('*.safetensors')):
            return folder
    return candidates[0]


def _installed_weights(package: Path) -> list[Path]:
    """``<prefix>/share/hand3r_ros/weights`` for every prefix above the module (``<prefix>/lib/python3.x/...``)."""
    return [prefix / 'share' / 'hand3r_ros' / 'weights' for prefix in list(package.parents)[1:6]]
