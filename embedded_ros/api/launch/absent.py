"""Say clearly which names of the ROS 2 API are not part of this subset."""

from collections.abc import Callable
from typing import Any


def absent(module: str, names: str) -> Callable[[str], Any]:
    """Return a module-level ``__getattr__`` that raises NotImplementedError for the space-separated `names`."""
    known = frozenset(names.split())

    def look_up(name: str) -> Any:
        if name in known:
            raise NotImplementedError(f'{module}.{name} is not part of embedded_ros')
        raise AttributeError(f'module {module!r} has no attribute {name!r}')

    return look_up


def refuse_options(owner: str, options: dict[str, Any]) -> None:
    """Raise for keyword arguments that `owner` does not take here.

    Raises:
        NotImplementedError: naming the options.
    """
    if options:
        raise NotImplementedError(f'{owner}: not part of embedded_ros: {", ".join(sorted(options))}')
