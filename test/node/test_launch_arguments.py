"""Arguments of launch/hand3r.launch.py: what they become as parameters of the node."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from launch import LaunchContext

ROOT = Path(__file__).parents[2]


def launch_file(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name.replace('.', '_'), ROOT / 'launch' / name)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def defaults(description: Any) -> dict[str, str]:
    """Name and default text of every argument."""
    found = {}
    for argument in description.get_launch_arguments():
        value = argument.default_value
        found[argument.name] = ''.join(getattr(part, 'text', '?') for part in value) if value is not None else ''
    return found


@pytest.mark.parametrize(
    ('image', 'namespace', 'topic'),
    [
        ('image', '', '/image'),
        ('image', 'robot', '/robot/image'),
        ('camera/image_raw', '/robot/head/', '/robot/head/camera/image_raw'),
        ('/camera/image_raw', 'robot', '/camera/image_raw'),
    ],
)
def test_the_reliability_of_images_overrides_the_topic_by_its_full_name(image: str, namespace: str, topic: str) -> None:
    module = launch_file('hand3r.launch.py')
    given = {'image': image, 'namespace': namespace, 'image_reliability': 'reliable'}
    assert module.image_qos(given) == {
        f'qos_overrides.{topic}.subscription.reliability': 'reliable',
        f'qos_overrides.{topic}/compressed.subscription.reliability': 'reliable',
    }
    assert module.image_qos({**given, 'image_reliability': ''}) == {}
    with pytest.raises(ValueError, match="best_effort, reliable, got 'perhaps'"):
        module.image_qos({**given, 'image_reliability': 'perhaps'})


def test_the_demo_follows_the_weights_and_the_node_its_parameter_file() -> None:
    assert defaults(launch_file('demo.launch.py').generate_launch_description())['pose_source'] == 'auto'
    arguments = defaults(launch_file('hand3r.launch.py').generate_launch_description())
    assert {arguments[name] for name in ('pose_source', 'translation', 'image_reliability')} == {''}


def test_files_may_begin_with_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HOME', '/home/somebody')
    context = LaunchContext()
    context.launch_configurations.update(params_file='~/my.yaml', rviz_config='/etc/~x.rviz')
    launch_file('hand3r.launch.py').expand_home(context)
    assert context.launch_configurations['params_file'] == '/home/somebody/my.yaml'
    assert context.launch_configurations['rviz_config'] == '/etc/~x.rviz'


def test_the_webcam_takes_an_installed_driver_and_else_the_player(monkeypatch: pytest.MonkeyPatch) -> None:
    module = launch_file('webcam.launch.py')
    monkeypatch.setattr(module, 'is_installed', lambda package: package == 'v4l2_camera')
    assert [module.chosen_driver(name) for name in ('auto', 'player')] == ['v4l2_camera', 'player']
    with pytest.raises(RuntimeError, match='usb_cam is not installed'):
        module.chosen_driver('usb_cam')
    with pytest.raises(RuntimeError, match=r"driver must be one of auto, usb_cam, .* got 'gscam'"):
        module.chosen_driver('gscam')
    monkeypatch.setattr(module, 'is_installed', lambda package: False)
    assert module.chosen_driver('auto') == 'player'


def test_the_webcam_is_refused_before_anything_starts_where_there_is_no_camera() -> None:
    module = launch_file('webcam.launch.py')
    assert module.camera_device('/dev/null') == '/dev/null'
    for name in ('/dev/video_that_is_not_there', '98'):
        with pytest.raises(RuntimeError, match=r'there is no camera /dev/video.*start hand3r\.launch\.py with image:='):
            module.camera_device(name)
