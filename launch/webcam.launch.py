"""One's own hands, live: a camera of this machine, the hand3r node and a live view in the browser.

The camera is driven by usb_cam or v4l2_camera where one of them is installed, else by the camera player of this
package, through OpenCV. Arguments of hand3r.launch.py (params_file, device, detector, mirrored_image, ...) may be given
too; the camera is named by ``camera``, because ``device`` is what the network runs on.
"""

from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
    Shutdown,
)
from launch.event_handlers import OnProcessExit
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

PACKAGE = 'hand3r_ros'
DRIVERS = {'usb_cam': 'usb_cam_node_exe', 'v4l2_camera': 'v4l2_camera_node'}
"""Package and executable of camera drivers that take ``video_device``, the preferred one first."""
PLAYER = 'player'
FRAME = 'camera_optical_frame'


def generate_launch_description() -> LaunchDescription:
    """Arguments and processes."""
    arguments = {
        'camera': ('/dev/video0', 'the camera: a device, or its number'),
        'driver': ('auto', f'auto, {", ".join(DRIVERS)} or {PLAYER} (OpenCV)'),
        'intrinsics': ('[0.0, 0.0, 0.0, 0.0]', 'fx, fy, cx, cy in px for the player; zeros: unknown, estimated'),
        'view': ('true', 'show it live in a browser'),
        'view_port': ('8080', 'port of the live view, on this machine only'),
        'namespace': ('', 'namespace of everything'),
    }
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=default, description=description)
                for name, (default, description) in arguments.items()
            ),
            OpaqueFunction(function=webcam),
        ]
    )


def webcam(context: LaunchContext) -> list:
    """All processes, with the arguments as they were given."""
    given = context.launch_configurations
    driver = chosen_driver(given['driver'])
    processes = [camera(given, driver), hand3r(driver)]
    if is_true(given, 'view'):
        mirrored = bool(given.get('mirrored_image')) and is_true(given, 'mirrored_image')
        parameters = {'port': int(given['view_port']), 'mirrored_image': mirrored}
        processes.append(
            Node(
                package=PACKAGE,
                executable='live_viewer',
                name='live_viewer',
                namespace=given['namespace'],
                parameters=[parameters],
                output='screen',
            )
        )
    return [*processes, RegisterEventHandler(OnProcessExit(on_exit=end_with_the_camera))]


def camera(given: dict, package: str) -> Node:
    """The camera's driver, or the player; publishes image and camera_info."""
    device = camera_device(given['camera'])
    common = {'namespace': given['namespace'], 'output': 'screen', 'sigterm_timeout': '15'}
    if package == PLAYER:
        parameters = {
            'source': device,
            'fps': 0.0,
            'frames': 0,
            'intrinsics': [float(value) for value in given['intrinsics'].strip('[] ').split(',')],
            'frame_id': FRAME,
            'wait_timeout': 0.0,
            'start_delay': 0.0,
        }
        return Node(package=PACKAGE, executable='camera_player', name='webcam', parameters=[parameters], **common)
    parameters = {'video_device': device, 'frame_id': FRAME, 'camera_frame_id': FRAME}
    return Node(
        package=package,
        executable=DRIVERS[package],
        name='webcam',
        parameters=[parameters],
        remappings=[('image_raw', 'image'), ('image_raw/compressed', 'image/compressed')],
        **common,
    )


def hand3r(driver: str) -> IncludeLaunchDescription:
    """The node, which takes the arguments of this launch file as its own."""
    # Large images get lost with the usual buffers, but what drivers publish best effort no reliable subscription gets.
    reliability = 'reliable' if driver == PLAYER else 'best_effort'
    source = PathJoinSubstitution([FindPackageShare(PACKAGE), 'launch', 'hand3r.launch.py'])
    return IncludeLaunchDescription(
        PythonLaunchDescriptionSource(source), launch_arguments={'image_reliability': reliability}.items()
    )


def camera_device(camera: str) -> str:
    """The device of a camera; RuntimeError without one, before anything is started."""
    path = Path(f'/dev/video{int(camera)}' if camera.isdecimal() else camera).expanduser()
    if path.exists():
        return str(path)
    there = ', '.join(sorted(map(str, Path('/dev').glob('video*'))))
    advice = f'name one of {there} (camera:=...)' if there else 'none is connected, or none passed into this container'
    raise RuntimeError(
        f'there is no camera {path}: {advice}. For a camera with a driver of its own start hand3r.launch.py with '
        'image:=/its/image_raw camera_info:=/its/camera_info'
    )


def chosen_driver(driver: str) -> str:
    """Package of the driver that is asked for; 'auto': the first one that is installed, else the player."""
    if driver not in ('auto', PLAYER, *DRIVERS):
        raise RuntimeError(f'driver must be one of auto, {", ".join(DRIVERS)}, {PLAYER}, got {driver!r}')
    if driver == 'auto':
        return next((package for package in DRIVERS if is_installed(package)), PLAYER)
    if driver != PLAYER and not is_installed(driver):
        raise RuntimeError(f'the package {driver} is not installed: take another driver, or leave driver out')
    return driver


def is_installed(package: str) -> bool:
    """Whether ROS finds a package."""
    try:
        get_package_share_directory(package)
    except PackageNotFoundError:
        return False
    return True


def end_with_the_camera(event: object, context: LaunchContext) -> 'Shutdown | None':
    """Without camera or node there is nothing to see."""
    name, code = str(getattr(event, 'process_name', '')), getattr(event, 'returncode', 0)
    if context.is_shutdown or not name.startswith(('hand3r_node', 'camera_player', *DRIVERS.values())):
        return None
    return Shutdown(reason=f'{name} ended with exit code {code}: see its messages above')


def is_true(given: dict, name: str) -> bool:
    """The truth value of an argument."""
    if given[name].lower() not in ('true', 'false', '1', '0'):
        raise RuntimeError(f'{name} must be true or false, got {given[name]!r}')
    return given[name].lower() in ('true', '1')
