"""Which names may occur in the pickle of a training checkpoint.

The reader executes nothing whatever a pickle names (``hand3r_ros.safe_pickle``). This list is for the user: a file
that names ``os.system`` was made to attack whoever loads it in the ordinary way, and should not pass as a checkpoint.
Settings objects of the known training codes are allowed and ignored. Names of other packages are ignored too, but
reported: nobody can know everything a training code stores beside its parameters. Of Python itself and numpy the names
of plain data pass (``hand3r_ros.plain_names``), of torch those of its own files; any other of those is refused.
"""

from __future__ import annotations

import re
import sys
from typing import Final

from hand3r_ros.plain_names import describes_plain_data
from hand3r_ros.safe_pickle import Global, PickleProgramError

_EXACT: Final = {
    'torch._tensor': frozenset(('_rebuild_from_type_v2',)),
    'torch': frozenset(('Size', 'device', 'Tensor', 'Generator')),
    'torch.storage': frozenset(('UntypedStorage', 'TypedStorage')),
    'torch.nn.parameter': frozenset(('Parameter', 'Buffer')),
    'torch.torch_version': frozenset(('TorchVersion',)),
    'torch.serialization': frozenset(('_get_layout',)),
}
_PYTHON_2: Final = ('__builtin__', 'commands', 'copy_reg', 'cPickle', 'popen2', 'urllib2')
_INSTALLERS: Final = ('pip', 'setuptools')
_CLOSED_PACKAGES: Final = frozenset((*sys.stdlib_module_names, *_PYTHON_2, *_INSTALLERS, 'torch', 'numpy'))
_PATTERNS: Final = tuple(
    (re.compile(module), re.compile(name))
    for module, name in (
        (r'omegaconf(\.\w+)*', r'\w+'),
        (r'yacs\.config', r'CfgNode'),
        (r'torch', r'\w+Storage|b?float\d+|u?int\d+|bool|complex\d+'),
        (r'torch\._utils', r'_rebuild_\w+'),
        (r'torch\.(nn\.modules|optim|cuda\.amp|amp)(\.\w+)*', r'[A-Z]\w*|_refresh_per_optimizer_state'),
        (r'torch\.nn\.functional|torch\._C\._nn', r'\w+'),  # activations in settings
        (r'(pytorch_lightning|lightning|lightning_fabric)(\.\w+)*', r'[A-Z]\w*'),
    )
)


class NameCheck:
    """Lets the names of training checkpoints pass, and collects those of unknown packages."""

    def __init__(self) -> None:
        self.foreign: set[str] = set()

    def __call__(self, found: Global) -> None:
        """Looks at one name.

        Raises:
            PickleProgramError: it belongs to Python, torch or numpy, and checkpoints do not need it.

        """
        if describes_plain_data(found) or found.name in _EXACT.get(found.module, ()):
            return
        if any(module.fullmatch(found.module) and name.fullmatch(found.name) for module, name in _PATTERNS):
            return
        package = found.module.partition('.')[0]
        if package in _CLOSED_PACKAGES or not package.isidentifier():
            raise PickleProgramError(
                f'it names {str(found)[:120]!r}, which no known checkpoint needs: the file is unsafe, or of another '
                'program. Nothing of it was executed'
            )
        self.foreign.add(str(found)[:120])
