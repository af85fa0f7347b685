"""Use from Python without ROS: ``hand3r_ros.load`` and ``process``, as the README shows them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import hand3r_ros
from hand3r_ros.geometry import Intrinsics
from hand3r_ros.hand_model.unpickling import HandModelFileError
from hand3r_ros.network.checkpoints import save_network
from hand3r_ros.network.hand3r import Hand3R
from hand3r_ros.network.presets import preset
from hand3r_ros.online.errors import FrameRejected
from hand3r_ros.online.reconstructor import OnlineReconstructor
from hand3r_ros.online.results import ArticulationSource, CameraFrame, FrameResult, TrackingState

ROOT = Path(__file__).parents[1]
HAND = ROOT / 'test' / 'network' / 'data' / 'landmarks' / 'hand_0.png'


def section() -> str:
    readme = (ROOT / 'README.md').read_text()
    return readme.split('## Without ROS, from Python')[1].split('\n## ')[0]


def shapes(table: str) -> dict[str, str]:
    """Names and shapes of one table of the section, as they are written there."""
    found = {}
    for names, values in re.findall(r'^\| (`.*?) \| (\(.*?) \|', table, re.MULTILINE):
        found |= dict(zip(re.findall(r'`(\w+)`', names), re.findall(r'\([^)]*\)', values), strict=True))
    return found


def photo() -> np.ndarray:
    """(480, 640, 3) BGR: a hand in front of grey, as small as hands are in the images of a camera."""
    image = np.full((480, 640, 3), 128, np.uint8)
    hand = cv2.resize(cv2.imread(str(HAND)), (300, 300), interpolation=cv2.INTER_AREA)
    image[90:390, 170:470] = hand
    return image


@pytest.fixture(scope='module')
def reconstructor() -> OnlineReconstructor:
    return hand3r_ros.load('tiny', 'cpu')


@pytest.fixture(scope='module')
def readme_result(tmp_path_factory: pytest.TempPathFactory) -> FrameResult:
    """What the lines of the README leave behind, run beside a video of a hand."""
    folder = tmp_path_factory.mktemp('readme')
    writer = cv2.VideoWriter(str(folder / 'clip.mp4'), cv2.VideoWriter_fourcc(*'mp4v'), 20.0, (640, 480))
    for _ in range(3):
        writer.write(photo())
    writer.release()
    (code,) = re.findall(r'```python\n(.*?)```', section(), re.DOTALL)
    names: dict[str, object] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(code, names)
    result = names['result']
    assert isinstance(result, FrameResult)
    return result


def test_the_lines_of_the_readme_reconstruct_every_image_of_a_clip(readme_result: FrameResult) -> None:
    assert (readme_result.frame_index, readme_result.session_id) == (2, 1)
    assert readme_result.stamp_ns == pytest.approx(10**8, abs=2 * 10**6)
    assert readme_result.state == TrackingState.UNCALIBRATED
    (hand,) = readme_result.hands
    assert hand.articulation == ArticulationSource.LANDMARKS


def test_what_comes_back_has_the_shapes_that_the_readme_says(readme_result: FrameResult) -> None:
    of_frame, of_hand = (shapes(table) for table in section().split('| of each of')[:2])
    assert {'T_world_camera', 'points_camera', 'hand_mask'} <= set(of_frame) and {'betas', 'hand_pose'} <= set(of_hand)
    height, width = readme_result.confidence.shape
    for thing, expected in ((readme_result, of_frame), (readme_result.hands[0], of_hand)):
        for name, shape in expected.items():
            numbers = shape.replace('h', str(height)).replace('w', str(width))
            assert str(getattr(thing, name).shape) == numbers, name


def test_an_image_with_stamp_and_intrinsics_is_the_same_as_a_camera_frame(reconstructor: OnlineReconstructor) -> None:
    image = np.ascontiguousarray(photo()[..., ::-1])
    camera = Intrinsics.from_field_of_view(60.0, 640, 480)
    found = reconstructor.process(image, 12.25, intrinsics=camera)
    reconstructor.reset('once more')
    expected = reconstructor.process(CameraFrame(image, 12_250_000_000, camera))
    assert found.stamp_ns == expected.stamp_ns and found.state == expected.state == TrackingState.OK
    assert np.array_equal(found.hands[0].vertices_world, expected.hands[0].vertices_world)
    assert np.array_equal(found.points_camera, expected.points_camera)


@pytest.mark.parametrize('stamp', [float('nan'), float('inf'), 1_760_000_000_000_000_000, '1.0', True])
def test_a_stamp_that_is_no_time_in_seconds_is_refused_by_name(
    reconstructor: OnlineReconstructor, stamp: object
) -> None:
    refused = reconstructor.refused_frames
    with pytest.raises(FrameRejected, match='stamp must be in seconds'):
        reconstructor.process(photo(), stamp)  # type: ignore[call-overload]
    assert reconstructor.refused_frames == refused + 1


def test_an_image_without_a_stamp_and_a_frame_with_a_second_one_are_mistakes(
    reconstructor: OnlineReconstructor,
) -> None:
    with pytest.raises(TypeError, match='needs the stamp'):
        reconstructor.process(photo())  # type: ignore[call-overload]
    with pytest.raises(TypeError, match='CameraFrame has its own stamp'):
        reconstructor.process(CameraFrame(photo(), 0), 0.0)  # type: ignore[call-overload]


def test_settings_are_those_of_the_reconstructor_and_unknown_ones_are_named() -> None:
    assert hand3r_ros.load(device='cpu', pose_source='network', max_hands=1).config.max_hands == 1
    with pytest.raises(TypeError, match=r'no setting max_hand; known are .*max_hands'):
        hand3r_ros.load(max_hand=1)
    with pytest.raises(ValueError, match='huge'):
        hand3r_ros.load('huge')


def test_the_hand_model_is_the_one_that_the_weights_were_trained_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv('HAND3R_WEIGHTS', raising=False)
    save_network(tmp_path / 'tiny.safetensors', Hand3R(preset('tiny')), {'preset': 'tiny', 'hand_model': 'mano'})
    with pytest.raises(HandModelFileError, match='MANO_RIGHT'):
        hand3r_ros.load('tiny', 'cpu', weights_dir=tmp_path)


def test_importing_the_package_loads_neither_torch_nor_ros() -> None:
    code = "import sys, hand3r_ros; print(*sorted({'torch', 'cv2', 'scipy', 'rclpy', 'numpy'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert ran.stdout.split() == []
