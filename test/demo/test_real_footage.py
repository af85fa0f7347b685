"""A real clip through the demo: MediaPipe finds the hand, messages come out, everything ends by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
from ros_domain import private_domain
from rosbags.highlevel import AnyReader

LAUNCH = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
arguments = [tuple(word.split(':=', 1)) for word in sys.argv[2:]]
demo = IncludeLaunchDescription(PythonLaunchDescriptionSource(sys.argv[1]), launch_arguments=arguments)
service = LaunchService()
service.include_launch_description(LaunchDescription([demo]))
sys.exit(service.run())
"""
ROOT = Path(__file__).parents[2]
IMAGES, RATE = 5, 1.0


def test_a_real_video_gives_messages_a_recording_and_a_picture(
    weights_dir: Path, real_footage: Path, tmp_path: Path
) -> None:
    results = tmp_path / 'results'
    arguments = {
        'video': real_footage / 'hand_waving.mp4',
        'weights_dir': weights_dir,
        'output_dir': results,
        'fps': RATE,
        'seconds': IMAGES / RATE,
    }
    words = [f'{name}:={value}' for name, value in arguments.items()]
    environment = {**os.environ, 'ROS_DOMAIN_ID': str(private_domain()), 'OMP_NUM_THREADS': '1'}
    ended = subprocess.run(
        [sys.executable, '-c', LAUNCH, str(ROOT / 'launch' / 'demo.launch.py'), *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=250,
    )
    output = ended.stdout + ended.stderr
    assert ended.returncode == 0, output
    assert 'process has died' not in output, output

    numbers = json.loads((results / 'summary.json').read_text())
    assert numbers['images'] == IMAGES
    assert numbers['results'] >= 2, output
    assert numbers['node']['rejected'] == 0
    assert numbers['accuracy'] is None  # nothing is known about a real video
    assert cv2.imread(str(results / 'picture.png')).std() > 20.0
    with AnyReader([results / 'recording']) as reader:
        arrays = [
            reader.deserialize(raw, connection.msgtype)
            for connection, _, raw in reader.messages()
            if connection.topic == '/hand3r/hands'
        ]
    hands = [hand for array in arrays for hand in array.hands]
    assert hands, 'MediaPipe found no hand in a clip that shows one in every image'
    assert all(hand.score > 0.5 and (hand.bbox[2:] > hand.bbox[:2]).all() for hand in hands)
