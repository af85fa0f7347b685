"""Writes results: into MCAP parts during the run, and from all parts into the finished recording."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import CompressionFormat, CompressionMode, Reader, StoragePlugin, Writer

from hand3r_ros.offline.errors import RunError
from hand3r_ros.offline.serialization import to_cdr, type_name, type_store

SINGLE_FILE = '.mcap'


class PartWriter:
    """Writes messages of the given topics into a new rosbag2 folder."""

    def __init__(self, folder: Path, topics: Iterable[tuple[str, type, int, bool]]) -> None:
        """Opens the folder, which must not exist. A topic becomes part of it with its first message.

        Args:
            folder: holds ``<its name>.mcap`` and ``metadata.yaml`` when it is closed.
            topics: name, message class, depth of the queue, whether late subscribers get the last message.

        """
        self._writer = _open_writer(folder)
        self._topics = {name: (class_, depth, latched) for name, class_, depth, latched in topics}
        self._connections: dict[str, Connection] = {}

    def write(self, topic: str, log_ns: int, message: Any) -> None:
        """Append one message."""
        if topic not in self._connections:
            class_, depth, latched = self._topics[topic]
            self._connections[topic] = self._writer.add_connection(
                topic, type_name(class_), typestore=type_store(), offered_qos_profiles=[_qos(depth, latched)]
            )
        self._writer.write(self._connections[topic], log_ns, to_cdr(message))

    def close(self) -> None:
        """Complete the part."""
        self._writer.close()

    def abort(self) -> None:
        """Leave the part as it is, incomplete."""
        self._writer.abort()


def join_parts(parts: list[Path], folder: Path) -> int:
    """Copies all messages of the parts, in their order, into one new rosbag2 folder; gives their number."""
    writer = _open_writer(folder)
    count = 0
    try:
        connections: dict[str, Connection] = {}
        for part in parts:
            for connection, log_ns, data in _messages(part):
                if connection.topic not in connections:
                    connections[connection.topic] = _add_same(writer, connection)
                writer.write(connections[connection.topic], log_ns, data)
                count += 1
    except BaseException:
        writer.abort()
        raise
    writer.close()
    return count


def publish_result(folder: Path, out: Path) -> None:
    """Moves a finished rosbag2 folder to where the user wants it: the folder, or only its file for ``*.mcap``."""
    if out.suffix == SINGLE_FILE:
        if out.is_dir():
            shutil.rmtree(out)
        (folder / f'{folder.name}{SINGLE_FILE}').replace(out)
        return
    if out.is_dir():
        shutil.rmtree(out)
    else:
        out.unlink(missing_ok=True)
    folder.replace(out)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Errors of the file system as RunError, naming the place."""
    try:
        yield
    except OSError as error:
        raise RunError(
            f'cannot write to {path}: {error.strerror or error}; fix this and rerun the same command to resume'
        ) from error


def _open_writer(folder: Path) -> Writer:
    writer = Writer(folder, version=Writer.VERSION_LATEST, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    writer.open()
    return writer


def _messages(part: Path) -> Iterator[tuple[Connection, int, bytes]]:
    with Reader(part) as reader:
        yield from reader.messages(reader.connections)


def _add_same(writer: Writer, connection: Connection) -> Connection:
    extension: Any = connection.ext
    return writer.add_connection(
        connection.topic,
        connection.msgtype,
        typestore=type_store(),
        offered_qos_profiles=extension.offered_qos_profiles,
    )


def _qos(depth: int, latched: bool) -> Qos:
    """Reliable, as the node's publishers are."""
    never = QosTime(2147483647, 4294967295)
    return Qos(
        QosHistory.KEEP_LAST,
        depth,
        QosReliability.RELIABLE,
        QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE,
        never,
        never,
        QosLiveliness.AUTOMATIC,
        never,
        False,
    )
