"""The repository is exactly two ROS packages, and what they declare agrees with what the code needs."""

import ast
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_colcon_finds_exactly_the_two_packages():
    colcon = shutil.which('colcon', path=str(Path(sys.executable).parent)) or shutil.which('colcon')
    if colcon is None:
        pytest.skip('colcon is not installed (requirements-test.txt names it)')
    listed = subprocess.run([colcon, 'list'], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True).stdout
    assert sorted(tuple(line.split('\t')) for line in listed.splitlines()) == [
        ('hand3r_msgs', 'hand3r_msgs', '(ros.ament_cmake)'),
        ('hand3r_ros', '.', '(ros.ament_python)'),
    ]


def declared(tag: str) -> set[str]:
    return {element.text or '' for element in ElementTree.parse(ROOT / 'package.xml').getroot().iter(tag)}


def imported_top_level_names(folder: Path) -> set[str]:
    names = set()
    for file in folder.rglob('*.py'):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split('.')[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names.add(node.module.split('.')[0])
    return names


def test_every_ros_package_that_is_imported_is_declared():
    ros = {
        name
        for folder in ('hand3r_ros', 'hand3r_lab', 'launch')
        for name in imported_top_level_names(ROOT / folder)
        if name.endswith(('_msgs', '_srvs', '_interfaces')) or name in RECOGNISED
    }
    assert ros - {'ament_index_python'} <= declared('exec_depend')


RECOGNISED = {
    'rclpy',
    'cv_bridge',
    'tf2_ros',
    'message_filters',
    'diagnostic_updater',
    'launch',
    'launch_ros',
}


def test_the_package_declares_launch_testing_for_its_tests():
    assert 'launch_testing' in declared('test_depend')


def test_only_the_node_room_imports_rclpy():
    for folder in (path for path in (ROOT / 'hand3r_ros').iterdir() if path.is_dir() and path.name != 'node'):
        assert 'rclpy' not in imported_top_level_names(folder), folder


def test_what_a_robot_runs_knows_nothing_of_the_lab():
    assert 'hand3r_lab' not in imported_top_level_names(ROOT / 'hand3r_ros')


ROOMS = (
    'settings',
    'geometry',
    'hand_model',
    'network',
    'checkpoints',
    'online',
    'node',
    'offline',
)
"""From the ground up. A room may import those before it."""


@pytest.mark.parametrize('room', ROOMS)
def test_the_layers_point_one_way(room):
    above = set(ROOMS[ROOMS.index(room) + 1 :])
    files = [ROOT / 'hand3r_ros' / f'{room}.py', *(ROOT / 'hand3r_ros' / room).rglob('*.py')]
    for file in (file for file in files if file.is_file()):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith('hand3r_ros.'):
                assert node.module.split('.')[1] not in above, f'{file}: imports {node.module}'


def test_a_node_that_starts_loads_nothing_of_the_lab_and_nothing_that_only_draws():
    code = (
        'import sys; import hand3r_ros.node.hand3r_node; '
        "print(*sorted({name.split('.')[0] for name in sys.modules} & "
        "{'hand3r_lab', 'matplotlib', 'viser'}))"
    )
    ran = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT, timeout=120, check=True
    )
    assert ran.stdout.split() == []


def test_the_table_of_settings_is_there_without_torch():
    code = "import sys; import hand3r_ros.node.parameters; print({'torch', 'numpy', 'cv2', 'rclpy'} & set(sys.modules))"
    ran = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT, timeout=120, check=True
    )
    assert ran.stdout.strip() == 'set()', 'launch files and --help read it'


def test_versions_agree():
    versions = {
        ElementTree.parse(ROOT / folder / 'package.xml').getroot().findtext('version')
        for folder in ('.', 'hand3r_msgs')
    }
    from hand3r_ros import __version__

    assert versions == {__version__}


@pytest.mark.parametrize('script', ['scripts/demo', 'scripts/webcam', 'scripts/test', '.ci/run'])
def test_scripts_are_executable_and_parse(script):
    path = ROOT / script
    assert path.stat().st_mode & 0o111, f'{script} is not executable'
    subprocess.run(['bash', '-n', str(path)], check=True)
