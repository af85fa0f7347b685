"""Starts the hand3r node, and RViz when asked to.

Arguments that are left empty keep the value of the parameter file; all parameters are explained in config/hand3r.yaml.
"""

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from hand3r_ros.node.parameter_fields import specs_of
from hand3r_ros.node.parameters import NodeParameters

TEXT_PARAMETERS = (
    'preset',
    'weights_dir',
    'hand_model',
    'mano_dir',
    'device',
    'detector',
    'pose_source',
    'use_depth',
    'depth_transport',
    'translation',
    'world_frame',
    'base_frame',
    'image_transport',
)
RELIABILITY = ('best_effort', 'reliable')
SWITCH_PARAMETERS = ('rectified', 'mirrored_image', 'autostart', 'tf_hands')
SHOWN_TOPICS = (
    'map',
    'points',
    'markers',
    'camera_pose',
    'hands/left/wrist_pose',
    'hands/right/wrist_pose',
    'depth/image',
)
"""Of the node, in rviz/hand3r.rviz, which takes its name for hand3r."""
TOPICS = {
    'image': 'topic of the camera image',
    'camera_info': 'topic of its calibration',
    'detections': 'topic of hand boxes, for detector topic or auto',
    'depth': 'topic of measured depth that is registered to the image',
    'depth/camera_info': 'topic of its calibration, for depth that is not registered',
    'depth/compressedDepth': 'topic of depth with depth_transport compressedDepth',
}


def generate_launch_description() -> LaunchDescription:
    """Arguments, node and RViz."""
    share = FindPackageShare('hand3r_ros')
    rviz_file = PathJoinSubstitution([share, 'rviz', 'hand3r.rviz'])
    parameter_file = PathJoinSubstitution([share, 'config', 'hand3r.yaml'])
    return LaunchDescription(
        [
            DeclareLaunchArgument('params_file', default_value=parameter_file, description='YAML file of parameters'),
            DeclareLaunchArgument('namespace', default_value='', description='namespace of the node and its inputs'),
            DeclareLaunchArgument('name', default_value='hand3r', description='name of the node'),
            DeclareLaunchArgument('use_sim_time', default_value='false', description='take the time from /clock'),
            DeclareLaunchArgument('log_level', default_value='info', description='debug, info, warn, error or fatal'),
            DeclareLaunchArgument('rviz', default_value='false', description='start RViz with everything shown'),
            DeclareLaunchArgument('rviz_config', default_value=rviz_file, description='RViz configuration'),
            *(
                DeclareLaunchArgument(topic, default_value=topic, description=description)
                for topic, description in TOPICS.items()
            ),
            *(
                DeclareLaunchArgument(name, default_value='', description=described(name))
                for name in (*TEXT_PARAMETERS, *SWITCH_PARAMETERS)
            ),
            DeclareLaunchArgument(
                'image_reliability',
                default_value='',
                description='QoS of the image subscription: best_effort or reliable; empty: best_effort',
            ),
            OpaqueFunction(function=expand_home),
            OpaqueFunction(function=hand3r_node),
            OpaqueFunction(function=rviz, condition=IfCondition(LaunchConfiguration('rviz'))),
        ]
    )


def described(name: str) -> str:
    """What an argument that is a parameter means, as the node declares it."""
    (spec,) = (spec for spec in specs_of(NodeParameters) if spec.name == name)
    values = ' (true, false)' if name in SWITCH_PARAMETERS else ''
    return f'{spec.explanation}{values}; not given: as in params_file'


def rviz(context: LaunchContext) -> list[Node]:
    """RViz, with the topics of its configuration where image and node really are, and the world as fixed frame."""
    given = context.launch_configurations
    remappings = [('image', given['image'])]
    if given['name'] != 'hand3r':
        remappings += [(f'hand3r/{topic}', f'{given["name"]}/{topic}') for topic in SHOWN_TOPICS]
    world = ['-f', given['world_frame']] if given['world_frame'] else []
    return [
        Node(
            package='rviz2',
            executable='rviz2',
            namespace=given['namespace'],
            arguments=['-d', given['rviz_config'], *world],
            remappings=remappings,
            parameters=[{'use_sim_time': switch('use_sim_time', given['use_sim_time'])}],
        )
    ]


def expand_home(context: LaunchContext) -> None:
    """A leading ~ in the names of files, which no shell expands in ``params_file:=~/my.yaml``."""
    for name in ('params_file', 'rviz_config'):
        given = context.launch_configurations[name]
        context.launch_configurations[name] = str(Path(given).expanduser())


def hand3r_node(context: LaunchContext) -> list[Node]:
    """The node, with those parameters that were given on top of the file."""
    given = {name: context.launch_configurations[name] for name in (*TEXT_PARAMETERS, *SWITCH_PARAMETERS)}
    parameters = {name: switch(name, value) for name, value in given.items() if value}
    parameters['use_sim_time'] = switch('use_sim_time', context.launch_configurations['use_sim_time'])
    parameters.update(image_qos(context.launch_configurations))
    remappings = [(topic, LaunchConfiguration(topic)) for topic in TOPICS]
    # The compressed image is a topic of its own: it goes where its image goes.
    remappings.append(('image/compressed', [LaunchConfiguration('image'), '/compressed']))
    return [
        Node(
            package='hand3r_ros',
            executable='hand3r_node',
            name=LaunchConfiguration('name'),
            namespace=LaunchConfiguration('namespace'),
            parameters=[LaunchConfiguration('params_file'), parameters],
            remappings=remappings,
            arguments=['--ros-args', '--log-level', LaunchConfiguration('log_level')],
            output='screen',
            # The frame it works on is finished first, which takes a while on a busy machine.
            sigterm_timeout='20',
        )
    ]


def image_qos(given: dict) -> 'dict[str, str]':
    """The QoS override of the image topic, whose parameter carries the full name of the topic."""
    reliability = given['image_reliability']
    if not reliability:
        return {}
    if reliability not in RELIABILITY:
        raise ValueError(f'image_reliability must be one of {", ".join(RELIABILITY)}, got {reliability!r}')
    topic = given['image']
    if not topic.startswith('/'):
        namespace = given['namespace'].strip('/')
        topic = f'/{namespace}/{topic}' if namespace else f'/{topic}'
    return {f'qos_overrides.{name}.subscription.reliability': reliability for name in (topic, f'{topic}/compressed')}


def switch(name: str, value: str) -> 'str | bool':
    """A truth value for a parameter that is one, the text itself for others."""
    if name not in SWITCH_PARAMETERS and name != 'use_sim_time':
        return value
    if value.lower() not in ('true', 'false', '1', '0'):
        raise ValueError(f'{name} must be true or false, got {value!r}')
    return value.lower() in ('true', '1')
