"""Files are there whole or not at all, and whoever writes below a folder stays below it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hand3r_ros.files import ConfinedFile, make_folders, reading, replacing


def write(place: Path | ConfinedFile, content: bytes = b'new') -> None:
    with replacing(place) as file:
        file.write(content)


def listed(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / 'a' / 'b' / 'file.txt'
    with replacing(path) as file:
        file.write(b'one ')
        assert not path.exists()
        file.write(b'two')
    assert path.read_bytes() == b'one two' and listed(path.parent) == ['file.txt']
    write(path)
    assert path.read_bytes() == b'new' and listed(path.parent) == ['file.txt']
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_write_that_fails_leaves_what_was_there_and_nothing_else(tmp_path: Path, full_disk) -> None:
    path = tmp_path / 'file.txt'
    path.write_bytes(b'old')

    def stopped() -> None:
        with replacing(path) as file:
            file.write(b'half')
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    with full_disk(1000), pytest.raises(OSError, match='File too large') as raised:
        write(path, bytes(100_000))
    assert raised.value.filename == str(path)
    assert path.read_bytes() == b'old' and listed(tmp_path) == ['file.txt']


def test_a_folder_in_the_way_is_named_and_stays(tmp_path: Path) -> None:
    (tmp_path / 'file.txt').mkdir()
    with pytest.raises(IsADirectoryError) as raised:
        write(tmp_path / 'file.txt')
    assert raised.value.filename == str(tmp_path / 'file.txt')
    (tmp_path / 'plain').write_bytes(b'')
    with pytest.raises(NotADirectoryError):
        write(tmp_path / 'plain' / 'file.txt')
    assert listed(tmp_path) == ['file.txt', 'plain']


def test_a_link_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    (tmp_path / 'victim').write_bytes(b'precious')
    (tmp_path / 'file.txt').symlink_to(tmp_path / 'victim')
    write(tmp_path / 'file.txt')
    assert (tmp_path / 'victim').read_bytes() == b'precious'
    assert not (tmp_path / 'file.txt').is_symlink()


def test_what_a_killed_process_left_is_removed_but_not_what_another_works_on(tmp_path: Path) -> None:
    path = tmp_path / 'file.txt'
    code = (
        'import sys, time; from pathlib import Path; from hand3r_ros.files import replacing\n'
        'with replacing(Path(sys.argv[1])) as file: file.write(bytes(9)); print(1, flush=True); time.sleep(600)'
    )
    other = subprocess.Popen(
        [sys.executable, '-c', code, str(path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[1]
    )
    try:
        assert other.stdout is not None and other.stdout.readline()
        (unfinished,) = listed(tmp_path)
        write(path)
        assert listed(tmp_path) == sorted([unfinished, 'file.txt'])
    finally:
        other.send_signal(signal.SIGKILL)
        other.wait()
    write(path)
    assert listed(tmp_path) == ['file.txt']


@pytest.mark.parametrize('name', ['a' * 255, '\N{WAVING HAND SIGN}' * 63, '.hidden', '-'])
def test_every_name_that_the_system_takes_can_be_written(tmp_path: Path, name: str) -> None:
    write(tmp_path / name)
    assert listed(tmp_path) == [name]


def test_thousands_of_folders_are_made_and_too_long_paths_refused(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*['d'] * 1500)
    make_folders(deep)
    assert deep.is_dir()
    with pytest.raises(OSError, match='too long'):
        make_folders(tmp_path.joinpath(*['e'] * 3000))
    assert listed(tmp_path) == ['d']
    _remove_deep(tmp_path / 'd')


def _remove_deep(folder: Path) -> None:
    """shutil.rmtree of older Pythons recurses."""
    deepest = folder
    while below := next(deepest.iterdir(), None):
        deepest = below
    os.removedirs(deepest)
    folder.parent.mkdir(parents=True, exist_ok=True)


def test_below_a_folder_no_link_is_followed(tmp_path: Path) -> None:
    inside, outside = tmp_path / 'maps', tmp_path / 'elsewhere'
    inside.mkdir()
    outside.mkdir()
    (outside / 'file.txt').write_bytes(b'precious')
    (inside / 'folder').symlink_to(outside)
    (inside / 'file.txt').symlink_to(outside / 'file.txt')
    through = ConfinedFile(inside, ('folder', 'file.txt'))
    for use in (replacing, reading):
        with pytest.raises(OSError), use(through):
            pass
    with pytest.raises(OSError), reading(ConfinedFile(inside, ('file.txt',))):
        pass
    write(ConfinedFile(inside, ('file.txt',)))
    write(ConfinedFile(inside, ('a', 'b', 'file.txt')))
    assert (outside / 'file.txt').read_bytes() == b'precious' and listed(outside) == ['file.txt']
    assert (inside / 'file.txt').read_bytes() == (inside / 'a' / 'b' / 'file.txt').read_bytes() == b'new'


def test_the_folder_itself_may_be_reached_through_a_link(tmp_path: Path) -> None:
    (tmp_path / 'data').mkdir()
    (tmp_path / 'maps').symlink_to(tmp_path / 'data')
    place = ConfinedFile(tmp_path / 'maps', ('file.txt',))
    write(place)
    with reading(place) as file:
        assert file.read() == b'new'
    assert listed(tmp_path / 'data') == ['file.txt']


def test_only_files_are_read_and_pipes_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / 'pipe')
    (tmp_path / 'folder').mkdir()
    for name in ('pipe', 'folder', 'nothing'):
        for place in (tmp_path / name, ConfinedFile(tmp_path, (name,))):
            with pytest.raises(OSError) as raised, reading(place):
                pass
            assert raised.value.filename == str(tmp_path / name)
