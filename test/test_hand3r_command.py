"""The commands hand3r and hand3r-lab: what they accept, and errors in one line."""

from pathlib import Path

import pytest

from hand3r_lab import cli as lab
from hand3r_ros import cli


def command_of(verb):
    return lab if verb in cli.MOVED else cli


@pytest.mark.parametrize('verb', cli.MOVED)
def test_the_old_name_of_a_verb_names_the_new_one(verb, capsys):
    assert cli.main([verb, '--help']) == 2
    assert capsys.readouterr().err == f'hand3r {verb} is now: hand3r-lab {verb}\n'


@pytest.mark.parametrize(
    'arguments',
    [
        ['train', 'hand', 'steps=3', 'batch=2', '--weights', 'a'],
        ['train', 'hand', '--weights', 'a', 'steps=3', 'batch=2'],
        ['train', '--weights', 'a', 'hand', 'steps=3', 'batch=2'],
        ['train', 'hand', 'steps=3', '--weights', 'a', 'batch=2'],
    ],
)
def test_overrides_may_stand_anywhere(arguments):
    options = lab.parse(arguments)
    assert options.overrides == ['steps=3', 'batch=2']
    assert str(options.weights) == 'a'


@pytest.mark.parametrize('arguments', [['train', 'hand', '--stepz=3'], ['benchmark', 'steps=3'], ['run'], ['fly']])
def test_what_no_verb_knows_is_refused(arguments, capsys):
    with pytest.raises(SystemExit, match='2'):
        command_of(arguments[0]).parse(arguments)
    assert 'error:' in capsys.readouterr().err


def test_an_error_of_the_user_is_one_line(capsys):
    assert lab.main(['train', 'hand', 'stepz=3']) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('hand3r-lab train: unknown stepz')


@pytest.mark.parametrize(
    'arguments',
    [
        'run ~/a.mp4 --out=~/o.mcap --picture=~/p.png --calibration=~/c.yaml --save-state=~/s --state=~/t',
        'weights --weights-dir=~/w --mano-dir=~/m',
        'convert --cut3r=~/c --hamer=~/h --mano=~/m --out=~/w',
        'render ~/data',
        'train scene --config=~/c.yaml --weights=~/w --output=~/o',
        'evaluate --weights-dir=~/w --out=~/o --csv=~/c --plots=~/p --card=~/m --numbers=~/n --data=~/d --mano=~/m '
        '--fused-head=~/f',
        'benchmark --weights-dir=~/w --out=~/o',
        'data check ~/d',
    ],
    ids=lambda text: text.split()[0],
)
def test_every_path_may_begin_with_the_home_folder(arguments, monkeypatch):
    """A shell expands ``--out ~/w`` but not ``--out=~/w``."""
    monkeypatch.setenv('HOME', '/home/somebody')
    options = command_of(arguments.split()[0]).parse(arguments.split())
    values = (value if isinstance(value, list | tuple) else [value] for value in vars(options).values())
    found = [path for several in values for path in several if isinstance(path, Path)]
    assert len(found) == arguments.count('~')
    assert all(path.parent == Path('/home/somebody') for path in found)


@pytest.mark.parametrize('path', ['~nosuchuser/out.mcap', ''])
def test_paths_that_cannot_be_meant_are_refused(path, capsys):
    with pytest.raises(SystemExit, match='2'):
        cli.parse(['run', 'a.mp4', f'--out={path}'])
    said = capsys.readouterr().err
    assert 'argument --out' in said and ('no user' in said or 'empty' in said)


@pytest.mark.parametrize(
    'option',
    ['--fps=nan', '--fps=-1', '--start=nan', '--end=inf', '--map-every=-1', '--checkpoint-every=x', '--focal=0'],
)
def test_numbers_that_cannot_be_meant_are_refused(option, capsys):
    with pytest.raises(SystemExit, match='2'):
        cli.parse(['run', 'a.mp4', '--out=o.mcap', option])
    assert f'argument {option.split("=")[0]}' in capsys.readouterr().err
