"""Paths of service calls: names below one folder are taken, everything else is refused with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from hand3r_ros.files import reading
from hand3r_ros.node.confined_paths import ConfinedPathError, confined_file


def file_of(folder: Path | str, requested: str) -> Path:
    return confined_file(str(folder), requested, '.ply', 'map.directory').path


@pytest.mark.parametrize(
    ('requested', 'found'),
    [
        ('scene.ply', 'scene.ply'),
        ('scene', 'scene.ply'),
        ('scene.PLY', 'scene.PLY'),
        ('a/b.ply', 'a/b.ply'),
        ('a//b', 'a/b.ply'),
        ('./a/../b.ply', 'b.ply'),
        ('.hidden', '.hidden.ply'),
        ('K\u00fcche 2', 'K\u00fcche 2.ply'),
        ('n' * 200, 'n' * 200 + '.ply'),
        ('a/' * 16 + 'b', 'a/' * 16 + 'b.ply'),
    ],
)
def test_paths_inside_of_the_folder_are_taken(tmp_path: Path, requested: str, found: str) -> None:
    assert file_of(tmp_path, requested) == tmp_path.resolve() / found


def test_an_absolute_path_is_taken_inside_of_the_folder(tmp_path: Path) -> None:
    assert file_of(tmp_path, f'{tmp_path}/a/b') == tmp_path.resolve() / 'a' / 'b.ply'


@pytest.mark.parametrize(
    ('requested', 'reason'),
    [
        ('', 'empty'),
        (' \t', 'empty'),
        ('/', 'leads out'),
        ('//', 'leads out'),
        ('///', 'leads out'),
        ('..', 'leads out'),
        ('../' * 12, 'leads out'),
        ('../scene.ply', 'leads out'),
        ('a/../../scene.ply', 'leads out'),
        ('/etc/scene.ply', 'leads out'),
        ('~/scene', 'leads out'),
        ('~nosuchuser', 'leads out'),
        ('.', 'names no file'),
        ('./', 'names no file'),
        ('a/..', 'names no file'),
        ('a/b/..', 'names no file'),
        ('scene.txt', 'must end in .ply'),
        ('scene.', 'must end in .ply'),
        ('scene.ply.part', 'must end in .ply'),
        ('a\0b.ply', 'cannot be printed'),
        ('a\nb.ply', 'cannot be printed'),
        ('a\x1b[2J.ply', 'cannot be printed'),
        ('a\u202eylp.ply', 'cannot be printed'),
        ('a\ud800.ply', 'cannot be printed'),
        ('a/ /b', 'names of 1 to 200'),
        ('n' * 201, 'names of 1 to 200'),
        ('n' * 201 + '/b', 'names of 1 to 200'),
        ('a/' * 17 + 'b', 'goes through 17 folders'),
        ('a/' * 1999 + 'b', 'folders'),
        ('a/' * 100_000 + 'b', 'at most 4000'),
        ('n' * 1_000_000, 'at most 4000'),
    ],
)
def test_everything_else_is_refused_with_its_reason(tmp_path: Path, requested: str, reason: str) -> None:
    with pytest.raises(ConfinedPathError, match=reason) as raised:
        file_of(tmp_path / 'maps', requested)
    assert len(str(raised.value)) < 300 + len(str(tmp_path))
    assert str(raised.value).isprintable()


def test_links_are_followed_inside_of_the_folder_only(tmp_path: Path) -> None:
    inside, outside = tmp_path / 'maps', tmp_path / 'elsewhere'
    inside.mkdir()
    outside.mkdir()
    (inside / 'folder').symlink_to(outside)
    (inside / 'file.ply').symlink_to(outside / 'file.ply')
    (inside / 'latest.ply').symlink_to('kitchen.ply')
    (inside / 'state.ply').symlink_to('kitchen.safetensors')
    assert file_of(inside, 'latest') == inside.resolve() / 'kitchen.ply'
    for requested in ('folder/scene.ply', 'folder/a/b', 'file.ply', 'file'):
        with pytest.raises(ConfinedPathError, match='leads out'):
            file_of(inside, requested)
    with pytest.raises(ConfinedPathError, match='must end in'):
        file_of(inside, 'state')


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / 'a').symlink_to('b')
    (tmp_path / 'b').symlink_to('a')
    (tmp_path / 'c.ply').symlink_to('c.ply')
    for requested in ('a/x', 'a', 'c.ply', 'c', 'b/../x/../a/y'):
        try:
            place = confined_file(str(tmp_path), requested, '.ply', 'map.directory')
        except ConfinedPathError:
            continue
        # Pythons that do not mind circles leave it to whoever opens the file, where no link is followed.
        with pytest.raises(OSError), reading(place):
            pass


def test_the_folder_may_be_given_from_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HOME', str(tmp_path))
    assert file_of('~/maps', 'scene') == tmp_path.resolve() / 'maps' / 'scene.ply'


@pytest.mark.parametrize('folder', ['~nosuchuser/maps', 'a\0b', 'a\nb'])
def test_a_folder_that_cannot_be_is_refused_by_its_parameter(folder: str) -> None:
    with pytest.raises(ConfinedPathError, match=r'map\.directory'):
        file_of(folder, 'scene')
