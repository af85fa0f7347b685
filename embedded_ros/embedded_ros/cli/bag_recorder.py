"""Records topics into a rosbag2 folder: serialized messages go to the file as they came."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import StoragePlugin, Writer

from embedded_ros.messages.store import message_store

from .session import Session, import_interface, is_hidden, subscription_qos

LOOK_AGAIN_S = 0.2
QUEUE_DEPTH = 100
PLUGINS = {'mcap': StoragePlugin.MCAP, 'sqlite3': StoragePlugin.SQLITE3}


class BagRecorder:
    """Subscribes to topics as they appear and writes what arrives, stamped with the time of arrival."""

    def __init__(self, session: Session, path: Path, storage: str, topics: list[str], hidden: bool) -> None:
        self._session = session
        self._writer = Writer(path, version=Writer.VERSION_LATEST, storage_plugin=PLUGINS[storage])
        self._path = path
        self._wanted = topics  # empty: all
        self._hidden = hidden
        self._counts: dict[str, int] = {}
        self._refused: set[str] = set()
        self._stopping = False

    def run(self, seconds: float | None = None) -> None:
        """Record for some seconds, or until SIGINT or SIGTERM; the bag is complete either way."""
        end = None if seconds is None else time.monotonic() + seconds
        # A flag, not an exception: that could cut a message in two.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        self._writer.open()
        print(f"Recording to '{self._path}'. Press CTRL-C to stop.", flush=True)
        try:
            look = 0.0
            while not self._stopping and (end is None or time.monotonic() < end):
                if time.monotonic() >= look:
                    self._subscribe_new_topics()
                    look = time.monotonic() + LOOK_AGAIN_S
                self._session.executor.spin_once(timeout_sec=LOOK_AGAIN_S)
        finally:
            self._finish()

    def _stop(self, number: int, frame: Any) -> None:
        self._stopping = True

    def _subscribe_new_topics(self) -> None:
        for topic, types in self._session.node.get_topic_names_and_types():
            wanted = topic in self._wanted if self._wanted else self._hidden or not is_hidden(topic)
            if wanted and topic not in self._counts and topic not in self._refused:
                self._subscribe(topic, types)

    def _subscribe(self, topic: str, types: list[str]) -> None:
        node = self._session.node
        publishers = node.get_publishers_info_by_topic(topic)
        publishers = [item for item in publishers if item.node_name != node.get_name()]
        if not publishers:
            return  # its QoS is not known yet
        try:
            connection = self._writer.add_connection(
                topic, types[0], typestore=message_store(), offered_qos_profiles=[_bag_qos(item) for item in publishers]
            )
            message_type = import_interface(types[0])
        except Exception as error:
            self._refused.add(topic)
            print(f"Cannot record topic '{topic}' of type '{types[0]}': {error}", flush=True)
            return
        self._counts[topic] = 0

        def write(data: Any) -> None:
            self._writer.write(connection, time.time_ns(), bytes(data))
            self._counts[topic] += 1

        qos = subscription_qos(publishers)
        qos.depth = QUEUE_DEPTH
        node.create_subscription(message_type, topic, write, qos, raw=True)
        print(f"Subscribed to topic '{topic}'", flush=True)

    def _finish(self) -> None:
        self._writer.close()
        total = sum(self._counts.values())
        print(f"Recorded {total} messages of {len(self._counts)} topics to '{self._path}'", flush=True)
        for topic in self._wanted:
            if not self._counts.get(topic):
                print(f"Nothing was received on topic '{topic}'", flush=True)


def _bag_qos(endpoint: Any) -> Qos:
    """Return the QoS of a publisher in the form that bags keep."""
    profile = endpoint.qos_profile

    def duration(value: Any) -> QosTime:
        return QosTime(*divmod(value.nanoseconds, 10**9))

    return Qos(
        QosHistory(int(profile.history)),
        profile.depth,
        QosReliability(int(profile.reliability)),
        QosDurability(int(profile.durability)),
        duration(profile.deadline),
        duration(profile.lifespan),
        QosLiveliness(int(profile.liveliness)),
        duration(profile.liveliness_lease_duration),
        profile.avoid_ros_namespace_conventions,
    )
