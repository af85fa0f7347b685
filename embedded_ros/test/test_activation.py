"""Where the subset is active, where it is not, and what it leaves behind."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
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


@pytest.mark.parametrize('editable', [True, False], ids=['editable', 'copied'])
def test_pip_installs_the_distribution_and_takes_it_away_without_a_trace(tmp_path, editable):
    venv = tmp_path / 'venv'
    subprocess.run([sys.executable, '-m', 'venv', '--without-pip', str(venv)], check=True, timeout=120)
    libraries = venv / 'lib' / f'python{sysconfig.get_python_version()}' / 'site-packages'
    before = {path for path in venv.rglob('*') if not path.is_dir()}
    source = tmp_path / 'embedded_ros'
    shutil.copytree(PACKAGE_ROOT, source, ignore=shutil.ignore_patterns('build', '*.egg-info', '__pycache__'))
    pip = [sys.executable, '-m', 'pip', '--disable-pip-version-check']
    options = ['--ignore-installed', '--no-deps', '--no-build-isolation', '--prefix', str(venv)]
    installed = subprocess.run(
        [*pip, 'install', *options, *(['-e'] if editable else []), str(source)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert installed.returncode == 0, installed.stderr
    assert not list(libraries.glob('rclpy*'))
    assert (venv / 'bin' / 'ros2').stat().st_mode & 0o111

    code = (
        'import importlib.util as u, std_srvs.srv; print(std_srvs.srv.__spec__.origin)\n'
        'print(*(u.find_spec(name).origin for name in ("rclpy", "tf2_ros", "ament_index_python")), sep="\\n")'
    )
    python = str(venv / 'bin' / 'python')
    dependencies = sysconfig.get_path('purelib')
    found = subprocess.run(
        [python, '-c', f'import sys; sys.path.append({dependencies!r})\n{code}'],
        capture_output=True,
        text=True,
        timeout=60,
        cwd='/',
    )
    definitions, *packages = found.stdout.splitlines()
    assert definitions == 'embedded_ros definitions', found.stderr
    home = source if editable else libraries / 'embedded_ros'
    assert len(packages) == 3 and all(package.startswith(f'{home}/api/') for package in packages), packages

    subprocess.run([*pip, '--python', python, 'uninstall', '-y', 'hand3r_embedded_ros'], check=True, timeout=120)
    assert {path for path in venv.rglob('*') if not path.is_dir()} == before


def test_nothing_named_like_ros_is_in_site_packages():
    libraries = Path(sysconfig.get_path('purelib'))
    assert not [path for path in libraries.glob('rclpy*') if path.suffix != '.dist-info']
