"""The shipped RViz configuration: what is subscribed is published, and the window shows the scene, not its panels.

RViz itself does not run here. The window state is read as Qt writes it, the starting view is computed.
"""

from __future__ import annotations

import importlib.util
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from launch import LaunchContext

from hand3r_lab.scenes.sequence import RenderedFrame, SceneConfig, Sequence
from hand3r_ros.geometry import R_BODY_OPTICAL, Intrinsics, make_transform, transform_points, unproject_depth
from hand3r_ros.node.parameters import NodeParameters
from hand3r_ros.node.topics import DEPTH_IMAGE, OUTPUT_TOPICS
from hand3r_ros.visualization.view import View, look_at

ROOT = Path(__file__).parents[2]
MESSAGES = {'PointCloud2': 'PointCloud2', 'MarkerArray': 'MarkerArray', 'Pose': 'PoseStamped', 'Image': 'Image'}
"""Message type by display class."""
FIELD_OF_VIEW = 45.0  # degrees from top to bottom, RViz's own


def configuration() -> dict[str, Any]:
    return yaml.safe_load((ROOT / 'rviz' / 'hand3r.rviz').read_text())


def displays() -> list[dict[str, Any]]:
    return configuration()['Visualization Manager']['Displays']


@dataclass(frozen=True)
class Dock:
    name: str
    visible: bool
    along: int  # px in the direction in which the docks of an area lie side by side
    across: int  # px of the whole area in the other direction


LEFT, RIGHT, TOP, BOTTOM = range(4)


class WindowState:
    """``QMainWindow::saveState``: docks by area, and the size of the middle, which is the 3D view."""

    def __init__(self, state: bytes) -> None:
        self._state, self._at = state, 0
        assert (self._number(), self._number(), self._byte()) == (0xFF, 0, 0xFD)
        self.docks: dict[int, list[Dock]] = {self._number(): [*self._area()] for _ in range(self._number())}
        self.middle = (self._number(), self._number())

    def _area(self):
        width, height = self._number(), self._number()
        assert self._byte() == 0xFC
        vertical = self._byte() == 2
        for _ in range(self._number()):
            assert self._byte() == 0xFB
            length = self._number()
            name = self._take(length).decode('utf-16-be')
            flags = self._byte()
            _, size, _, _ = (self._number() for _ in range(4))
            yield Dock(name, bool(flags & 1), size, width if vertical else height)

    def _take(self, count: int) -> bytes:
        self._at += count
        return self._state[self._at - count : self._at]

    def _number(self) -> int:
        return struct.unpack('>I', self._take(4))[0]

    def _byte(self) -> int:
        return self._take(1)[0]


def window_state() -> WindowState:
    return WindowState(bytes.fromhex(configuration()['Window Geometry']['QMainWindow State']))


def test_the_3d_view_takes_most_of_the_window() -> None:
    geometry, state = configuration()['Window Geometry'], window_state()
    window = geometry['Width'] * geometry['Height']
    assert geometry['Width'] == 1600
    assert state.middle[0] * state.middle[1] > 0.7 * window
    visible = {dock.name: dock for docks in state.docks.values() for dock in docks if dock.visible}
    assert set(visible) == {'Displays', 'Image'}
    assert visible['Image'].along * visible['Image'].across < 0.06 * window


def test_every_panel_has_its_dock_and_docks_of_displays_are_named_like_them() -> None:
    state = window_state()
    docks = {dock.name for area in state.docks.values() for dock in area}
    panels = {panel['Name'] for panel in configuration()['Panels']}
    images = {display['Name'] for display in displays() if display['Class'].endswith('/Image')}
    assert docks == panels | images
    assert docks <= set(configuration()['Window Geometry'])


def test_depth_is_off_because_the_node_does_not_publish_it_unless_asked() -> None:
    (depth,) = (d for d in displays() if d.get('Topic', {}).get('Value') == 'hand3r/depth/image')
    assert not NodeParameters().depth.publish
    assert not depth['Enabled'] and not depth['Value']
    assert not any(dock.visible for docks in window_state().docks.values() for dock in docks if dock.name == 'Depth')


def test_what_is_shown_is_published_with_a_quality_of_service_that_fits() -> None:
    published = {topic.name.replace('~', 'hand3r'): topic for topic in OUTPUT_TOPICS}
    seen = set()
    for display in displays():
        topic = display.get('Topic')
        if topic is None:
            continue
        kind = display['Class'].removeprefix('rviz_default_plugins/')
        if topic['Value'] == 'image':
            # Cameras publish best effort or reliable; a reliable subscription gets nothing from the former.
            assert (kind, topic['Reliability Policy']) == ('Image', 'Best Effort')
            continue
        output = published[topic['Value']]
        assert output.message_type.__name__ == MESSAGES[kind], display['Name']
        assert topic['Durability Policy'] == ('Transient Local' if output.latched else 'Volatile'), display['Name']
        seen.add(output)
    assert {topic.name for topic in seen} >= {'~/map', '~/points', '~/markers', '~/camera_pose', DEPTH_IMAGE.name}


def test_the_fixed_frame_is_the_world() -> None:
    assert configuration()['Visualization Manager']['Global Options']['Fixed Frame'] == NodeParameters().world_frame


@pytest.fixture(scope='module')
def demo_scene() -> list[RenderedFrame]:
    """Some frames of the scene that the demo shows."""
    sequence = Sequence(200_000_021, SceneConfig(width=160, height=120, frames=100, fps=5.0, camera='mixed'))
    return [sequence.frame(index) for index in (0, 40, 99)]


def starting_view() -> View:
    orbit = configuration()['Visualization Manager']['Views']['Current']
    assert orbit['Class'] == 'rviz_default_plugins/Orbit'
    focal, yaw, pitch = np.array([orbit['Focal Point'][axis] for axis in 'XYZ']), orbit['Yaw'], orbit['Pitch']
    direction = np.array([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)])
    width, height = window_state().middle
    focal_length = height / 2.0 / np.tan(np.deg2rad(FIELD_OF_VIEW) / 2.0)
    horizontal = float(np.rad2deg(2.0 * np.arctan(width / 2.0 / focal_length)))
    intrinsics = Intrinsics.from_field_of_view(horizontal, width, height)
    return View(intrinsics, look_at(focal + orbit['Distance'] * direction, focal, [0.0, 0.0, 1.0]))


def test_the_starting_view_shows_camera_hands_and_table_of_the_demo(demo_scene: list[RenderedFrame]) -> None:
    view = starting_view()
    size = np.array([view.intrinsics.width, view.intrinsics.height])
    T_world_scene = make_transform(R_BODY_OPTICAL, np.zeros(3)) @ np.linalg.inv(demo_scene[0].T_world_camera)
    for frame in demo_scene:
        T_world_camera = T_world_scene @ frame.T_world_camera
        hands = np.concatenate([hand.keypoints_camera for hand in frame.hands])
        scene = unproject_depth(frame.depth, frame.intrinsics).reshape(-1, 3)
        near = np.linalg.norm(scene - hands.mean(axis=0), axis=1) < 0.35  # table and what lies on it
        must = np.concatenate([np.zeros((1, 3)), hands, scene[near]])
        pixels = view.project(transform_points(T_world_camera, must))
        inside = ((pixels > 0.02 * size) & (pixels < 0.98 * size)).all(axis=1)
        assert inside[: 1 + len(hands)].all()
        assert inside.mean() > 0.97
        span = np.ptp(view.project(transform_points(T_world_camera, must)), axis=0)
        assert span[1] > 0.4 * size[1] or span[0] > 0.4 * size[0]


def launch_file() -> Any:
    spec = importlib.util.spec_from_file_location('hand3r_launch', ROOT / 'launch' / 'hand3r.launch.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_launch_file_knows_every_topic_of_the_node_that_is_shown() -> None:
    shown = {display['Topic']['Value'] for display in displays() if 'Topic' in display}
    assert {f'hand3r/{topic}' for topic in launch_file().SHOWN_TOPICS} | {'image'} == shown


def test_rviz_is_told_where_camera_and_node_are_and_what_the_world_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    module = launch_file()
    made: list[dict[str, Any]] = []
    monkeypatch.setattr(module, 'Node', lambda **options: made.append(options))
    context = LaunchContext()
    given = {'image': '/cam/image_raw', 'name': 'eyes', 'namespace': 'robot', 'rviz_config': 'x.rviz'}
    context.launch_configurations.update(given, world_frame='odom3', use_sim_time='true')
    module.rviz(context)
    (options,) = made
    remapped = dict(options['remappings'])
    assert remapped['image'] == '/cam/image_raw' and remapped['hand3r/map'] == 'eyes/map'
    assert options['arguments'] == ['-d', 'x.rviz', '-f', 'odom3']
    assert options['namespace'] == 'robot' and options['parameters'] == [{'use_sim_time': True}]
