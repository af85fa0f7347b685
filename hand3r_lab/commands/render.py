"""``hand3r-lab render``: draws training data."""

from __future__ import annotations

import argparse
import os

from hand3r_ros.commands.base import Verbs, path_argument


def add_parser(verbs: Verbs) -> None:
    """Declares the verb and its options."""
    parser = verbs.add_parser('render', help='draw training data')
    parser.add_argument('directory', type=path_argument)
    parser.add_argument('--split', choices=['train', 'validation', 'test'], default='train')
    parser.add_argument('--sequences', type=int, default=2000)
    parser.add_argument('--frames', type=int, default=8)
    parser.add_argument('--processes', type=int, default=os.cpu_count() or 1)
    parser.add_argument('--preset', default='tiny')
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Draws the sequences that ``options.directory`` still lacks."""
    from hand3r_lab.training.rendered_data import RenderedDataLayout
    from hand3r_lab.training.rendering import render_dataset
    from hand3r_ros.network.presets import preset

    layout = RenderedDataLayout.for_network(preset(options.preset), options.split, options.sequences, options.frames)
    render_dataset(options.directory, layout, options.processes)
