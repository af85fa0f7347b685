"""The demo: a camera that plays a rendered scene or a video, the hand3r node, a recorder and a monitor that sums up.

Arguments of hand3r.launch.py (weights_dir, device, pose_source, ...) may be given too. Results lie in output_dir.
"""

import datetime
import os
import shutil
import sys
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    Shutdown,
)
from launch.event_handlers import OnProcessExit
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from hand3r_ros.node.parameter_fields import specs_of
from hand3r_ros.node.parameters import NodeParameters

PACKAGE = 'hand3r_ros'
RECORDED = (
    'image/compressed',
    'camera_info',
    'detections',
    'ground_truth/hands',
    'ground_truth/camera_pose',
    'hand3r/hands',
    'hand3r/hands/left/wrist_pose',
    'hand3r/hands/right/wrist_pose',
    'hand3r/hand_topology',
    'hand3r/camera_pose',
    'hand3r/points',
    'hand3r/map',
    'hand3r/markers',
    'hand3r/status',
)
RECORDED_EVERYWHERE = ('/tf', '/tf_static', '/diagnostics')
# These distributions know recorded topics as positional arguments only.
WITHOUT_TOPICS_OPTION = ('humble', 'iron')


def generate_launch_description() -> LaunchDescription:
    """Arguments and processes."""
    now = datetime.datetime.now().strftime('%Y-%m-%d_%H-%M-%S')
    arguments = {
        'video': ('', 'video, image or folder of images to play; empty: a rendered scene with ground truth'),
        'seconds': ('20', 'length of the stream; 0: all of the video'),
        'fps': ('5', 'images per second'),
        'width': ('640', 'width of rendered images, px'),
        'height': ('480', 'height of rendered images, px'),
        'seed': ('200000021', 'seed of the rendered scene; 200000000 to 299999999 were never trained on'),
        'scene_camera': ('mixed', 'view of the rendered scene: egocentric, third_person or mixed'),
        'scene_hands': ('both', 'hands of the rendered scene: none, left, right, both or mixed'),
        'intrinsics': ('[0.0, 0.0, 0.0, 0.0]', 'fx, fy, cx, cy of the video, px; zeros: unknown'),
        'output_dir': (str(Path('out') / 'demo' / now), 'folder for the results'),
        'record': ('true', 'record everything into output_dir/recording (MCAP)'),
        'view': ('false', 'show it live in a browser; then the launch stays until Ctrl-C'),
        'stay': ('false', 'stay until Ctrl-C when the stream is over'),
        'view_port': ('8080', 'port of the live view, on this machine only'),
        'detector': ('', 'where hand boxes come from; empty: true boxes of rendered scenes, auto for videos'),
        'pose_source': (NodeParameters.pose_source, described('pose_source')),
        'namespace': ('', 'namespace of everything'),
    }
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=default, description=description)
                for name, (default, description) in arguments.items()
            ),
            OpaqueFunction(function=demo),
        ]
    )


def described(name: str) -> str:
    """What an argument that is a parameter of the node means, as the node declares it."""
    (spec,) = (spec for spec in specs_of(NodeParameters) if spec.name == name)
    return spec.explanation


def demo(context: LaunchContext) -> list:
    """All processes of the demo, with the arguments as they were given."""
    given = context.launch_configurations
    output = Path(given['output_dir']).expanduser().absolute()
    recording = output / 'recording'
    if recording.exists():
        raise RuntimeError(f'{recording} exists already: give another output_dir')
    output.mkdir(parents=True, exist_ok=True)
    record, view = is_true(given, 'record'), is_true(given, 'view')
    processes = [hand3r(given), camera(given, record, view), monitor(given, recording if record else None, view)]
    if record:
        processes.append(recorder(given, recording))
    if view:
        processes.append(viewer(given))
    return [*processes, RegisterEventHandler(OnProcessExit(on_exit=end_with_the_node))]


def hand3r(given: dict) -> IncludeLaunchDescription:
    """The node, with a reliable image subscription: at the usual buffer sizes others lose images of this size."""
    source = PathJoinSubstitution([FindPackageShare(PACKAGE), 'launch', 'hand3r.launch.py'])
    detector = given['detector'] or ('auto' if given['video'] else 'topic')
    return IncludeLaunchDescription(
        PythonLaunchDescriptionSource(source),
        launch_arguments={'image_reliability': 'reliable', 'detector': detector}.items(),
    )


def camera(given: dict, record: bool, view: bool) -> Node:
    """The camera: a video player or a rendered scene; it begins when node, monitor, recorder and viewer listen."""
    fps = number(given, 'fps')
    video = str(Path(given['video']).expanduser().absolute()) if given['video'] else ''
    parameters = {
        'fps': fps,
        'frames': round(number(given, 'seconds') * fps),
        'compressed': record,
        'wait_for_subscribers': 3 if view else 2,
        'wait_for_recorder': record,
    }
    if video:
        intrinsics = [float(value) for value in given['intrinsics'].strip('[] ').split(',')]
        played = {'source': video, 'intrinsics': intrinsics, 'read_ahead': 20}
        return demo_node('camera_player', given, {**parameters, **played})
    scene = {
        'width': int(number(given, 'width')),
        'height': int(number(given, 'height')),
        'seed': int(number(given, 'seed')),
        'camera': given['scene_camera'],
        'hands': given['scene_hands'],
        'read_ahead': 200,
    }
    return demo_node('rendered_camera', given, {**parameters, **scene})


def monitor(given: dict, recording: 'Path | None', view: bool) -> Node:
    """The monitor; the demo ends with it, unless it is to stay, as for the live view."""
    source = Path(given['video']).name if given['video'] else f'rendered scene {given["seed"]}'
    stay = view or is_true(given, 'stay')
    ending = LogInfo(msg='the node stays until Ctrl-C') if stay else Shutdown(reason='the demo is over')
    return demo_node(
        'demo_monitor',
        given,
        {
            'output_dir': str(Path(given['output_dir']).expanduser().absolute()),
            'recording': '' if recording is None else str(recording),
            'player': 'camera_player' if given['video'] else 'rendered_camera',
            'title': source,
            'mirrored_image': is_mirrored(given),
        },
        on_exit=[ending],
    )


def viewer(given: dict) -> Node:
    """The live view in the browser."""
    parameters = {'port': int(number(given, 'view_port')), 'mirrored_image': is_mirrored(given)}
    return demo_node('live_viewer', given, parameters)


def recorder(given: dict, recording: Path) -> ExecuteProcess:
    """``ros2 bag record`` of inputs, outputs and ground truth."""
    prefix = '/' + given['namespace'].strip('/')
    topics = [f'{prefix.rstrip("/")}/{topic}' for topic in RECORDED] + list(RECORDED_EVERYWHERE)
    option = [] if os.environ.get('ROS_DISTRO') in WITHOUT_TOPICS_OPTION else ['--topics']
    # A virtual environment that is not activated has the command beside its interpreter.
    ros2 = shutil.which('ros2') or str(Path(sys.executable).with_name('ros2'))
    command = [ros2, 'bag', 'record', '-s', 'mcap', '-o', str(recording), *option, *topics]
    return ExecuteProcess(cmd=command, name='recorder', output='screen', sigterm_timeout='15')


def demo_node(executable: str, given: dict, parameters: dict, **options: object) -> Node:
    """One of the demo's own nodes, named like its executable."""
    return Node(
        package=PACKAGE,
        executable=executable,
        name=executable,
        namespace=LaunchConfiguration('namespace'),
        parameters=[parameters],
        output='screen',
        emulate_tty=False,
        sigterm_timeout='15',
        **options,
    )


def end_with_the_node(event: object, context: LaunchContext) -> 'Shutdown | None':
    """Without camera or node there is nothing to wait for."""
    name, code = str(getattr(event, 'process_name', '')), getattr(event, 'returncode', 0)
    if code == 0 or context.is_shutdown or not name.startswith(('hand3r_node', 'camera_player', 'rendered_camera')):
        return None
    return Shutdown(reason=f'{name} ended with exit code {code}: see its messages above')


def is_mirrored(given: dict) -> bool:
    """Whether the node was told so; an argument of hand3r.launch.py."""
    return bool(given.get('mirrored_image')) and is_true(given, 'mirrored_image')


def is_true(given: dict, name: str) -> bool:
    """The truth value of an argument."""
    if given[name].lower() not in ('true', 'false', '1', '0'):
        raise RuntimeError(f'{name} must be true or false, got {given[name]!r}')
    return given[name].lower() in ('true', '1')


def number(given: dict, name: str) -> float:
    """The number in an argument."""
    try:
        return float(given[name])
    except ValueError:
        raise RuntimeError(f'{name} must be a number, got {given[name]!r}') from None
