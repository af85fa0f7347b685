"""The hand3r command: what it accepts, and errors in one line."""

import pytest

from hand3r_ros.cli import main, parse


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
    options = parse(arguments)
    assert options.overrides == ['steps=3', 'batch=2']
    assert str(options.weights) == 'a'


@pytest.mark.parametrize('arguments', [['train', 'hand', '--stepz=3'], ['benchmark', 'steps=3'], ['run'], ['fly']])
def test_what_no_verb_knows_is_refused(arguments, capsys):
    with pytest.raises(SystemExit, match='2'):
        parse(arguments)
    assert 'error:' in capsys.readouterr().err


def test_an_error_of_the_user_is_one_line(capsys):
    assert main(['train', 'hand', 'stepz=3']) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('hand3r train: unknown stepz')
