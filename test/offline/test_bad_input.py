"""What cannot be read or written ends with a message that names it, or is skipped, counted and listed."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from recordings import FRAMES, equal, read_bag, recording, stamp_ns, transform, write_bag
from video_files import damage, write_video

from hand3r_ros.cli import main
from hand3r_ros.node.messages import time_from_nanoseconds
from hand3r_ros.offline import parts
from hand3r_ros.offline.bag_topics import BagTopics
from hand3r_ros.offline.camera_file import read_camera_file
from hand3r_ros.offline.command import run_offline
from hand3r_ros.offline.errors import RunError
from hand3r_ros.offline.inputs import Selection
from hand3r_ros.offline.opening import open_input
from hand3r_ros.offline.settings import RunSettings, parameter_values


def opened(path, tmp_path, **given):
    return open_input(RunSettings(input=path, out=tmp_path / 'out.mcap', **given))


def test_a_file_that_is_no_video_is_named(tmp_path):
    path = tmp_path / 'letter.mp4'
    path.write_text('not a video')
    with pytest.raises(RunError, match=r'letter\.mp4 cannot be opened as a video'):
        opened(path, tmp_path)


def test_a_missing_input_and_an_empty_folder_are_named(tmp_path):
    with pytest.raises(RunError, match=r'nowhere\.mp4 does not exist'):
        opened(tmp_path / 'nowhere.mp4', tmp_path)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(RunError, match='holds no image'):
        opened(tmp_path / 'empty', tmp_path)


def test_a_damaged_recording_is_named(tmp_path):
    path = tmp_path / 'cut.mcap'
    path.write_bytes(b'\x89MCAP0\r\n' + bytes(50))
    with pytest.raises(RunError, match=r'cut\.mcap cannot be read'):
        opened(path, tmp_path)


def test_an_image_that_is_damaged_is_skipped_counted_and_listed(settings, images, tmp_path, capsys):
    folder = tmp_path / 'copy'
    shutil.copytree(images, folder)
    damaged = sorted(folder.iterdir())[1]
    damaged.write_bytes(damaged.read_bytes()[:40])
    run = settings(folder, Selection(end=0.35))
    assert run_offline(run) == 0
    said = capsys.readouterr().out
    assert 'skipped 1: cannot be decoded 1' in said and damaged.name in said
    found = read_bag(run.out)
    assert len(found['/hand3r/hands']) == 3
    assert found['/hand3r/status'][-1][1].frames_rejected == 1
    assert damaged.name in found['/hand3r/status'][-1][1].last_error


def test_a_damaged_video_is_gone_through_to_its_end_and_gives_exit_code_1(settings, tmp_path, capsys):
    path = damage(write_video(tmp_path / 'clip.mp4', busy=True), 0.4, 0.5)
    run = settings(path, Selection(start=0.3, end=2.0, stride=2), map__publish=False, points__publish=False)
    assert run_offline(run) == 1
    said = capsys.readouterr()
    lost = int(re.search(r'video .*clip\.mp4: (\d+) of 30 images are missing or cannot be decoded', said.err)[1])
    skipped = int(re.search(r'skipped (\d+): cannot be decoded', said.out)[1])
    assert lost > 1 and lost // 2 <= skipped <= lost // 2 + 1
    found = read_bag(run.out)['/hand3r/status']
    assert len(found) == 12 - skipped
    assert found[-1][1].frames_rejected == skipped and 'the video is damaged here' in found[-1][1].last_error


def test_images_that_claim_to_be_huge_and_half_jpegs_are_skipped_and_listed(settings, rendered, tmp_path, capsys):
    for number, frame in enumerate(rendered[:4]):
        cv2.imwrite(str(tmp_path / f'{number}.jpg'), cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
    half, bomb = tmp_path / '1.jpg', tmp_path / '2.jpg'
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])
    data = bytearray(bomb.read_bytes())
    place = data.index(b'\xff\xc0') + 5
    data[place : place + 4] = b'\x7f\xff\x7f\xff'
    bomb.write_bytes(data)
    run = settings(tmp_path)
    assert run_offline(run) == 0
    said = capsys.readouterr().out
    assert 'skipped 2: cannot be decoded 2' in said
    assert '1.jpg' in said and 'cut off or damaged' in said
    assert '32767x32767 pixels, more than max_image_pixels (64000000)' in said
    with pytest.raises(RunError, match=r'224x160 pixels, more than max_image_pixels \(1000\)'):
        run_offline(dataclasses.replace(run, overwrite=True, values={**run.values, 'max_image_pixels': 1000}))


def test_files_of_a_12_bit_camera_are_read_in_their_range_and_this_is_said(settings, rendered, tmp_path, capsys):
    for depth in (8, 12):
        (tmp_path / str(depth)).mkdir()
        for number, frame in enumerate(rendered[:2]):
            pixels = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
            pixels[0, 0] = 255
            path = tmp_path / str(depth) / f'{number}.png'
            cv2.imwrite(str(path), pixels if depth == 8 else pixels.astype(np.uint16) << 4)
    runs = {depth: settings(tmp_path / str(depth), out=tmp_path / f'{depth}.mcap') for depth in (8, 12)}
    for run in runs.values():
        assert run_offline(run) == 0
    assert 'note: 16 bit images use 12 bits: values 0 to 4095' in capsys.readouterr().out
    eight, twelve = (read_bag(run.out)['/hand3r/points'][-1][1] for run in runs.values())
    assert equal(eight, twelve)


def test_images_that_are_all_unusable_end_the_run_without_a_result(settings, tmp_path):
    folder = tmp_path / 'images'
    folder.mkdir()
    for number in range(3):
        (folder / f'{number}.png').write_bytes(b'no image')
    run = settings(folder)
    with pytest.raises(RunError, match=r'none of 3 images could be used: 0\.png'):
        run_offline(run)
    assert not run.out.exists() and not run.out.with_name('out.mcap.partial').exists()


def test_a_damaged_message_is_skipped(settings, rendered, tmp_path, capsys):
    messages = recording(rendered[:3])
    place = [index for index, item in enumerate(messages) if item[0] == '/cam/image_raw'][1]
    messages[place] = (*messages[place][:2], b'\x00\x01\x00\x00\x07')
    run = settings(write_bag(tmp_path / 'bag', messages), detector=None)
    assert run_offline(run) == 0
    assert 'skipped 1: cannot be decoded 1' in capsys.readouterr().out
    assert len(read_bag(run.out)['/hand3r/hands']) == 2


def test_recordings_without_one_clear_image_topic_list_what_they_have(tmp_path, rendered):
    none = write_bag(tmp_path / 'none', [('/pose', 1, PoseStamped())])
    with pytest.raises(RunError, match=r'no image topic; its topics: /pose \(geometry_msgs/msg/PoseStamped\)'):
        opened(none, tmp_path)
    messages = recording(rendered[:1])
    image = next(item for item in messages if item[0] == '/cam/image_raw')
    two = write_bag(tmp_path / 'two', [*messages, ('/right/image_raw', *image[1:]), ('/pose', 1, PoseStamped())])
    with pytest.raises(RunError, match='choose one by --topic: /cam/image_raw, /right/image_raw'):
        opened(two, tmp_path)
    chosen = opened(two, tmp_path, topics=BagTopics('cam/image_raw'))
    assert chosen.topics.camera_info == '/cam/camera_info' and chosen.topics.detections == '/boxes'
    with pytest.raises(RunError, match='--topic /left is not in recording'):
        opened(two, tmp_path, topics=BagTopics('/left'))
    with pytest.raises(RunError, match='--topic /pose is of type geometry_msgs/msg/PoseStamped'):
        opened(two, tmp_path, topics=BagTopics('/pose'))


def test_the_raw_topic_counts_where_the_same_images_are_recorded_compressed_too():
    types = {
        '/cam/image': 'sensor_msgs/msg/Image',
        '/cam/image/compressed': 'sensor_msgs/msg/CompressedImage',
        '/cam/depth/image': 'sensor_msgs/msg/Image',
        '/cam/camera_info': 'sensor_msgs/msg/CameraInfo',
    }
    chosen = BagTopics().chosen(types, None)
    assert (chosen.image, chosen.camera_info) == ('/cam/image', '/cam/camera_info')


def test_existing_results_are_only_replaced_on_demand(settings, images):
    run = settings(images, Selection(end=0.15))
    run.out.write_text('precious')
    with pytest.raises(RunError, match='exists already'):
        run_offline(run)
    assert run.out.read_text() == 'precious'
    assert run_offline(dataclasses.replace(run, overwrite=True)) == 0
    assert '/hand3r/hands' in read_bag(run.out)


def test_a_file_that_is_no_result_is_never_replaced(settings, images, tmp_path):
    (tmp_path / 'thesis').write_text('precious')
    with pytest.raises(RunError, match='is a file that is no result of a run, which is never replaced'):
        run_offline(settings(images, out=tmp_path / 'thesis', overwrite=True))
    assert (tmp_path / 'thesis').read_text() == 'precious'


@pytest.mark.parametrize('name', ['out.mp4', 'out.MCAP', 'out.txt', 'out.db3', 'out.png'])
def test_names_that_promise_another_kind_of_result_are_refused(settings, images, tmp_path, name):
    with pytest.raises(RunError, match=r'results are MCAP; give FILE\.mcap'):
        run_offline(settings(images, out=tmp_path / name))


def test_what_cannot_be_written_at_the_end_is_said_before_the_run(settings, images, tmp_path):
    (tmp_path / 'file').write_text('')
    for name in ('picture.gif.txt', 'picture', 'picture.mp4'):
        with pytest.raises(RunError, match=r'--picture .*: give a file that ends in \.png or \.jpg'):
            run_offline(settings(images, picture=tmp_path / name))
    with pytest.raises(RunError, match=r'--picture .*p\.png cannot be written: .*file is no folder'):
        run_offline(settings(images, picture=tmp_path / 'file' / 'new' / 'p.png'))
    with pytest.raises(RunError, match=r'--save-state .* is a folder: name a file in it'):
        run_offline(settings(images, save_state=tmp_path))
    for name in ('', 'a b', '1a', 'a//b'):
        with pytest.raises(RunError, match='is no name of a node'):
            run_offline(settings(images, node_name=name))
    assert not list(tmp_path.glob('out*'))


def test_options_that_would_have_no_effect_are_refused(tmp_path, rendered):
    bag = write_bag(tmp_path / 'bag', recording(rendered[:1]))
    with pytest.raises(RunError, match=r'--fps is for videos and images; .*bag is a recording with stamps of its own'):
        opened(bag, tmp_path, fps=5.0)
    video = write_video(tmp_path / 'clip.mp4', frames=2)
    with pytest.raises(RunError, match=r'--topic is for recordings; .*clip\.mp4 is none'):
        opened(video, tmp_path, topics=BagTopics('/image'))


@pytest.mark.parametrize(
    ('path', 'said'),
    [
        ('http://host/clip.mp4', 'is an address: download the file first'),
        ('images/*.png', 'patterns are not taken: give the folder images'),
        ('images/frame_%04d.png', 'patterns are not taken: give the folder images'),
        ('/dev/null', 'is no file: live cameras and streams are for the node'),
    ],
)
def test_what_is_no_file_is_told_what_to_do(path, said, tmp_path):
    with pytest.raises(RunError, match=said):
        opened(Path(path), tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'clip.mp4')
    with pytest.raises(RunError, match='is no file'):
        opened(tmp_path / 'clip.mp4', tmp_path)


def test_a_selection_that_leaves_nothing_is_named(settings, images):
    with pytest.raises(RunError, match='--start and --end leave no image of the input'):
        run_offline(settings(images, Selection(start=1000.0)))


def test_a_folder_with_other_things_is_never_replaced(settings, images, tmp_path):
    (tmp_path / 'home').mkdir()
    (tmp_path / 'home' / 'thesis.tex').write_text('precious')
    with pytest.raises(RunError, match='never replaced'):
        run_offline(settings(images, out=tmp_path / 'home', overwrite=True))
    assert (tmp_path / 'home' / 'thesis.tex').exists()


def test_an_out_that_cannot_be_written_is_named(settings, images, tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(RunError, match='cannot write to'):
        run_offline(settings(images, out=tmp_path / 'file' / 'out.mcap'))


def test_a_full_disk_ends_the_run_and_the_same_command_goes_on(settings, images, monkeypatch):
    run = settings(images, checkpoint_seconds=0.0)
    original, count = parts.PartWriter.write, [0]

    def write(self, *arguments):
        count[0] += 1
        if count[0] == 20:
            raise OSError(28, 'No space left on device')
        original(self, *arguments)

    monkeypatch.setattr(parts.PartWriter, 'write', write)
    with pytest.raises(RunError, match='No space left on device; fix this and rerun the same command to resume'):
        run_offline(run)
    assert run_offline(run) == 0
    assert len(read_bag(run.out)['/hand3r/hands']) == FRAMES


def test_what_the_input_does_not_have_is_said_before_the_run(settings, images):
    with pytest.raises(RunError, match="detector 'topic' needs a recording"):
        run_offline(settings(images, detector='topic'))
    with pytest.raises(RunError, match="pose_source 'tf' needs a recording"):
        run_offline(settings(images, pose_source='tf'))


def test_parameters_are_checked_by_name_and_value(settings, images):
    with pytest.raises(RunError, match=r'did you mean points\.stride'):
        parameter_values(['points.strid:=2'])
    with pytest.raises(RunError, match='NAME:=VALUE'):
        parameter_values(['points.stride=2'])
    with pytest.raises(RunError, match=r'points\.stride: 0'):
        run_offline(settings(images, points__stride=0))
    assert parameter_values(['points.stride:=1', 'world_frame:=1', 'map.publish:=false']) == {
        'points.stride': 1,
        'world_frame': '1',
        'map.publish': False,
    }


def test_the_command_says_errors_in_one_line(tmp_path, capsys):
    assert main(['run', str(tmp_path / 'none.mp4'), '--out', str(tmp_path / 'out.mcap')]) == 1
    assert capsys.readouterr().err.startswith(f'hand3r run: {tmp_path}/none.mp4 does not exist')
    assert main(['run', str(tmp_path), '--out', str(tmp_path / 'out.db3')]) == 1
    assert 'results are MCAP' in capsys.readouterr().err


def test_calibration_files_are_checked(tmp_path):
    path = tmp_path / 'camera.yaml'
    with pytest.raises(RunError, match='cannot be read'):
        read_camera_file(path, rectified=False)
    path.write_text('image_width: 640\nimage_height: 480\n')
    with pytest.raises(RunError, match="'camera_matrix' is missing"):
        read_camera_file(path, rectified=False)
    matrix = '{rows: 3, cols: 3, data: [500, 0, 320, 0, 510, 240, 0, 0, 1]}'
    path.write_text(f'image_width: 640\nimage_height: 480\ncamera_matrix: {matrix}\n')
    calibration = read_camera_file(path, rectified=False)
    camera = calibration.intrinsics
    assert (camera.fx, camera.fy, camera.cx, camera.width) == (500.0, 510.0, 320.0, 640)
    assert calibration.lens is None
    path.write_text(path.read_text() + 'distortion_coefficients: {rows: 1, cols: 5, data: [0.1, 0, 0, 0, 0]}\n')
    with pytest.raises(RunError, match='no distortion_model says which'):
        read_camera_file(path, rectified=False)
    path.write_text(path.read_text() + 'distortion_model: unheard_of\n')
    with pytest.raises(RunError, match='unheard_of'):
        read_camera_file(path, rectified=False)
    path.write_text('just text')
    with pytest.raises(RunError, match='is not a camera_info file'):
        read_camera_file(path, rectified=False)


@pytest.mark.parametrize(
    ('names', 'coefficients', 'model'),
    [
        ('camera_model: fisheye', [0.17, -0.03, 0.0004, -0.0007], 'equidistant'),  # cameracalibrator of ROS Melodic
        ('camera_model: plumb_bob', [-0.4, 0.1, 0.001, 0.002, 0.0], 'plumb_bob'),
        ('camera_model: pinhole', [-0.4, 0.1, 0.001, 0.002, 0.0], 'plumb_bob'),
        ('distortion_model: fisheye', [0.17, -0.03, 0.0004, -0.0007], 'equidistant'),
        ('camera_model: pinhole\ndistortion_model: equidistant', [0.17, -0.03, 0.0004, -0.0007], 'equidistant'),
        ('camera_model: fisheye\ndistortion_model: equidistant', [0.17, -0.03, 0.0004, -0.0007, 0], 'equidistant'),
        ('distortion_model: rational_polynomial', [0.1] * 8, 'rational_polynomial'),
        ('distortion_model: ""\ncamera_model: fisheye', [0.17, -0.03, 0.0004, -0.0007], 'equidistant'),
        ('', [0, 0, 0, 0, 0], None),
        ('camera_model: pinhole', [0, 0, 0, 0], None),
        ('camera_model: fisheye', [0, 0, 0, 0], 'equidistant'),
        ('', [-0.4, 0.1, 0.001, 0.002, 0.0], 'refused: no distortion_model'),
        ('camera_model: pinhole', [0.17, -0.03, 0.0004, -0.0007], "refused: 'pinhole' with 4 numbers"),
        ('camera_model: omnidirectional', [0.17, -0.03, 0.0004, -0.0007], "refused: 'omnidirectional'"),
        (
            'camera_model: fisheye\ndistortion_model: plumb_bob',
            [0.17, -0.03, 0.0004, -0.0007],
            'refused: different lens',
        ),
    ],
)
def test_a_calibration_file_means_the_lens_that_it_names(tmp_path, names, coefficients, model):
    path = tmp_path / 'camera.yaml'
    path.write_text(
        'image_width: 820\nimage_height: 616\n'
        'camera_matrix: {rows: 3, cols: 3, data: [202, 0, 410, 0, 202, 308, 0, 0, 1]}\n'
        f'distortion_coefficients: {{rows: 1, cols: {len(coefficients)}, data: {coefficients}}}\n{names}\n'
    )
    if model is not None and model.startswith('refused: '):
        with pytest.raises(RunError, match=model.removeprefix('refused: ')):
            read_camera_file(path, rectified=False)
        assert read_camera_file(path, rectified=True).lens is None
        return
    lens = read_camera_file(path, rectified=False).lens
    assert (lens and lens.model) == model
    if lens is not None:
        assert lens.coefficients == tuple(coefficients[: len(lens.coefficients)])
    assert read_camera_file(path, rectified=True).lens is None


@pytest.mark.parametrize(
    'line',
    ['image_width: -5', 'image_width: .inf', 'image_width: 1.0e+400', 'image_height: [3]', 'image_height: 99999999999'],
)
def test_calibration_files_with_impossible_sizes_are_refused(tmp_path, line):
    path = tmp_path / 'camera.yaml'
    matrix = 'camera_matrix: {rows: 3, cols: 3, data: [500, 0, 320, 0, 510, 240, 0, 0, 1]}'
    path.write_text(f'image_width: 640\nimage_height: 480\n{matrix}\n{line}\n')
    with pytest.raises(RunError, match=r'camera\.yaml'):
        read_camera_file(path, rectified=False)


def test_a_run_without_a_calibration_says_so(settings, images, capsys):
    run_offline(settings(images, Selection(end=0.15)))
    assert 'no usable calibration (--calibration FILE gives one); running uncalibrated' in capsys.readouterr().out


def test_a_recorded_calibration_that_is_refused_is_named_and_the_run_goes_on(settings, rendered, tmp_path, capsys):
    messages = recording(rendered[:2])
    for topic, _, message in messages:
        if topic == '/cam/camera_info':
            message.distortion_model, message.d = '', [0.1, 0.2, 0.3, 0.4]
    run_offline(settings(write_bag(tmp_path / 'bag', messages), detector=None))
    said = capsys.readouterr().out
    assert 'no distortion_model says which' in said and 'running uncalibrated' in said


def test_a_calibration_of_another_size_is_reported(settings, images, tmp_path, capsys):
    path = tmp_path / 'camera.yaml'
    path.write_text(
        'image_width: 640\nimage_height: 480\n'
        'camera_matrix: {rows: 3, cols: 3, data: [500, 0, 320, 0, 510, 240, 0, 0, 1]}\n'
    )
    run_offline(settings(images, Selection(end=0.15), calibration=path))
    said = capsys.readouterr().out
    assert 'calibration is for 640x480, images have 224x160; running uncalibrated' in said


def test_stamps_that_stand_still_are_skipped(settings, tmp_path, capsys, rendered):
    messages = recording(rendered[:2])
    image = next(item for item in messages if item[0] == '/cam/image_raw')
    again = (image[0], image[1] + 1000, image[2])
    run_offline(settings(write_bag(tmp_path / 'bag', [*messages[:3], again, *messages[3:]]), detector=None))
    assert 'stamp not increasing 1' in capsys.readouterr().out


def with_stamps(messages, stamps):
    """The recording with these stamps, ns, in the headers of its images and of what belongs to them."""
    stamp_of_index = {stamp_ns(index): stamp for index, stamp in enumerate(stamps)}
    for _, _, message in messages:
        own = message.header.stamp
        message.header.stamp = time_from_nanoseconds(stamp_of_index[own.sec * 1_000_000_000 + own.nanosec])
    return messages


@pytest.mark.parametrize('wrong', [0, 12_000_000_000 + 3_600_000_000_000, 1_000_000_000])
def test_a_lone_wrong_stamp_costs_one_image_of_a_recording(settings, tmp_path, capsys, rendered, wrong):
    stamps = [12_000_000_000 + index * 100_000_000 for index in range(5)]
    messages = with_stamps(recording(rendered[:5]), [*stamps[:2], wrong, *stamps[3:]])
    run = settings(write_bag(tmp_path / 'bag', messages), detector=None)
    assert run_offline(run) == 0
    said = capsys.readouterr().out
    assert 'skipped 1: stamp ' in said and 'unless the next image continues from there' in said
    assert {status.session_id for _, status in read_bag(run.out)['/hand3r/status']} == {1}
    assert len(read_bag(run.out)['/hand3r/hands']) == 4


def test_a_recording_without_stamps_is_served_by_the_times_of_recording(settings, tmp_path, capsys, rendered):
    messages = with_stamps(recording(rendered[:3]), [0, 0, 0])
    run = settings(write_bag(tmp_path / 'bag', messages), detector=None)
    assert run_offline(run) == 0
    assert 'note: images carry no stamp (0)' in capsys.readouterr().out
    for log_ns, hands in read_bag(run.out)['/hand3r/hands']:
        assert hands.header.stamp.sec * 1_000_000_000 + hands.header.stamp.nanosec == log_ns
        assert hands.hands  # boxes without stamp belong to the image that was recorded before them


def boxes_changed(messages, change):
    """The recording after ``change`` of each message with boxes."""
    for topic, _, message in messages:
        if topic == '/boxes':
            change(message)
    return messages


def test_boxes_that_no_image_has_the_stamp_of_are_told_with_the_difference(settings, tmp_path, capsys, rendered):
    def later(message):
        message.header.stamp.nanosec += 5_000_000

    run = settings(write_bag(tmp_path / 'bag', boxes_changed(recording(rendered[:2]), later)), detector=None)
    assert run_offline(run) == 0
    assert '2 images had no hand boxes: no boxes have the stamp of the image; the nearest are 5.000 ms later' in (
        capsys.readouterr().out
    )


def test_boxes_in_fractions_of_the_image_are_told(settings, tmp_path, capsys, rendered):
    def fractions(message):
        for box in (detection.bbox for detection in message.detections):
            box.center.position.x, box.center.position.y, box.size_x, box.size_y = 0.5, 0.5, 0.3, 0.3

    run = settings(write_bag(tmp_path / 'bag', boxes_changed(recording(rendered[:2]), fractions)), detector=None)
    assert run_offline(run) == 0
    said = capsys.readouterr().out
    assert 'hand boxes were left out, such as: box [0.35, 0.35, 0.65, 0.65]' in said and 'in fractions' in said


def test_class_ids_of_another_detector_are_given_by_parameters(settings, tmp_path, rendered):
    def numbered(message):
        for detection in message.detections:
            hypothesis = detection.results[0].hypothesis
            hypothesis.class_id = {'left': '0', 'right': '1'}[hypothesis.class_id]

    bag = write_bag(tmp_path / 'bag', boxes_changed(recording(rendered[:2]), numbered))
    run = settings(bag, detector=None, detections__left=['0'], detections__right=['1'])
    assert run_offline(run) == 0
    assert all(hands.hands for _, hands in read_bag(run.out)['/hand3r/hands'])


def test_frames_with_slashes_are_named_as_tf_names_them(settings, tmp_path, capsys, rendered):
    messages = recording(rendered[:2])
    for topic, _, message in messages:
        if topic == '/cam/image_raw':
            message.header.frame_id = '//cam//optical/'
    static = transform(0, '/base', '/cam/optical', np.eye(4))
    path = write_bag(tmp_path / 'bag', [('/tf_static', messages[0][1], static), *messages])
    run = settings(path, detector=None, base_frame='/base')
    assert run_offline(run) == 0
    found = read_bag(run.out)
    assert found['/hand3r/points'][0][1].header.frame_id == 'cam/optical'
    assert {t.child_frame_id for _, m in found['/tf'] for t in m.transforms} == {'base'}
    assert "header.frame_id '//cam//optical/' has slashes" in capsys.readouterr().out


def test_videos_keep_their_own_times_and_rate(tmp_path):
    path = tmp_path / 'clip.mp4'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 12.0, (64, 48))
    for number in range(6):
        writer.write(np.full((48, 64, 3), 20 * number, np.uint8))
    writer.release()
    found = [(image.stamp_ns, round(image.decode().mean() / 20)) for image in opened(path, tmp_path).images()]
    assert [level for _, level in found] == list(range(6))
    assert [stamp for stamp, _ in found] == pytest.approx([1e9 + i * 1e9 / 12 for i in range(6)], abs=2e6)
    slower = [image.stamp_ns for image in opened(path, tmp_path, fps=2.0).images()]
    assert slower == [1_000_000_000 + i * 500_000_000 for i in range(6)]
