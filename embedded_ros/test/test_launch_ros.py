"""Nodes in launch files: names, namespaces, parameters, remappings, lifecycle, packages."""

import sys
from pathlib import Path

import pytest
from ament_index_python.packages import PackageNotFoundError, get_package_share_path
from launch import LaunchContext, LaunchDescription, LaunchService
from launch.actions import SetLaunchConfiguration
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution, SubstitutionFailure
from launch_ros.actions import Node
from launch_ros.substitutions import ExecutableInPackage, FindPackageShare

TALK = (
    'import rclpy; rclpy.init(); '
    'node = rclpy.create_node("unnamed", automatically_declare_parameters_from_overrides=True); '
    'print(node.get_fully_qualified_name(), node.resolve_topic_name("image")); '
    'values = {p.name: p.value for p in node.get_parameters_by_prefix("").values()}; '
    'values.pop("start_type_description_service", None); '
    'print(sorted((name, list(v) if hasattr(v, "tolist") else v) for name, v in values.items())); '
    'node.destroy_node(); rclpy.shutdown()'
)


@pytest.fixture(autouse=True)
def log_folder(tmp_path, monkeypatch):
    monkeypatch.setenv('ROS_LOG_DIR', str(tmp_path / 'log'))


def run(*entities):
    service = LaunchService()
    service.include_launch_description(LaunchDescription(list(entities)))
    return service.run()


def talker(**options):
    program = f'import embedded_ros; embedded_ros.install(); {TALK}'
    return Node(executable=sys.executable, arguments=['-c', program], output='screen', exec_name='talker', **options)


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    from processes import PACKAGE_ROOT

    monkeypatch.setenv('PYTHONPATH', str(PACKAGE_ROOT))


def test_a_node_gets_name_namespace_remappings_and_typed_parameters(tmp_path, capfd):
    file = tmp_path / 'parameters.yaml'
    file.write_text('/**:\n  ros__parameters:\n    from_file: 3\n')
    dictionary = {
        'rate': LaunchConfiguration('rate'),
        'points': {'stride': 2, 'enabled': True},
        'use_sim_time': True,
        'text': 'five',
        'list': [1, 2.5],
    }
    assert (
        run(
            SetLaunchConfiguration('rate', '7.5'),
            talker(
                name='eye',
                namespace='robot/left',
                parameters=[str(file), dictionary],
                remappings=[('image', '/camera/image')],
            ),
        )
        == 0
    )
    output = capfd.readouterr().out
    assert '[talker-1] /robot/left/eye /camera/image' in output
    expected = [
        ('from_file', 3),
        ('list', [1.0, 2.5]),
        ('points.enabled', True),
        ('points.stride', 2),
        ('rate', 7.5),
        ('text', 'five'),
        ('use_sim_time', True),
    ]
    assert f'[talker-1] {expected}' in output


def test_without_settings_a_node_keeps_its_own_name(capfd):
    run(talker(), talker(namespace='/alone'))
    output = capfd.readouterr().out
    assert '[talker-1] /unnamed /image' in output
    assert '[talker-2] /alone/unnamed /alone/image' in output


@pytest.mark.parametrize(
    ('node', 'reason'),
    [
        (Node(package='no_such_package', executable='x'), "package 'no_such_package' not found"),
        (Node(package='hand3r_msgs', executable='x'), "executable 'x' not found in package 'hand3r_msgs'"),
        (Node(executable='true', parameters=['/no/such.yaml']), 'parameter file /no/such.yaml'),
        (Node(executable='true', parameters=[{'odd': [1, 'two']}]), "parameter 'odd'"),
    ],
)
def test_what_is_missing_or_wrong_is_named(node, reason, capfd):
    assert run(node) == 1
    assert reason in capfd.readouterr().out


def test_parameters_must_be_a_list():
    with pytest.raises(TypeError, match='must be a list'):
        Node(executable='true', parameters={'a': 1})


def test_packages_of_the_repository_are_found_by_their_package_xml():
    share = get_package_share_path('hand3r_ros')
    assert (share / 'package.xml').is_file()
    path = PathJoinSubstitution([FindPackageShare('hand3r_msgs'), 'msg', 'HandMesh.msg']).perform(LaunchContext())
    assert path.endswith('hand3r_msgs/msg/HandMesh.msg') and Path(path).is_file()
    with pytest.raises(PackageNotFoundError, match=r'nowhere.*hand3r_ros'):
        get_package_share_path('nowhere')
    with pytest.raises(SubstitutionFailure, match='nowhere'):
        ExecutableInPackage('a', 'nowhere').perform(LaunchContext())
