"""Names of Python and numpy that describe plain data in a pickle: numbers, text, dates, containers, arrays.

Nothing that a pickle names is ever executed here (``hand3r_ros.safe_pickle``). The list is for what readers say about
a file: these names occur in files that ordinary programs write, all others of Python and numpy do not. What opens,
runs, imports or looks up something (``os``, ``subprocess``, ``eval``, ``getattr``, ``operator``) is not among them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from hand3r_ros.safe_pickle import Global

_BUILTINS: Final = (
    'bool|bytearray|bytes|complex|dict|float|frozenset|int|list|object|range|set|slice|str|tuple|type|Ellipsis|'
    'NotImplemented|[A-Z]\\w*(Error|Exception|Warning)|KeyboardInterrupt|StopIteration|SystemExit'
)
_NAMES: Final = tuple(
    (re.compile(module), re.compile(names))
    for module, names in (
        ('builtins', _BUILTINS),
        ('__builtin__|exceptions', f'{_BUILTINS}|long|unicode|xrange'),
        ('_codecs', 'encode'),
        ('copyreg|copy_reg', '_reconstructor|__newobj__|__newobj_ex__'),
        ('_?collections', 'OrderedDict|defaultdict|Counter|deque|ChainMap|UserDict|UserList|UserString'),
        ('collections[.]abc|_collections_abc|typing', r'\w+'),
        ('datetime|_datetime|_pydatetime', 'date|datetime|time|timedelta|timezone|tzinfo|UTC'),
        ('zoneinfo', 'ZoneInfo|ZoneInfo[.]_unpickle'),
        ('time', 'struct_time'),
        ('decimal|_decimal|_pydecimal', 'Decimal|Context'),
        ('fractions', 'Fraction'),
        ('uuid', 'UUID|SafeUUID'),
        ('_?functools', 'partial'),  # what it is of has a name of its own
        ('enum', 'Enum|IntEnum|StrEnum|Flag|IntFlag'),
        ('types', 'SimpleNamespace|NoneType|EllipsisType'),
        ('array', 'array|_array_reconstructor'),
        ('_?random', 'Random'),
        ('re', '_compile'),
        ('logging', 'Logger|RootLogger|getLogger'),
        ('argparse', 'Namespace'),
        (r'pathlib([.]_local)?', '(Pure)?(Posix|Windows)?Path'),
        ('numpy', r'dtype|ndarray|matrix|recarray|record|(bool|u?int|float|complex|str|bytes|void|object)(\d*|_)'),
        ('numpy', 'datetime64|timedelta64|half|single|double|longdouble|u?(byte|short|intc|intp|long|longlong)'),
        (r'numpy[.]dtypes', r'\w+DType'),
        (r'numpy[.](_?core)[.](multiarray|_multiarray_umath|numeric)', '_reconstruct|scalar|_frombuffer'),
        (r'numpy[.](matrixlib[.]defmatrix|rec|_?core[.]records)', 'matrix|recarray|record'),
        (r'numpy[.]ma([.]core)?', 'MaskedArray|_mareconstruct|MaskedConstant'),
        (r'numpy[.]random[.]_pickle', r'__\w+_ctor'),
        (r'numpy[.]random[.]\w+', r'RandomState|Generator|MT19937|PCG64(DXSM)?|Philox|SFC64|SeedSequence'),
        (r'numpy[.]random[.]_?bit_generator', '__pyx_unpickle_SeedSequence'),
    )
)


@lru_cache(maxsize=4096)
def describes_plain_data(found: Global) -> bool:
    """Whether a name of a pickle is one of those."""
    return any(module.fullmatch(found.module) and names.fullmatch(found.name) for module, names in _NAMES)
