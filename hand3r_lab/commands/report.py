"""``hand3r-lab report``: accuracy, latency, drops and a picture of any recording of the node."""

from __future__ import annotations

import argparse

from hand3r_ros.commands.base import Verbs, path_argument


def add_parser(verbs: Verbs) -> None:
    """Declares the verb and its options."""
    parser = verbs.add_parser('report', help='accuracy, latency, drops and a picture of a recording of the node')
    parser.add_argument('recording', type=path_argument, help='rosbag2 folder, .mcap or .db3 file')
    parser.add_argument('--out', type=path_argument, help='folder for summary.txt, summary.json and picture.png')
    parser.add_argument('--node', default='', help='full name of the node, where several were recorded')
    parser.add_argument('--mirrored', action='store_true', help='the images are mirrored, as the node was told')
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints the summary."""
    from hand3r_ros.offline.message_classes import require_message_classes

    require_message_classes()
    from hand3r_lab.demo.report import collect
    from hand3r_lab.demo.results import write_results

    recording = options.recording
    collector = collect(recording, options.node)
    folder = options.out or recording.with_name(f'{recording.stem}_report')
    print(write_results(collector, folder, recording.name, str(recording), options.mirrored))
    return 0
