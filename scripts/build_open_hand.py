#!/usr/bin/env python3
"""Builds hand3r_ros/hand_model/data/open_hand.npz from the MIT-licensed hand mesh of @webxr-input-profiles/assets.

Get the source mesh with ``npm pack @webxr-input-profiles/assets@1.0.20`` and unpack it; then

    python scripts/build_open_hand.py package/dist/profiles/generic-hand/right.glb

Needs ``pip install trimesh rtree fast-simplification`` (for the build only) and takes about a minute. Prints the
quality numbers that docs/open_hand.md quotes; ``--picture`` draws its picture.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from hand3r_lab.open_hand.model import build_open_hand  # noqa: E402
from hand3r_ros.commands.base import path_argument  # noqa: E402
from hand3r_ros.hand_model.data import OPEN_HAND_FILE  # noqa: E402


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', type=path_argument, help='right.glb of the generic-hand profile')
    parser.add_argument(
        '--output', type=path_argument, default=OPEN_HAND_FILE, help='where to write the hand (%(default)s)'
    )
    parser.add_argument('--picture', type=path_argument, help='also draw the shipped hand in several poses to this PNG')
    arguments = parser.parse_args()
    hand = build_open_hand(arguments.source)
    np.savez_compressed(arguments.output, **hand.arrays)
    for name, value in hand.quality.items():
        print(f'{name:48s} {value:.4f}')
    print(f'wrote {arguments.output} ({arguments.output.stat().st_size / 1e6:.2f} MB)')
    if arguments.picture:
        from hand3r_lab.open_hand.picture import draw_gallery

        draw_gallery(arguments.picture)
        print(f'wrote {arguments.picture}')


if __name__ == '__main__':
    main()
