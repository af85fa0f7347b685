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
    parser = verbs.add_parser('convert', help="make the weights of preset 'full' from the public checkpoints")
    parser.add_argument('--cut3r', type=path_argument, required=True, help='cut3r_512_dpt_4_64.pth')
    parser.add_argument('--hamer', type=path_argument, required=True, help='hamer.ckpt')
    parser.add_argument('--mano', type=path_argument, help='MANO_RIGHT.pkl; a safe copy is written beside the weights')
    parser.add_argument('--out', type=path_argument, help='folder of the weights (default: $HAND3R_WEIGHTS)')
    parser.add_argument('--overwrite', action='store_true', help='replace weights that are there already')
    parser.add_argument(
        '--allow-unexpected', action='store_true', help='go on when a checkpoint has tensors that are not known here'
    )
    parser.add_argument('--verbose', action='store_true', help='list every tensor that does not fit')
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Converts, and says what was written."""
    from hand3r_ros.checkpoints.conversion import ConversionRequest, convert
    from hand3r_ros.checkpoints.errors import MisfitError
    from hand3r_ros.checkpoints.locations import WEIGHTS_VARIABLE

    chosen = os.environ.get(WEIGHTS_VARIABLE)
    out = options.out or (Path(chosen).expanduser() if chosen else None)
    if out is None:
        raise ValueError(f'name the folder of the weights with --out, or in ${WEIGHTS_VARIABLE}')
    request = ConversionRequest(
        options.cut3r, options.hamer, out, options.mano, options.overwrite, options.allow_unexpected
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
        print('MANO was not given: put MANO_RIGHT.pkl beside the weights, or set the parameter mano_dir')
    else:
        print(f'{result.mano}: MANO, for your own use only')
    folder = shlex.quote(str(result.weights.parent.resolve()))
    print(f'use with: export {WEIGHTS_VARIABLE}={folder}')
    print('          ros2 launch hand3r_ros hand3r.launch.py preset:=full hand_model:=mano')
    print('          hand3r run VIDEO --preset full --hand-model mano --out RESULT.mcap')
