"""``ros2 bag record``."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

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
