"""Where the subset is active, where it is not, and what it leaves behind."""

import subprocess
import sys
import sysconfig
from pathlib import Path

from processes import PACKAGE_ROOT, environment, needs_embedded_rclpy

needs_embedded_rclpy('where it is active')

INSTALL = 'import embedded_ros; print(embedded_ros.install())\n'


def run(code, cwd, **changes):
    return subprocess.run(
        [sys.executable, '-S', '-c', code] if changes.pop('isolated', False) else [sys.executable, '-c', code],
        cwd=cwd,
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=60,
    )


def fake_ros(folder, *packages):
    for package in packages:
        (folder / package).mkdir(parents=True)
        (folder / package / '__init__.py').write_text(f'REAL = "{package}"\n')


def test_real_ros_always_wins(tmp_path):
    fake_ros(tmp_path, 'rclpy')
    code = INSTALL + 'import rclpy; print(rclpy.REAL)\ntry:\n  import tf2_ros\nexcept ImportError: print("none")'
    result = run(code, tmp_path, PYTHONPATH=f'{tmp_path}:{PACKAGE_ROOT}')
    assert result.stdout.split() == ['False', 'rclpy', 'none'], result.stderr


def test_real_ros_found_after_activation_wins_too(tmp_path):
    fake_ros(tmp_path / 'late', 'rclpy')
    code = (
        INSTALL
        + f'import sys; sys.path.insert(0, {str(tmp_path / "late")!r})\n'
        + 'import rclpy; print(rclpy.REAL)\ntry:\n  import std_msgs\nexcept ImportError: print("none")'
    )
    assert run(code, tmp_path).stdout.split() == ['True', 'rclpy', 'none']


def test_other_installed_packages_win(tmp_path):
    fake_ros(tmp_path, 'cv_bridge')
    result = run(INSTALL + 'import cv_bridge; print(cv_bridge.REAL)', tmp_path, PYTHONPATH=f'{tmp_path}:{PACKAGE_ROOT}')
    assert result.stdout.split() == ['True', 'cv_bridge'], result.stderr


def test_message_source_folder_does_not_hide_the_messages():
    code = INSTALL + 'from hand3r_msgs.msg import HandMesh; print(HandMesh.LEFT)'
    assert run(code, PACKAGE_ROOT.parent).stdout.split() == ['True', '0']


def test_missing_modules_stay_missing(tmp_path):
    code = INSTALL + (
        'for name in ("nowhere", "nowhere_msgs", "std_msgs.action", "rclpy.nowhere"):\n'
        '  try: __import__(name)\n'
        '  except ModuleNotFoundError: print("missing")'
    )
    assert run(code, tmp_path).stdout.split() == ['True'] + ['missing'] * 4


def test_further_message_packages_are_found_on_the_interface_path(tmp_path):
    (tmp_path / 'my_msgs' / 'msg').mkdir(parents=True)
    (tmp_path / 'my_msgs' / 'package.xml').write_text('<package><name>my_msgs</name></package>')
    (tmp_path / 'my_msgs' / 'msg' / 'Pair.msg').write_text('std_msgs/Header header\nint32[2] values\n')
    code = INSTALL + 'from my_msgs.msg import Pair; print(Pair().values.tolist())'
    result = run(code, '/', EMBEDDED_ROS_INTERFACE_PATH=str(tmp_path / 'my_msgs'))
    assert result.stdout == 'True\n[0, 0]\n', result.stderr


def test_activation_writes_two_files_and_removes_them(tmp_path):
    subprocess.run([sys.executable, '-m', 'venv', '--without-pip', str(tmp_path / 'venv')], check=True, timeout=120)
    python = tmp_path / 'venv' / 'bin' / 'python'
    libraries = tmp_path / 'venv' / 'lib' / f'python{sysconfig.get_python_version()}' / 'site-packages'
    script = [str(python), str(PACKAGE_ROOT / 'activate.py')]

    subprocess.run(script, check=True, capture_output=True, timeout=60)
    written = {path.name for path in libraries.iterdir()}
    assert written == {'hand3r_embedded_ros.pth'}
    assert (tmp_path / 'venv' / 'bin' / 'ros2').stat().st_mode & 0o111
    code = 'import importlib.util as u; print(u.find_spec("rclpy") is not None, u.find_spec("std_srvs") is not None)'
    found = subprocess.run([str(python), '-c', code], capture_output=True, text=True, timeout=60, cwd='/')
    assert found.stdout.split() == ['True', 'True'], found.stderr

    subprocess.run([*script, '--remove'], check=True, capture_output=True, timeout=60)
    assert not list(libraries.iterdir()) and not (tmp_path / 'venv' / 'bin' / 'ros2').exists()


def test_nothing_named_like_ros_is_in_site_packages():
    libraries = Path(sysconfig.get_path('purelib'))
    assert not [path for path in libraries.glob('rclpy*') if path.suffix != '.dist-info']
