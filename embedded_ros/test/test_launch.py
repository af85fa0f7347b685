"""Launch files with real processes: arguments, scopes, events, output and ending."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from launch import LaunchDescription, LaunchService
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
    SetLaunchConfiguration,
    Shutdown,
)
from launch.conditions import IfCondition, UnlessCondition
from launch.event_handlers import OnProcessExit, OnProcessIO, OnProcessStart, OnShutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

STUBBORN = (
    'import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); '
    'signal.signal(signal.SIGTERM, signal.SIG_IGN); print("ready", flush=True); time.sleep(60)'
)


@pytest.fixture(autouse=True)
def log_folder(tmp_path, monkeypatch):
    monkeypatch.setenv('ROS_LOG_DIR', str(tmp_path / 'log'))
    return tmp_path / 'log'


def run(*entities):
    service = LaunchService()
    service.include_launch_description(LaunchDescription(list(entities)))
    return service.run()


def python(program, **options):
    return ExecuteProcess(cmd=[sys.executable, '-c', program], **{'output': 'screen', 'name': 'child', **options})


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_shows_each_line_with_the_name_of_its_process(capfd):
    program = 'import sys; print("one"); print("two", end=""); print("three", file=sys.stderr)'
    assert run(python(program), python('print("four")', name='other')) == 0
    lines = capfd.readouterr().out.splitlines()
    assert {'[child-1] one', '[child-1] two', '[child-1] three', '[other-2] four'} <= set(lines)
    assert any('process has finished cleanly' in line for line in lines)


def test_output_log_goes_to_the_log_file(capfd, log_folder):
    run(python('print("quiet words")', output='log'))
    assert 'quiet words' not in capfd.readouterr().out
    (log,) = log_folder.glob('*/launch.log')
    assert '[child-1] quiet words' in log.read_text()


def test_a_log_folder_that_cannot_be_written_is_no_reason_to_stop(capfd, tmp_path, monkeypatch):
    (tmp_path / 'file').write_text('')
    monkeypatch.setenv('ROS_LOG_DIR', str(tmp_path / 'file' / 'log'))
    monkeypatch.setenv('TMPDIR', str(tmp_path))
    assert run(python('print("goes on")')) == 0
    output = capfd.readouterr().out
    assert f'cannot write logs to {tmp_path}/file/log' in output
    assert 'goes on' in output


def test_a_failed_process_is_reported_and_the_rest_goes_on(capfd):
    assert run(python('raise SystemExit(7)'), python('print("still here")', name='other')) == 0
    output = capfd.readouterr().out
    assert '[ERROR] [child-1]: process has died' in output
    assert 'exit code 7' in output
    assert 'still here' in output


def test_arguments_have_defaults_conditions_and_choices(capfd):
    mode = DeclareLaunchArgument('mode', default_value='fast', choices=['fast', 'slow'])
    quiet = DeclareLaunchArgument('quiet', default_value='false')
    entities = [
        mode,
        quiet,
        LogInfo(msg=['mode ', LaunchConfiguration('mode')]),
        LogInfo(msg='if', condition=IfCondition(LaunchConfiguration('quiet'))),
        LogInfo(msg='unless', condition=UnlessCondition(LaunchConfiguration('quiet'))),
    ]
    assert run(*entities) == 0
    assert [line.split(': ')[1] for line in capfd.readouterr().out.splitlines() if 'user' in line] == [
        'mode fast',
        'unless',
    ]
    assert run(SetLaunchConfiguration('mode', 'slow'), SetLaunchConfiguration('quiet', 'True'), *entities) == 0
    words = [line.split(': ')[1] for line in capfd.readouterr().out.splitlines() if 'user' in line]
    assert words == ['mode slow', 'if']
    assert run(SetLaunchConfiguration('quiet', 'perhaps'), *entities) == 1
    assert "expected 'true', 'false', '1' or '0', got 'perhaps'" in capfd.readouterr().out
    assert run(SetLaunchConfiguration('mode', 'odd'), *entities) == 1
    assert "'odd' is not valid. Valid options are: fast, slow" in capfd.readouterr().out
    assert run(DeclareLaunchArgument('needed')) == 1
    assert "Required launch argument 'needed'" in capfd.readouterr().out


def test_included_files_get_arguments(tmp_path, capfd):
    included = tmp_path / 'part.launch.py'
    included.write_text(
        'from launch import LaunchDescription\n'
        'from launch.actions import DeclareLaunchArgument, LogInfo\n'
        'from launch.substitutions import LaunchConfiguration\n'
        'def generate_launch_description():\n'
        '    return LaunchDescription([DeclareLaunchArgument("a"), DeclareLaunchArgument("b", default_value="2"),\n'
        '        LogInfo(msg=[LaunchConfiguration("a"), LaunchConfiguration("b")])])\n'
    )
    include = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(included)), launch_arguments={'a': '1'}.items()
    )
    names = [argument.name for argument in LaunchDescription([include]).get_launch_arguments()]
    assert names == ['b']
    assert run(include) == 0
    assert '[launch.user]: 12\n' in capfd.readouterr().out
    assert run(IncludeLaunchDescription(str(tmp_path / 'missing.launch.py'))) == 1
    assert f'{tmp_path}/missing.launch.py does not exist' in capfd.readouterr().out


def test_events_start_what_comes_next(capfd):
    first = python('print("first words")', name='first')
    seen = []
    run(
        RegisterEventHandler(OnProcessStart(target_action=first, on_start=[LogInfo(msg='started')])),
        RegisterEventHandler(OnProcessIO(target_action=first, on_stdout=lambda event: seen.append(event.text))),
        RegisterEventHandler(
            OnProcessExit(
                target_action=first,
                on_exit=lambda event, context: [
                    LogInfo(msg=f'code {event.returncode}'),
                    python('print("second words")', name='second'),
                ],
            )
        ),
        RegisterEventHandler(OnShutdown(on_shutdown=[LogInfo(msg='the end')])),
        first,
    )
    output = capfd.readouterr().out
    positions = [output.index(text) for text in ('started', 'first words', 'code 0', 'second words', 'the end')]
    assert positions == sorted(positions)
    assert b''.join(seen) == b'first words\n'


def test_the_environment_is_set_for_what_is_started_from_then_on(capfd):
    show = 'import os; print(os.environ.get("COLOUR"))'
    run(
        python(show, name='before'),
        SetEnvironmentVariable('COLOUR', 'red'),
        python(show, name='after'),
        python(show, name='own', additional_env={'COLOUR': 'blue'}),
    )
    output = capfd.readouterr().out
    assert '[before-1] None' in output and '[after-2] red' in output and '[own-3] blue' in output
    assert 'COLOUR' not in os.environ


def test_functions_return_what_comes_next(capfd):
    def choose(context, word):
        return [LogInfo(msg=word + context.launch_configurations['end'])]

    run(SetLaunchConfiguration('end', '!'), OpaqueFunction(function=choose, args=['now']), LogInfo(msg='then'))
    words = [line.split(': ')[1] for line in capfd.readouterr().out.splitlines() if 'user' in line]
    assert words == ['now!', 'then']


def test_shutdown_escalates_until_stubborn_processes_end(capfd):
    stubborn = python(STUBBORN, sigterm_timeout='0.3', sigkill_timeout=0.3)
    started = time.monotonic()
    run(
        stubborn,
        RegisterEventHandler(OnProcessIO(target_action=stubborn, on_stdout=lambda event: Shutdown(reason='ready'))),
    )
    output = capfd.readouterr().out
    positions = [output.index(f"sending signal '{name}'") for name in ('SIGINT', 'SIGTERM', 'SIGKILL')]
    assert positions == sorted(positions)
    assert 'exit code -9' in output
    assert time.monotonic() - started < 30
    assert not alive(stubborn.process_details['pid'])


def test_an_error_in_the_description_ends_what_was_started(capfd):
    sleeper = python('import time; time.sleep(60)')
    assert run(sleeper, ExecuteProcess(cmd=['/no/such/program'])) == 1
    assert "'/no/such/program' does not exist" in capfd.readouterr().out
    assert not alive(sleeper.process_details['pid'])


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_launch_ends_children_and_grandchildren(tmp_path, number):
    pids = tmp_path / 'pids'
    launch_file = tmp_path / 'two.launch.py'
    launch_file.write_text(
        'from launch import LaunchDescription\n'
        'from launch.actions import ExecuteProcess\n'
        'def generate_launch_description():\n'
        f'    script = "sleep 60 & echo $! >> {pids}; echo $$ >> {pids}; wait"\n'
        '    return LaunchDescription([ExecuteProcess(cmd=["sh", "-c", script])])\n'
    )
    launch = subprocess.Popen(
        [sys.executable, '-m', 'embedded_ros.cli', 'launch', str(launch_file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, 'PYTHONPATH': str(Path(__file__).resolve().parents[1])},
    )
    try:
        wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
        launch.send_signal(number)
        output, _ = launch.communicate(timeout=30)
    finally:
        launch.kill()
    assert launch.returncode == 0
    assert f'{number.name} received, shutting down' in output.decode()
    wait_until(lambda: not any(alive(int(pid)) for pid in pids.read_text().split()))


def wait_until(predicate, seconds=30):
    end = time.monotonic() + seconds
    while not predicate():
        assert time.monotonic() < end, 'condition did not come true'
        time.sleep(0.02)


def test_a_folder_named_launch_does_not_hide_the_package(tmp_path):
    (tmp_path / 'launch').mkdir()
    program = 'import embedded_ros; embedded_ros.install(); import launch; launch.LaunchService'
    root = Path(__file__).resolve().parents[1]
    environment = {**os.environ, 'PYTHONPATH': f'{tmp_path}{os.pathsep}{root}'}
    assert subprocess.run([sys.executable, '-c', program], env=environment, cwd=tmp_path, timeout=60).returncode == 0


def test_what_is_missing_names_itself():
    with pytest.raises(NotImplementedError, match=r'launch\.actions\.ForLoop'):
        from launch.actions import ForLoop  # noqa: F401
    with pytest.raises(NotImplementedError, match=r'launch\.substitutions\.PythonExpression'):
        from launch.substitutions import PythonExpression  # noqa: F401
    with pytest.raises(NotImplementedError, match=r'ExecuteProcess.*respawn'):
        python('', respawn=True)
    with pytest.raises(ImportError):
        from launch.actions import Nonsense  # noqa: F401
