"""``hand3r weights``: lists which weights and hand models were found and which are missing, with their source."""

from __future__ import annotations

import argparse

from hand3r_ros.commands.base import Verbs, path_argument


def add_parser(verbs: Verbs) -> None:
    """Declares the verb and its options."""
    parser = verbs.add_parser('weights', help='list the weights that are found, and where to get the missing ones')
    parser.add_argument(
        '--weights-dir', type=path_argument, help='look only here, not in $HAND3R_WEIGHTS and the package'
    )
    parser.add_argument(
        '--mano-dir', type=path_argument, help='folder with MANO_RIGHT.pkl (default: beside the weights)'
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints the list; 0 if at least one preset can run with its hand model, else 1."""
    from hand3r_ros.checkpoints.weights_status import weights_status

    found = weights_status(options.weights_dir, options.mano_dir)
    print('\n'.join(found.lines()))
    return 0 if found.usable_presets else 1
