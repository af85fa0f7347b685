"""``hand3r convert``: makes the weights of preset 'full' from the public checkpoints of CUT3R and HaMeR."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

from hand3r_ros.commands.base import Verbs, path_argument


def add_parser(verbs: Verbs) -> None:
    """Declares the verb and its options."""
    parser = verbs.add_parser(
        'convert',
        help="make the weights of preset 'full' from the public checkpoints",
        description="Makes the weights of preset 'full' from the checkpoints of CUT3R and HaMeR, and a safe copy of "
        'MANO. The three files are recognised by what is in them, wherever below DOWNLOADS they lie, also in archives. '
        'Where they come from: hand3r weights, docs/weights.md.',
    )
    parser.add_argument(
        'downloads',
        type=path_argument,
        nargs='?',
        metavar='DOWNLOADS',
        help='folder with the downloads as they came, or an archive; for files that have no option below',
    )
    parser.add_argument('--cut3r', type=path_argument, help='cut3r_512_dpt_4_64.pth, or the folder or archive with it')
    parser.add_argument('--hamer', type=path_argument, help='hamer.ckpt, or the folder or archive with it')
    parser.add_argument('--mano', type=path_argument, help='MANO_RIGHT.pkl, or the folder or archive with it')
    parser.add_argument('--out', type=path_argument, help='folder of the weights (default: $HAND3R_WEIGHTS)')
    parser.add_argument('--overwrite', action='store_true', help='replace weights that are there already')
    parser.add_argument(
        '--allow-unexpected', action='store_true', help='continue although a checkpoint has unknown tensors'
    )
    parser.add_argument('--verbose', action='store_true', help='list every tensor that does not fit')
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Converts, and says what was written."""
    from hand3r_ros.checkpoints.conversion import ConversionRequest, convert
    from hand3r_ros.checkpoints.errors import MisfitError
    from hand3r_ros.checkpoints.locations import WEIGHTS_VARIABLE

    if options.downloads is None and not (options.cut3r and options.hamer):
        raise ValueError('name the folder with the downloads (hand3r convert ~/Downloads), or --cut3r and --hamer')
    chosen = os.environ.get(WEIGHTS_VARIABLE)
    out = options.out or (Path(chosen).expanduser() if chosen else None)
    if out is None:
        raise ValueError(f'name the folder of the weights with --out, or in ${WEIGHTS_VARIABLE}')
    request = ConversionRequest(
        options.cut3r,
        options.hamer,
        out,
        options.mano,
        options.overwrite,
        options.allow_unexpected,
        options.downloads,
    )
    try:
        result = convert(request)
    except MisfitError as error:
        if options.verbose:
            print('\n'.join(error.problems), file=sys.stderr)
        elif error.problems:
            raise ValueError(f'{error}. --verbose lists all {len(error.problems)} tensors') from error
        raise
    for warning in result.warnings:
        print(f'warning: {warning}', file=sys.stderr)
    print(f'{result.weights}: {result.tensors} tensors; sources and licences in {result.sources}')
    if result.mano is None:
        print('MANO was not there: put MANO_RIGHT.pkl beside the weights, or set the parameter mano_dir')
    else:
        print(f'{result.mano}: MANO, for your own use only')
    folder = shlex.quote(str(result.weights.parent.resolve()))
    print(f'use with: export {WEIGHTS_VARIABLE}={folder}')
    print('          ros2 launch hand3r_ros hand3r.launch.py preset:=full hand_model:=mano')
    print('          hand3r run VIDEO --preset full --hand-model mano --out RESULT.mcap')
