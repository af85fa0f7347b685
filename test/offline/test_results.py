"""What a run writes is what the reconstruction gives for the same images, as the node's messages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from recordings import FIRST_NS, FRAME_NS, FRAMES, boxes, equal, read_bag, recording, stamp_ns, write_bag
from rosbags.rosbag2 import Reader, StoragePlugin

from hand3r_ros.hand_model.sides import HandSide
from hand3r_ros.node import messages, messages_hands, messages_scene
from hand3r_ros.node.configuration import reconstructor_config
from hand3r_ros.node.image_correction import mirrored_box, mirrored_calibration
from hand3r_ros.node.lens import Calibration, LensDistortion, Undistorter
from hand3r_ros.offline.command import run_offline
from hand3r_ros.offline.inputs import Selection
from hand3r_ros.offline.settings import node_parameters
from hand3r_ros.online.factory import build_reconstructor
from hand3r_ros.online.results import CameraFrame

HEADERS = ('/hand3r/camera_pose', '/hand3r/hands', '/hand3r/points', '/hand3r/status')


@pytest.fixture(scope='module')
def direct(rendered, weights_dir):
    """Results of the reconstructor itself for the recording: with calibration and boxes."""
    values = {'weights_dir': str(weights_dir), 'device': 'cpu', 'detector': 'topic'}
    reconstructor = build_reconstructor(reconstructor_config(node_parameters(values)))
    results = [
        reconstructor.process(CameraFrame(frame.image, stamp_ns(index), frame.intrinsics, boxes(frame)))
        for index, frame in enumerate(rendered)
    ]
    return results, reconstructor.map.snapshot()


@pytest.mark.parametrize(
    ('storage', 'compressed'),
    [(StoragePlugin.MCAP, False), (StoragePlugin.SQLITE3, True)],
    ids=['raw images in MCAP', 'compressed images in sqlite3'],
)
def test_a_recording_gives_the_reconstructors_own_values(settings, rendered, direct, tmp_path, storage, compressed):
    bag = write_bag(tmp_path / 'bag', recording(rendered, compressed), storage)
    run = settings(bag, detector=None)
    assert run_offline(run) == 0
    found = read_bag(run.out)
    results, cloud = direct
    assert [ns for ns, _ in found['/hand3r/hands']] == [stamp_ns(index) + 5_000_000 for index in range(FRAMES)]
    for index, result in enumerate(results):
        pose = found['/hand3r/camera_pose'][index][1]
        assert messages.matrix_from_pose(pose.pose) == pytest.approx(result.T_world_camera, abs=1e-6)
        assert pose.header.stamp.nanosec == stamp_ns(index) % 1_000_000_000
        hands = found['/hand3r/hands'][index][1].hands
        assert len(hands) == len(result.hands) > 0
        for hand, expected in zip(hands, result.hands, strict=True):
            vertices = messages_hands.points_of(hand.vertices)
            assert vertices == pytest.approx(expected.vertices_world, abs=1e-5)
            assert hand.bbox == pytest.approx(expected.box, abs=1e-3)
            assert hand.track_id == expected.track_id
        points, _ = messages_scene.cloud_arrays(found['/hand3r/points'][index][1])
        assert points == pytest.approx(_thinned(result), abs=1e-5)
    last_map, _ = messages_scene.cloud_arrays(found['/hand3r/map'][-1][1])
    assert np.sort(last_map, axis=0) == pytest.approx(np.sort(cloud.points, axis=0), abs=1e-5)


def _thinned(result):
    points = result.points_camera[::2, ::2]
    keep = (np.linalg.norm(points, axis=-1) <= 10.0) & (points[..., 2] > 0.0) & (result.confidence[::2, ::2] >= 1.0)
    return points[keep]


def test_images_keep_the_stamps_of_their_names_and_tf_comes_first(settings, images):
    run = settings(images)
    assert run_offline(run) == 0
    found = read_bag(run.out)
    stamps = [FIRST_NS + index * FRAME_NS for index in range(FRAMES)]
    for topic in HEADERS:
        assert [ns for ns, _ in found[topic]] == stamps, topic
    transforms = [message.transforms[0] for _, message in found['/tf']]
    assert {(t.header.frame_id, t.child_frame_id) for t in transforms} == {('hand3r_world', 'hand3r_camera')}
    assert len(found['/hand3r/hand_topology']) == 1
    with Reader(run.out) as reader:
        order = [connection.topic for connection, _, _ in reader.messages(reader.connections)]
    assert order[:3] == ['/hand3r/hand_topology', '/tf', '/hand3r/camera_pose']


def test_the_file_says_the_quality_of_service_that_late_subscribers_need(settings, images):
    run = settings(images, Selection(end=0.15))
    run_offline(run)
    with Reader(run.out) as reader:
        durability = {c.topic: c.ext.offered_qos_profiles[0].durability.name for c in reader.connections}
    assert durability['/hand3r/map'] == durability['/hand3r/hand_topology'] == 'TRANSIENT_LOCAL'
    assert durability['/hand3r/hands'] == 'VOLATILE'


def test_an_out_without_suffix_is_a_rosbag2_folder(settings, images, tmp_path):
    run = settings(images, Selection(end=0.15), out=tmp_path / 'results')
    run_offline(run)
    assert sorted(path.name for path in run.out.iterdir()) == ['metadata.yaml', 'results.mcap']
    assert len(read_bag(run.out)['/hand3r/hands']) == 2


def test_parts_of_the_input_can_be_chosen(settings, images):
    run = settings(images, Selection(start=0.1, end=0.5, stride=2))
    run_offline(run)
    assert [ns for ns, _ in read_bag(run.out)['/hand3r/hands']] == [FIRST_NS + i * FRAME_NS for i in (1, 3, 5)]


def test_parameters_of_the_node_shape_the_output(settings, images, capsys):
    run = settings(
        images, Selection(end=0.15), node_name='robot/eyes', depth__publish=True, points__stride=4, map__publish=False
    )
    run_offline(run)
    found = read_bag(run.out)
    assert {'/robot/eyes/depth/image', '/robot/eyes/points'} <= set(found)
    assert '/robot/eyes/map' not in found
    assert found['/robot/eyes/points'][0][1].width <= (224 // 4) * (160 // 4)
    said = capsys.readouterr().out
    assert '2 images' in said and str(run.out) in said


def test_maps_come_at_the_asked_rate_and_at_the_end(settings, images):
    run = settings(images, map_seconds=0.2)
    run_offline(run)
    assert [ns for ns, _ in read_bag(run.out)['/hand3r/map']] == [FIRST_NS + i * FRAME_NS for i in (0, 2, 4, 5)]


def test_a_second_run_goes_on_in_the_world_of_the_first(settings, images, tmp_path):
    whole = settings(images, out=tmp_path / 'whole.mcap')
    run_offline(whole)
    state = tmp_path / 'session.safetensors'
    run_offline(settings(images, Selection(end=0.25), save_state=state))
    second = settings(images, Selection(start=0.3), state_file=str(state), out=tmp_path / 'second.mcap')
    run_offline(second)
    expected = read_bag(whole.out)['/hand3r/camera_pose'][3:]
    found = read_bag(second.out)['/hand3r/camera_pose']
    assert len(found) == len(expected) == FRAMES - 3
    for (_, pose), (_, other) in zip(found, expected, strict=True):
        assert equal(pose, other)


def test_the_picture_is_written(settings, images, tmp_path: Path):
    run = settings(images, Selection(end=0.15), picture=tmp_path / 'run.png')
    run_offline(run)
    assert run.picture.stat().st_size > 10_000


def test_the_lens_of_a_calibration_file_is_taken_out(settings, rendered, tmp_path):
    """Distorted images with their calibration give the camera poses and points of the undistorted ones."""
    camera = rendered[0].intrinsics
    lens = Undistorter(camera, LensDistortion('plumb_bob', (-0.15, 0.02, 0.0, 0.0)))
    grid = np.stack(np.meshgrid(np.arange(camera.width), np.arange(camera.height)), axis=-1).reshape(-1, 2)
    maps = lens.from_raw(grid).reshape(camera.height, camera.width, 2).astype(np.float32)
    straight, bent = tmp_path / 'straight', tmp_path / 'bent'
    for folder in (straight, bent):
        folder.mkdir()
    for index, frame in enumerate(rendered[:2]):
        image = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(straight / f'{stamp_ns(index)}.png'), image)
        cv2.imwrite(str(bent / f'{stamp_ns(index)}.png'), cv2.remap(image, maps, None, cv2.INTER_CUBIC))
    clouds = {}
    for name, folder, coefficients in (
        ('truth', straight, '0, 0, 0, 0'),
        ('corrected', bent, '-0.15, 0.02, 0, 0'),
        ('ignored', bent, '0, 0, 0, 0'),
    ):
        path = tmp_path / f'{name}.yaml'
        path.write_text(
            f'image_width: {camera.width}\nimage_height: {camera.height}\n'
            f'camera_matrix: {{data: [{camera.fx}, 0, {camera.cx}, 0, {camera.fy}, {camera.cy}, 0, 0, 1]}}\n'
            f'distortion_model: plumb_bob\ndistortion_coefficients: {{data: [{coefficients}]}}\n'
        )
        run = settings(folder, calibration=path, out=tmp_path / f'{name}.mcap', points__stride=4)
        assert run_offline(run) == 0
        clouds[name] = messages_scene.cloud_arrays(read_bag(run.out)['/hand3r/points'][-1][1])[0]
    corrected = np.abs(clouds['corrected'] - clouds['truth']).mean()
    ignored = np.abs(clouds['ignored'] - clouds['truth']).mean()
    assert corrected < 0.5 * ignored


def test_a_mirrored_recording_gives_the_same_world_and_pixels_of_the_mirrored_images(settings, rendered, tmp_path):
    def in_the_mirror(frame):
        hands = tuple(
            replace(hand, box=mirrored_box(hand.box, frame.image.shape[1]), side=HandSide(1 - hand.side))
            for hand in frame.hands
        )
        camera = mirrored_calibration(Calibration(frame.intrinsics)).intrinsics
        return replace(frame, image=np.ascontiguousarray(frame.image[:, ::-1]), intrinsics=camera, hands=hands)

    straight = write_bag(tmp_path / 'straight', recording(rendered[:3]))
    mirrored = write_bag(tmp_path / 'mirrored', recording([in_the_mirror(frame) for frame in rendered[:3]]))
    first = settings(straight, detector=None, out=tmp_path / 'first.mcap')
    second = settings(mirrored, detector=None, out=tmp_path / 'second.mcap', mirrored_image=True)
    assert run_offline(first) == run_offline(second) == 0
    expected, found = read_bag(first.out), read_bag(second.out)
    width = rendered[0].image.shape[1]
    for topic in ('/hand3r/camera_pose', '/hand3r/points'):
        for (_, one), (_, other) in zip(expected[topic], found[topic], strict=True):
            assert equal(one, other), topic
    for (_, one), (_, other) in zip(expected['/hand3r/hands'], found['/hand3r/hands'], strict=True):
        assert len(one.hands) == len(other.hands) > 0
        for hand, same in zip(one.hands, other.hands, strict=True):
            assert hand.side == same.side
            assert equal(hand.vertices, same.vertices)
            assert same.bbox == pytest.approx(mirrored_box(hand.bbox, width), abs=1e-3)


def test_boxes_are_missed_only_where_the_input_could_have_them(settings, images, rendered, tmp_path, capsys):
    assert run_offline(settings(images, Selection(end=0.15), detector='auto', out=tmp_path / 'images.mcap')) == 0
    assert 'had no hand boxes' not in capsys.readouterr().out
    messages = [item for item in recording(rendered[:2]) if item[0] != '/boxes' or item[1] > stamp_ns(1)]
    bag = write_bag(tmp_path / 'bag', messages)
    assert run_offline(settings(bag, detector='auto', out=tmp_path / 'bag.mcap')) == 0
    assert '1 images had no hand boxes' in capsys.readouterr().out
