"""Reads pickles from outside without executing anything in them.

A pickle is a program for a small stack machine whose instructions may import any function and call it; the ordinary
unpickler therefore runs whatever the author of the file wanted. This is another machine for the same programs, in
which those instructions only write down what they were asked for:

* GLOBAL, STACK_GLOBAL and INST import nothing: a name becomes a ``Global``, two strings.
* REDUCE, NEWOBJ, OBJ and INST call nothing: they make a ``Call`` that remembers the name and the arguments.
* BUILD sets no attribute and runs no ``__setstate__``: the ``Call`` remembers the state. On anything else than a
  ``Call`` (a name, a list) it is refused.
* A persistent id is a ``Persistent`` that remembers it; extension codes and out-of-band buffers are refused.

So nothing that the file names is ever looked up, and the only objects made are those records, numbers, text, bytes,
lists, tuples and dictionaries. Dictionaries take only scalars, records and flat tuples of them as keys, because hashing
crafted nested tuples can take for ever. The bytes are decoded by ``pickletools.genops`` of the standard library, which
reads a program without running it. Programs are limited in length, so memory is bounded by a multiple of the file.

What a record means is decided by whoever reads the result. ``permit`` may refuse a name, for an error that says what
the file tried; safety does not depend on it.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

MAX_PROGRAM_BYTES = 256 * 2**20
MAX_INSTRUCTIONS = 4_000_000

Scalar = (str, bytes, int, float, bool, type(None))


class PickleProgramError(ValueError):
    """The program is damaged, too long, or names or does something that is refused."""


@dataclass(frozen=True)
class Global:
    """A class or function that the program names; not imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f'{self.module}.{self.name}'


@dataclass(frozen=True)
class Persistent:
    """An object that the program says is stored outside of it; torch names the storages of tensors so."""

    identity: Any


@dataclass(eq=False, repr=False)
class Call:
    """What the program wanted to be called or constructed, and what it then wanted to put into the result."""

    function: Any
    arguments: tuple[Any, ...]
    state: Any = None
    """Argument of BUILD."""
    items: list[Any] = field(default_factory=list)
    """What was to be appended or added."""
    entries: dict[Any, Any] = field(default_factory=dict)
    """What was to be set by key."""


Permit = Callable[[Global], None]

_ORDERED = frozenset(('OrderedDict', 'defaultdict', 'Counter'))
_RECONSTRUCTORS = frozenset((('copyreg', '_reconstructor'), ('copy_reg', '_reconstructor')))


def mapping_of(value: Any) -> Mapping[Any, Any] | None:
    """The entries of a dictionary, or of a record of a class derived from one, in every way they are pickled.

    None where the value is something else; a record of an unknown class counts once it has entries.
    """
    if isinstance(value, dict):
        return value
    if not (isinstance(value, Call) and isinstance(value.function, Global)):
        return None
    if value.entries:
        return value.entries
    function, arguments = value.function, value.arguments
    if (function.module, function.name) in _RECONSTRUCTORS:  # protocols 0 and 1: class, base, content of the base
        return arguments[2] if len(arguments) == 3 and isinstance(arguments[2], dict) else None
    if function.name not in _ORDERED:
        return None
    if len(arguments) == 1 and isinstance(arguments[0], list):  # Python 2: pairs
        return _of_pairs(arguments[0])
    return value.entries


def _of_pairs(pairs: list[Any]) -> dict[Any, Any] | None:
    entries: dict[Any, Any] = {}
    for pair in pairs:
        if not (isinstance(pair, (list, tuple)) and len(pair) == 2 and isinstance(pair[0], Scalar)):
            return None
        entries[pair[0]] = pair[1]
    return entries


def read_pickle(program: bytes, permit: Permit | None = None) -> Any:
    """The object that a pickle describes, with records in place of everything that is not plain data.

    Args:
        program: pickle of any protocol; text of Python 2 is read as latin-1.
        permit: called with every name; raises ``PickleProgramError`` to refuse it.

    Raises:
        PickleProgramError: see there.

    """
    if len(program) > MAX_PROGRAM_BYTES:
        raise PickleProgramError(f'{len(program)} bytes of pickle are more than any known file needs')
    try:
        return _Machine(permit).run(program)
    except PickleProgramError:
        raise
    except Exception as error:  # a damaged program can make the decoder raise nearly anything
        raise PickleProgramError(f'damaged pickle ({type(error).__name__}: {error})') from error


def _bounded(program: bytes) -> Iterator[tuple[Any, Any, int | None]]:
    for count, instruction in enumerate(pickletools.genops(program)):
        if count == MAX_INSTRUCTIONS:
            raise PickleProgramError(f'more than {MAX_INSTRUCTIONS} pickle instructions')
        yield instruction


class _Mark:
    """Where on the stack a group of values begins."""


_MARK: Final = _Mark()
_CONSTANTS = frozenset(('INT', 'BININT', 'BININT1', 'BININT2', 'LONG', 'LONG1', 'LONG4', 'FLOAT', 'BINFLOAT'))
_CONSTANTS |= frozenset(('STRING', 'BINSTRING', 'SHORT_BINSTRING', 'BINBYTES', 'SHORT_BINBYTES', 'BINBYTES8'))
_CONSTANTS |= frozenset(('UNICODE', 'BINUNICODE', 'SHORT_BINUNICODE', 'BINUNICODE8'))
_FIXED = {'NONE': None, 'NEWTRUE': True, 'NEWFALSE': False, 'EMPTY_TUPLE': ()}
_NOTHING = frozenset(('PROTO', 'FRAME', 'STOP'))
_STORE = frozenset(('PUT', 'BINPUT', 'LONG_BINPUT'))
_FETCH = frozenset(('GET', 'BINGET', 'LONG_BINGET'))
_SHORT_TUPLES = {'TUPLE1': 1, 'TUPLE2': 2, 'TUPLE3': 3}


class _Machine:
    """Stack and memo of one program."""

    def __init__(self, permit: Permit | None) -> None:
        self._permit = permit
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self, program: bytes) -> Any:
        for instruction, argument, _ in _bounded(program):
            self._execute(instruction.name, argument)
        if len(self._stack) != 1:
            raise PickleProgramError(f'damaged pickle ({len(self._stack)} values are left at its end)')
        return self._pop()

    def _execute(self, name: str, argument: Any) -> None:
        if name in _CONSTANTS:
            self._stack.append(argument)
        elif name in _FIXED:
            self._stack.append(_FIXED[name])
        elif name in _STORE:
            self._memo[int(argument)] = self._top()
        elif name in _FETCH:
            self._stack.append(self._memo[int(argument)])
        elif name in _SHORT_TUPLES:
            values = [self._pop() for _ in range(_SHORT_TUPLES[name])]
            self._stack.append(tuple(reversed(values)))
        elif name not in _NOTHING:
            operation = _OPERATIONS.get(name)
            if operation is None:
                raise PickleProgramError(f'the pickle instruction {name} is refused: no known checkpoint uses it')
            operation(self, argument)

    def _top(self) -> Any:
        if self._stack[-1] is _MARK:
            raise PickleProgramError('damaged pickle (a mark in place of a value)')
        return self._stack[-1]

    def _pop(self) -> Any:
        value = self._top()
        self._stack.pop()
        return value

    def _pop_group(self) -> list[Any]:
        """Values above the newest mark, which goes too."""
        for start in range(len(self._stack) - 1, -1, -1):
            if self._stack[start] is _MARK:
                group = self._stack[start + 1 :]
                del self._stack[start:]
                return group
        raise PickleProgramError('damaged pickle (no mark)')

    def _mark(self, _: Any) -> None:
        self._stack.append(_MARK)

    def _discard(self, _: Any) -> None:
        self._stack.pop()

    def _discard_group(self, _: Any) -> None:
        self._pop_group()

    def _dup(self, _: Any) -> None:
        self._stack.append(self._top())

    def _memoize(self, _: Any) -> None:
        self._memo[len(self._memo)] = self._top()

    def _empty_list(self, _: Any) -> None:
        self._stack.append([])

    def _empty_dict(self, _: Any) -> None:
        self._stack.append({})

    def _empty_set(self, _: Any) -> None:
        self._stack.append(Call(Global('builtins', 'set'), ()))

    def _frozenset(self, _: Any) -> None:
        self._stack.append(Call(Global('builtins', 'frozenset'), (), items=self._pop_group()))

    def _bytearray8(self, argument: Any) -> None:
        self._stack.append(bytes(argument))

    def _tuple(self, _: Any) -> None:
        self._stack.append(tuple(self._pop_group()))

    def _list(self, _: Any) -> None:
        self._stack.append(self._pop_group())

    def _dict(self, _: Any) -> None:
        entries: dict[Any, Any] = {}
        _put(entries, self._pop_group())
        self._stack.append(entries)

    def _append(self, _: Any) -> None:
        value = self._pop()
        _list_of(self._top()).append(value)

    def _appends(self, _: Any) -> None:
        values = self._pop_group()
        _list_of(self._top()).extend(values)

    def _setitem(self, _: Any) -> None:
        value, key = self._pop(), self._pop()
        _put(_entries_of(self._top()), [key, value])

    def _setitems(self, _: Any) -> None:
        pairs = self._pop_group()
        _put(_entries_of(self._top()), pairs)

    def _global(self, argument: Any) -> None:
        module, _, name = argument.partition(' ')
        self._stack.append(self._named(module, name))

    def _stack_global(self, _: Any) -> None:
        name, module = self._pop(), self._pop()
        self._stack.append(self._named(module, name))

    def _named(self, module: Any, name: Any) -> Global:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise PickleProgramError('damaged pickle (a name that is not text)')
        found = Global(module, name)
        if self._permit is not None:
            self._permit(found)
        return found

    def _reduce(self, _: Any) -> None:
        arguments, function = self._pop(), self._pop()
        self._call(function, arguments)

    def _newobj_ex(self, _: Any) -> None:
        keywords, arguments, function = self._pop(), self._pop(), self._pop()
        self._call(function, (arguments, keywords))

    def _inst(self, argument: Any) -> None:
        module, _, name = argument.partition(' ')
        arguments = tuple(self._pop_group())
        self._call(self._named(module, name), arguments)

    def _obj(self, _: Any) -> None:
        function, *arguments = self._pop_group()
        self._call(function, tuple(arguments))

    def _call(self, function: Any, arguments: Any) -> None:
        if not isinstance(arguments, tuple):
            raise PickleProgramError('damaged pickle (arguments that are not a tuple)')
        self._stack.append(Call(function, arguments))

    def _build(self, _: Any) -> None:
        state, target = self._pop(), self._top()
        if not isinstance(target, Call):
            raise PickleProgramError(f'the file tries to alter {_describe(target)}')
        target.state = state

    def _persid(self, argument: Any) -> None:
        self._stack.append(Persistent(argument))

    def _binpersid(self, _: Any) -> None:
        self._stack.append(Persistent(self._pop()))


_OPERATIONS: dict[str, Callable[[_Machine, Any], None]] = {
    'MARK': _Machine._mark,
    'POP': _Machine._discard,
    'POP_MARK': _Machine._discard_group,
    'DUP': _Machine._dup,
    'MEMOIZE': _Machine._memoize,
    'EMPTY_LIST': _Machine._empty_list,
    'EMPTY_DICT': _Machine._empty_dict,
    'EMPTY_SET': _Machine._empty_set,
    'FROZENSET': _Machine._frozenset,
    'BYTEARRAY8': _Machine._bytearray8,
    'TUPLE': _Machine._tuple,
    'LIST': _Machine._list,
    'DICT': _Machine._dict,
    'APPEND': _Machine._append,
    'APPENDS': _Machine._appends,
    'ADDITEMS': _Machine._appends,
    'SETITEM': _Machine._setitem,
    'SETITEMS': _Machine._setitems,
    'GLOBAL': _Machine._global,
    'STACK_GLOBAL': _Machine._stack_global,
    'REDUCE': _Machine._reduce,
    'NEWOBJ': _Machine._reduce,
    'NEWOBJ_EX': _Machine._newobj_ex,
    'INST': _Machine._inst,
    'OBJ': _Machine._obj,
    'BUILD': _Machine._build,
    'PERSID': _Machine._persid,
    'BINPERSID': _Machine._binpersid,
}


def _list_of(target: Any) -> list[Any]:
    if isinstance(target, Call):
        return target.items
    if type(target) is not list:
        raise PickleProgramError(f'the file tries to append to {_describe(target)}')
    return target


def _entries_of(target: Any) -> dict[Any, Any]:
    if isinstance(target, Call):
        return target.entries
    if type(target) is not dict:
        raise PickleProgramError(f'the file tries to set entries of {_describe(target)}')
    return target


def _put(entries: dict[Any, Any], pairs: list[Any]) -> None:
    if len(pairs) % 2:
        raise PickleProgramError('damaged pickle (a key without a value)')
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        parts = key if type(key) is tuple else (key,)
        if not all(isinstance(part, (*Scalar, Global, Call)) for part in parts):
            raise PickleProgramError(f'a dictionary key made of {_describe(key)} is refused')
        entries[key] = value


def _describe(value: Any) -> str:
    return str(value) if isinstance(value, Global) else f'a {type(value).__name__}'
