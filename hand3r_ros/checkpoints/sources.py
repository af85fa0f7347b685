"""The files that users provide: what they are, where to get them, and under which licence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Source:
    """A file that is never shipped with this package."""

    title: str
    file_name: str
    where: str
    licence: str
    size: int | None = None
    """Bytes of the published file, where known."""
    sha256: str | None = None
    """Of the published file, as reported by third parties; other releases of the same network may differ."""


CUT3R: Final = Source(
    title='CUT3R',
    file_name='cut3r_512_dpt_4_64.pth',
    where='https://github.com/CUT3R/CUT3R (Google Drive, linked in its README)',
    licence='CC BY-NC-SA 4.0 (non-commercial)',
    size=3_173_761_006,
    sha256='45f7e98a0a64dbeb54901ae2b878cd8cd125f20a4497316483f0bd6f109f8103',
)
HAMER: Final = Source(
    title='HaMeR',
    file_name='hamer.ckpt',
    where=(
        'https://github.com/geopavlakos/hamer (its README): hamer_demo_data.tar.gz, 5.8 GB, '
        '_DATA/hamer_ckpts/checkpoints/hamer.ckpt in it'
    ),
    licence='MIT (of the code; nothing separate is said about the weights)',
)
MANO: Final = Source(
    title='MANO',
    file_name='MANO_RIGHT.pkl',
    where='https://mano.is.tue.mpg.de (free registration): mano_v1_2.zip, mano_v1_2/models/MANO_RIGHT.pkl in it',
    licence='Max-Planck licence for non-commercial research; redistribution is forbidden',
)
SOURCES: Final[Mapping[str, Source]] = {'cut3r': CUT3R, 'hamer': HAMER, 'mano': MANO}
