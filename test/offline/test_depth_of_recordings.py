"""Depth recorded or saved beside colour is found, brought together, read in its units, and named when it cannot be."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from recordings import FIRST_NS, FRAME_NS, header, recording, stamp_ns, transform, write_bag
from sensor_msgs.msg import CompressedImage, Image

from hand3r_ros.geometry import make_transform
from hand3r_ros.node import messages, messages_scene
from hand3r_ros.offline.bag_topics import BagTopics
from hand3r_ros.offline.command import run_offline
from hand3r_ros.offline.errors import RunError
from hand3r_ros.offline.opening import open_input
from hand3r_ros.offline.settings import RunSettings

IMAGE, COMPRESSED, INFO = (f'sensor_msgs/msg/{name}' for name in ('Image', 'CompressedImage', 'CameraInfo'))


def opened(path: Path, **given):
    return open_input(RunSettings(input=path, out=Path('out.mcap'), **given))


def depth_of(path: Path, **given) -> list[float | None]:
    """One number per image: its depth in metres, None where it has none."""
    images = opened(path, **given).images()
    return [None if image.depth is None else float(image.depth().metres.max()) for image in images]


def pictures(folder: Path, *names: str, units: float = 1000.0) -> Path:
    """Pictures, and depth of 1, 2, 3, ... metres where the name says depth."""
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if 'depth' in name:
            metres = 1 + sum('depth' in other for other in names[:number])
            cv2.imwrite(str(path), np.full((6, 8), units * metres, np.uint16))
        else:
            cv2.imwrite(str(path), np.full((6, 8, 3), number, np.uint8))
    return folder


@pytest.mark.parametrize('word', ['color', 'rgb', 'image'])
def test_names_in_one_folder_belong_together(tmp_path, word):
    names = [f'{word}_{n}.jpg' for n in (1, 2, 10)] + ['depth_1.png', 'depth_10.png']
    folder = pictures(tmp_path / 'rgbd', *names)
    assert depth_of(folder) == [1.0, None, 2.0]
    assert '2 with depth in 1000 units a metre' in opened(folder).description


def test_folders_of_the_same_names_belong_together(tmp_path):
    folder = pictures(tmp_path, 'rgb/0.png', 'rgb/1.png', 'depth/0.png', 'depth/1.png')
    assert depth_of(folder) == depth_of(folder / 'rgb') == [1.0, 2.0]


def test_times_of_tums_recordings_are_associated(tmp_path):
    color = [f'rgb/1305031102.{fraction}.png' for fraction in ('175304', '211214', '275326')]
    depth = [f'depth/1305031102.{fraction}.png' for fraction in ('160407', '226738', '475326')]
    folder = pictures(tmp_path, *color, *depth, units=5000.0)
    assert depth_of(folder) == [1.0, 2.0, None]
    assert next(image.stamp_ns for image in opened(folder).images()) == 1305031102175304000


def test_units_can_be_given(tmp_path):
    folder = pictures(tmp_path, 'color_1.png', 'color_2.png', 'depth_1.png', 'depth_2.png', units=4000.0)
    assert depth_of(folder, depth_units=4000.0) == [1.0, 2.0]


def test_depth_is_no_image_when_it_is_not_used(tmp_path):
    folder = pictures(tmp_path, 'color_1.png', 'color_2.png', 'depth_1.png', 'depth_2.png')
    assert depth_of(folder, values={'use_depth': 'off'}) == [None, None]


def test_a_picture_of_depth_is_told_from_depth(tmp_path):
    folder = pictures(tmp_path, 'color_1.png', 'color_2.png', 'depth_1.png')
    cv2.imwrite(str(folder / 'depth_2.png'), np.zeros((6, 8, 3), np.uint8))
    (folder / 'depth_1.png').write_bytes(b'nothing')
    images = list(opened(folder).images())
    for image, reason in zip(images, ('do not decode as an image', 'is no depth'), strict=True):
        with pytest.raises(ValueError, match=reason):
            image.depth()


def depth_image(depth: np.ndarray, index: int, encoding: str = '16UC1', frame: str = 'camera_optical') -> Image:
    values = np.round(1000.0 * depth).astype(np.uint16) if encoding == '16UC1' else depth.astype(np.float32)
    data = messages.packed('B', values.view(np.uint8))
    height, width = depth.shape
    step = values.itemsize * width
    return Image(header=header(index, frame), height=height, width=width, encoding=encoding, step=step, data=data)


def depth_png(depth: np.ndarray, index: int) -> CompressedImage:
    _, png = cv2.imencode('.png', np.round(1000.0 * depth).astype(np.uint16))
    data = np.concatenate([np.zeros(12, np.uint8), png.ravel()])
    return CompressedImage(header=header(index), format='16UC1; compressedDepth png', data=messages.packed('B', data))


DEPTH_TOPIC = '/cam/aligned_depth_to_color/image_raw'


def with_depth(rendered, make, topic: str = DEPTH_TOPIC, late_ns: int = 20_000_000, shift_ns: int = 0):
    found = recording(rendered)
    for index, frame in enumerate(rendered):
        message = make(frame.depth, index)
        message.header.stamp = messages.time_from_nanoseconds(stamp_ns(index) + shift_ns)
        found.append((topic, stamp_ns(index) + late_ns, message))
    return sorted(found, key=lambda item: item[1])


MAKERS = {
    'raw millimetres': (depth_image, DEPTH_TOPIC),
    'raw metres': (lambda z, i: depth_image(z, i, '32FC1'), DEPTH_TOPIC),
    'compressed': (depth_png, f'{DEPTH_TOPIC}/compressedDepth'),
}


@pytest.mark.parametrize('kind', MAKERS)
@pytest.mark.parametrize('late_ns', [1_000_000, 120_000_000])
def test_depth_beside_the_image_topic_is_used(tmp_path, settings, rendered, capsys, kind, late_ns):
    make, topic = MAKERS[kind]
    bag = write_bag(tmp_path / 'bag', with_depth(rendered, make, topic, late_ns))
    assert run_offline(settings(bag)) == 0
    said = capsys.readouterr().out
    assert f'{len(rendered)} images with measured depth' in said


def test_depth_of_another_moment_is_not_used(tmp_path, rendered):
    near = write_bag(tmp_path / 'near', with_depth(rendered, depth_image, shift_ns=15_000_000))
    far = write_bag(tmp_path / 'far', with_depth(rendered, depth_image, shift_ns=40_000_000))
    assert all(image.depth is not None for image in opened(near).images())
    assert all(image.depth is None for image in opened(far).images())
    given = list(opened(far, values={'depth.slop': 0.05}).images())
    assert all(image.depth is not None for image in given)
    assert [image.stamp_ns for image in given] == [FIRST_NS + i * FRAME_NS for i in range(len(rendered))]


def test_required_depth_that_is_missing_skips_the_image(tmp_path, settings, rendered, capsys):
    items = with_depth(rendered, depth_image)
    items = [item for item in items if item[0] != DEPTH_TOPIC or item[2].header.stamp.nanosec % 200_000_000 == 0]
    bag = write_bag(tmp_path / 'bag', items)
    assert run_offline(settings(bag, use_depth='required')) == 0
    said = capsys.readouterr().out
    assert '3 images with measured depth' in said
    assert 'no depth came with the image' in said


def test_depth_of_another_frame_needs_its_camera_and_its_place(tmp_path, settings, rendered, capsys):
    def other(z, index):
        return depth_image(z, index, frame='depth_optical')

    topic = '/cam/depth/image_rect_raw'
    items = with_depth(rendered, other, topic)
    assert run_offline(settings(write_bag(tmp_path / 'alone', items))) == 0
    assert 'there is no depth/camera_info to register it with' in capsys.readouterr().out
    for index, frame in enumerate(rendered):
        info = messages_scene.camera_info(header(index, 'depth_optical'), frame.intrinsics)
        items.append(('/cam/depth/camera_info', stamp_ns(index), info))
    items.sort(key=lambda item: item[1])
    assert run_offline(settings(write_bag(tmp_path / 'nowhere', items), overwrite=True)) == 0
    assert 'the input has no /tf' in capsys.readouterr().out
    moved = transform(0, 'camera_optical', 'depth_optical', make_transform(np.eye(3), [0.0, 0.0, 0.0]))
    items.append(('/tf_static', stamp_ns(0), moved))
    items.sort(key=lambda item: item[1])
    assert run_offline(settings(write_bag(tmp_path / 'known', items), overwrite=True)) == 0
    assert f'{len(rendered)} images with measured depth' in capsys.readouterr().out


def test_the_registered_depth_nearest_by_name_is_chosen():
    types = {
        '/camera/camera/color/image_raw': IMAGE,
        '/camera/camera/color/camera_info': INFO,
        '/camera/camera/depth/image_rect_raw': IMAGE,
        '/camera/camera/depth/camera_info': INFO,
        '/camera/camera/aligned_depth_to_color/image_raw': IMAGE,
        '/camera/camera/aligned_depth_to_color/image_raw/compressedDepth': COMPRESSED,
        '/camera/camera/aligned_depth_to_color/camera_info': INFO,
        '/other/depth/image_raw': IMAGE,
    }
    chosen = BagTopics().chosen(types, Path('bag'))
    assert chosen.depth == '/camera/camera/aligned_depth_to_color/image_raw'
    assert chosen.depth_info == '/camera/camera/aligned_depth_to_color/camera_info'
    del types[chosen.depth]
    assert BagTopics().chosen(types, Path('bag')).depth.endswith('compressedDepth')
    named = BagTopics(depth='camera/camera/depth/image_rect_raw').chosen(types, Path('bag'))
    assert named.depth_info == '/camera/camera/depth/camera_info'
    assert BagTopics().chosen({'/image': IMAGE}, Path('bag')).depth == ''
    with pytest.raises(RunError, match='--depth-topic /no is not in'):
        BagTopics(depth='/no').chosen(types, Path('bag'))
