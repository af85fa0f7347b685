"""``hand3r run``: the reconstruction on recorded images, results into an MCAP file. See docs/offline.md."""

from __future__ import annotations

import argparse
import math
import os
import sys

from hand3r_ros.commands.base import Verbs, number_argument, path_argument
from hand3r_ros.node.parameter_fields import specs_of
from hand3r_ros.node.parameters import NodeParameters

LONGEST_SECONDS = 1e9
SPECS = {spec.name: spec for spec in specs_of(NodeParameters)}
PARAMETER_OPTIONS = (
    'preset',
    'weights_dir',
    'hand_model',
    'mano_dir',
    'detector',
    'max_hands',
    'pose_source',
    'use_depth',
    'translation',
    'state_update',
    'reset_interval',
    'device',
    'precision',
)
"""Parameters of the node that have an option of their own; all others go through ``--parameter``."""
_OTHER_NAMES = {'use_depth': 'depth'}
DETECTOR_DEFAULT = 'topic where a recording has boxes, else auto'


def add_parser(verbs: Verbs) -> None:
    """Declares the verb and its options."""
    parser = verbs.add_parser(
        'run',
        help='reconstruct a video, images or a recording into an MCAP file',
        description='Reconstructs a video, a folder of images or a rosbag2 recording and writes what the node would '
        'publish into an MCAP file. A run that was stopped or killed is resumed by the same command.',
    )
    parser.add_argument(
        'input', type=path_argument, help='video, image, folder of images, rosbag2 folder, .mcap or .db3 file'
    )
    parser.add_argument('--out', type=path_argument, required=True, help='FILE.mcap; without suffix: a rosbag2 folder')
    parser.add_argument('--overwrite', action='store_true', help='replace --out, forget an unfinished run')
    parser.add_argument('--view', action='store_true', help='live 3D view in the browser, on this machine only')
    parser.add_argument(
        '--picture', type=path_argument, metavar='PNG', help='write a picture of the best moment at the end'
    )
    _add_input_options(parser)
    _add_reconstruction_options(parser)
    output = parser.add_argument_group('output')
    output.add_argument('--node-name', default='hand3r', help='topics are /NAME/hands, ... (default %(default)s)')
    output.add_argument(
        '--save-state', type=path_argument, metavar='FILE', help='write the session at the end, as ~/save_state'
    )
    output.add_argument(
        '--map-every',
        type=number_argument(0.0, LONGEST_SECONDS),
        default=5.0,
        metavar='S',
        help='seconds of the input between maps; 0: only the last',
    )
    output.add_argument(
        '--checkpoint-every',
        type=number_argument(0.0, LONGEST_SECONDS),
        default=30.0,
        metavar='S',
        help='seconds of work that a kill can cost',
    )
    parser.set_defaults(run=run)


def _add_input_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group('input')
    group.add_argument(
        '--start',
        type=number_argument(0.0, LONGEST_SECONDS),
        default=0.0,
        metavar='S',
        help='begin this long after the first image',
    )
    group.add_argument(
        '--end', type=number_argument(0.0, LONGEST_SECONDS), metavar='S', help='end this long after the first image'
    )
    group.add_argument('--stride', type=int, default=1, metavar='N', help='take every n-th image')
    group.add_argument(
        '--fps',
        type=number_argument(0.0, 1000.0),
        default=0.0,
        help="rate of a video or of images; default: the video's own times, nanoseconds or seconds in the names of "
        'images, else 5',
    )
    group.add_argument('--calibration', type=path_argument, metavar='YAML', help='camera_info file of ROS')
    group.add_argument(
        '--focal',
        type=number_argument(1.0, SPECS['fallback_focal_px'].maximum or math.inf),
        metavar='PX',
        help='focal length of a camera without calibration (parameter fallback_focal_px)',
    )
    group.add_argument('--camera-frame', default='', help='frame of a camera that names none')
    group.add_argument('--topic', default='', help='image topic of a recording, raw or compressed')
    group.add_argument('--camera-info-topic', default='', help='default: the one beside the image topic')
    group.add_argument('--depth-topic', default='', help='default: the one beside the image topic')
    group.add_argument(
        '--depth-scale',
        type=number_argument(0.0, 1e6),
        default=0.0,
        metavar='N',
        help='units per metre of 16 bit depth files; default: 1000, and 5000 where names are times, as those of TUM',
    )
    group.add_argument('--detections-topic', default='', help='default: the only Detection2DArray topic')


def _add_reconstruction_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group('reconstruction', 'the parameters of the node, see docs/parameters.md')
    for name in PARAMETER_OPTIONS:
        spec = SPECS[name]
        default = DETECTOR_DEFAULT if name == 'detector' else spec.default
        facts = ['' if spec.choices else spec.allowed, '' if default == '' else f'default: {default}']
        text = f'{spec.explanation} ({"; ".join(filter(None, facts))})' if any(facts) else spec.explanation
        option = _OTHER_NAMES.get(name, name).replace('_', '-')
        group.add_argument(f'--{option}', dest=f'parameter_{name}', metavar=name.upper(), help=text.replace('%', '%%'))
    group.add_argument(
        '--state',
        type=path_argument,
        metavar='FILE',
        help='resume a saved session, in its world frame (parameter state_file)',
    )
    group.add_argument(
        '-p',
        '--parameter',
        action='append',
        default=[],
        metavar='NAME:=VALUE',
        help='any other parameter, e.g. points.stride:=1',
    )


def run(options: argparse.Namespace) -> None:
    """Runs to the end, or resumes an earlier run."""
    # What is damaged is counted and said at the end; FFmpeg's lines about it would tear the progress bar.
    os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')
    from hand3r_ros.offline.message_classes import require_message_classes

    require_message_classes()  # before anything is imported that builds messages
    from hand3r_ros.offline.bag_topics import BagTopics
    from hand3r_ros.offline.command import run_offline
    from hand3r_ros.offline.inputs import Selection
    from hand3r_ros.offline.settings import RunSettings, parameter_values

    given = {name: getattr(options, f'parameter_{name}') for name in PARAMETER_OPTIONS}
    assignments = [f'{name}:={value}' for name, value in given.items() if value is not None]
    if options.state is not None:
        assignments.append(f'state_file:={options.state.resolve()}')
    if options.focal is not None:
        assignments.append(f'fallback_focal_px:={options.focal}')
    code = run_offline(
        RunSettings(
            input=options.input,
            out=options.out,
            values=parameter_values([*assignments, *options.parameter]),
            selection=Selection(options.start, options.end, options.stride),
            fps=options.fps,
            camera_frame=options.camera_frame,
            calibration=options.calibration,
            topics=BagTopics(
                options.topic, options.camera_info_topic, options.detections_topic, depth=options.depth_topic
            ),
            depth_units=options.depth_scale,
            node_name=options.node_name,
            overwrite=options.overwrite,
            checkpoint_seconds=options.checkpoint_every,
            map_seconds=options.map_every,
            view=options.view,
            picture=options.picture,
            save_state=options.save_state,
        )
    )
    if code:
        sys.exit(code)
