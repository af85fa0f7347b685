"""Recordings with unusual names and metadata are read; what is no recording of ROS 2 is told what it is."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest
import yaml
from recordings import recording, write_bag
from rosbags.rosbag2 import StoragePlugin

from hand3r_ros.offline.bag_topics import BagTopics
from hand3r_ros.offline.errors import RunError
from hand3r_ros.offline.opening import open_input
from hand3r_ros.offline.settings import RunSettings

IMAGES = 2


def opened(path: Path):
    return open_input(RunSettings(input=path, out=Path('out.mcap')))


def count(path: Path) -> int:
    return sum(image.decode() is not None for image in opened(path).images())


@pytest.fixture(params=[StoragePlugin.MCAP, StoragePlugin.SQLITE3], ids=['mcap', 'sqlite3'])
def bag(request, rendered, tmp_path):
    return write_bag(tmp_path / 'bag', recording(rendered[:IMAGES]), request.param)


def storage_file(bag: Path) -> Path:
    return next(file for file in bag.iterdir() if file.suffix in ('.mcap', '.db3'))


def test_the_metadata_file_stands_for_its_folder(bag, monkeypatch):
    assert count(bag / 'metadata.yaml') == IMAGES
    monkeypatch.chdir(bag)
    assert count(Path('metadata.yaml')) == IMAGES


def test_a_storage_identifier_may_be_empty(bag):
    """As recorders that were killed leave it."""
    path = bag / 'metadata.yaml'
    content = yaml.safe_load(path.read_text())
    content['rosbag2_bagfile_information']['storage_identifier'] = ''
    path.write_text(yaml.safe_dump(content))
    before = path.read_bytes()
    assert count(bag) == IMAGES and path.read_bytes() == before


@pytest.mark.parametrize('name', ['REC{}', 'no suffix', 'take #1?{}', '100%{}'])
def test_any_name_of_a_file_will_do(bag, tmp_path, name):
    file = storage_file(bag)
    suffix = file.suffix.upper() if name.startswith('REC') else file.suffix
    other = file.rename(tmp_path / name.format(suffix))
    assert count(other) == IMAGES


def test_any_name_of_a_folder_will_do(bag, tmp_path):
    assert count(bag.rename(tmp_path / 'take #2? 50%')) == IMAGES


@pytest.mark.parametrize('content', ['', '{', 'rosbag2_bagfile_information: 5', 'name: camera'])
def test_metadata_of_something_else_is_named(bag, content):
    (bag / 'metadata.yaml').write_text(content)
    with pytest.raises(RunError, match=r'its metadata\.yaml is damaged or that of something else .*ros2 bag reindex'):
        opened(bag)


def test_a_folder_without_metadata_is_its_only_file(bag):
    (bag / 'metadata.yaml').unlink()
    assert count(bag) == IMAGES


def test_several_files_without_metadata_need_an_index(bag):
    (bag / 'metadata.yaml').unlink()
    file = storage_file(bag)
    shutil.copy(file, bag / f'other{file.suffix}')
    with pytest.raises(RunError, match=r'holds 2 files of a recording but no metadata\.yaml: .*ros2 bag reindex -s'):
        opened(bag)


def test_a_compressed_file_is_named_with_what_to_do(bag, tmp_path):
    file = storage_file(bag)
    compressed = file.with_name(file.name + '.zstd')
    compressed.write_bytes(b'\x28\xb5\x2f\xfd' + bytes(20))
    with pytest.raises(RunError, match=f'is one compressed file of a recording: give its folder {bag}'):
        opened(compressed)
    alone = compressed.rename(tmp_path / 'alone')
    with pytest.raises(RunError, match='decompress it first: zstd -d'):
        opened(alone)


@pytest.mark.parametrize('name', ['old.bag', 'old.BAG', 'old'])
def test_a_ros_1_recording_is_named(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b'#ROSBAG V2.0\n')
    with pytest.raises(RunError, match=f'{name} is a ROS 1 recording: convert it with "rosbags-convert --src'):
        opened(path)
    if path.suffix:
        with pytest.raises(RunError, match='is a ROS 1 recording'):
            opened(tmp_path)


def mcap(path: Path, profile: str, encoding: str, schema: str) -> Path:
    """A file with one schema, one channel and one empty message, and a summary that repeats the first two."""

    def text(value: str) -> bytes:
        return struct.pack('<I', len(value)) + value.encode()

    def record(code: int, content: bytes) -> bytes:
        return struct.pack('<BQ', code, len(content)) + content

    definition = {'cdr': 'ros2msg', 'json': ''}.get(encoding, encoding)
    topic = record(3, struct.pack('<H', 1) + text(schema) + text(definition) + text(''))
    topic += record(4, struct.pack('<HH', 1, 1) + text('/cam/image') + text(encoding) + struct.pack('<I', 0))
    begin = b'\x89MCAP0\r\n' + record(1, text(profile) + text('test'))
    data = topic + record(5, struct.pack('<HIQQ', 1, 0, 1, 1)) + record(15, bytes(4))
    statistics = record(11, struct.pack('<QHIIIIQQIHQ', 1, 1, 1, 0, 0, 0, 1, 1, 10, 1, 1))
    footer = record(2, struct.pack('<QQI', len(begin) + len(data), 0, 0))
    path.write_bytes(begin + data + topic + statistics + footer + b'\x89MCAP0\r\n')
    return path


@pytest.mark.parametrize(
    ('profile', 'encoding', 'schema', 'said'),
    [
        ('', 'protobuf', 'foxglove.CompressedImage', r'a\.mcap holds protobuf messages, not those of ROS 2'),
        ('', 'json', 'foxglove.CompressedImage', r'a\.mcap holds json messages'),
        ('ros1', 'ros1', 'sensor_msgs/Image', r'a\.mcap holds ROS 1 messages: convert the \.bag file'),
        ('px4', 'cdr', 'sensor_msgs/msg/Image', r"a\.mcap says that it is of profile 'px4', not ros2"),
        ('ros2', 'protobuf', 'foxglove.CompressedImage', r'a\.mcap holds protobuf messages, not those of ROS 2'),
        ('ros2', 'json', 'sensor_msgs/msg/Image', r'topics: /cam/image \(sensor_msgs/msg/Image, json\)'),
    ],
)
def test_an_mcap_file_of_other_messages_is_told_what_it_holds(tmp_path, profile, encoding, schema, said):
    with pytest.raises(RunError, match=said):
        opened(mcap(tmp_path / 'a.mcap', profile, encoding, schema))


def test_a_recording_that_was_cut_off_is_named_with_what_to_do(bag):
    file = storage_file(bag)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(RunError, match=r'bag cannot be read.*ros2 bag reindex.*mcap recover IN -o OUT'):
        count(bag)


def test_the_color_camera_of_a_depth_camera_is_found():
    types = {
        '/camera/color/image_raw/compressed': 'sensor_msgs/msg/CompressedImage',
        '/camera/color/camera_info': 'sensor_msgs/msg/CameraInfo',
        '/camera/aligned_depth_to_color/image_raw': 'sensor_msgs/msg/Image',
        '/camera/infra1/image_rect_raw': 'sensor_msgs/msg/Image',
    }
    chosen = BagTopics().chosen(types, Path('bag'))
    assert (chosen.image, chosen.camera_info) == ('/camera/color/image_raw/compressed', '/camera/color/camera_info')
