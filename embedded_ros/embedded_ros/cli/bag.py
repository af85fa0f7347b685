"""``ros2 bag``: record and info."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import yaml

from .errors import CommandError
from .session import absolute, ros_session

STORAGES = ('mcap', 'sqlite3')


def add_commands(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser('bag', help='Various rosbag related sub-commands')
    verbs = parser.add_subparsers(metavar='VERB', required=True)
    verb = verbs.add_parser('record', help='Record ROS data to a bag')
    verb.add_argument('topics', nargs='*', help='topics to record')
    verb.add_argument('--topics', nargs='+', dest='more_topics', default=[], help='topics to record')
    verb.add_argument('-a', '--all', action='store_true', help='record all topics, those that appear later too')
    verb.add_argument('-o', '--output', help='folder to write; default rosbag2_<date and time>')
    verb.add_argument('-s', '--storage', choices=STORAGES, default='mcap', help='storage, default mcap')
    verb.add_argument('-d', '--max-duration', type=float, metavar='S', help='end after S seconds')
    verb.add_argument('--include-hidden-topics', action='store_true', help='with -a record hidden topics as well')
    verb.set_defaults(run=run_record)
    verb = verbs.add_parser('info', help='Print information about a bag')
    verb.add_argument('bag_path')
    verb.set_defaults(run=run_info)


def run_record(options: Any) -> int:
    """Record until Ctrl-C or the time is over."""
    from .bag_recorder import BagRecorder

    topics = [absolute(topic) for topic in [*options.topics, *options.more_topics]]
    if bool(topics) == options.all:
        raise CommandError('bag record: give either topics or -a')
    path = Path(options.output or datetime.datetime.now().strftime('rosbag2_%Y_%m_%d-%H_%M_%S'))
    if path.exists():
        raise CommandError(f"bag record: output folder '{path}' already exists")
    with ros_session() as session:
        recorder = BagRecorder(session, path, options.storage, topics, options.include_hidden_topics)
        recorder.run(options.max_duration)
    return 0


def run_info(options: Any) -> int:
    """Print what a bag holds."""
    folder = Path(options.bag_path)
    metadata_path = folder / 'metadata.yaml'
    if not metadata_path.is_file():
        raise CommandError(f"'{folder}' is no bag: it has no metadata.yaml")
    info = yaml.safe_load(metadata_path.read_text(encoding='utf-8'))['rosbag2_bagfile_information']
    files = info['relative_file_paths']
    size = sum((folder / name).stat().st_size for name in files if (folder / name).is_file())
    start, duration = info['starting_time']['nanoseconds_since_epoch'] * 1e-9, info['duration']['nanoseconds'] * 1e-9
    topics = [
        f'Topic: {item["topic_metadata"]["name"]} | Type: {item["topic_metadata"]["type"]} | '
        f'Count: {item["message_count"]} | Serialization Format: {item["topic_metadata"]["serialization_format"]}'
        for item in info['topics_with_message_count']
    ]
    print(
        f'Files:             {", ".join(files)}\n'
        f'Bag size:          {_size(size)}\n'
        f'Storage id:        {info["storage_identifier"]}\n'
        f'ROS Distro:        {info.get("ros_distro", "unknown")}\n'
        f'Duration:          {duration:.9f}s\n'
        f'Start:             {_date(start)}\n'
        f'End:               {_date(start + duration)}\n'
        f'Messages:          {info["message_count"]}\n'
        f'Topic information: ' + '\n                   '.join(topics)
    )
    return 0


def _size(size: float) -> str:
    for unit in ('B', 'KiB', 'MiB'):
        if size < 1024:
            return f'{size:.1f} {unit}'
        size /= 1024
    return f'{size:.1f} GiB'


def _date(seconds: float) -> str:
    return f'{datetime.datetime.fromtimestamp(seconds):%b %d %Y %H:%M:%S.%f} ({seconds:.9f})'
