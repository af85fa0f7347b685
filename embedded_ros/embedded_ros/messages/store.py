"""The store of all known message types: rosbags' definitions of one ROS distribution plus ours."""

import functools
import os
from pathlib import Path

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from embedded_ros.messages import sources

DEFAULT_DISTRIBUTION = 'jazzy'


def distribution() -> str:
    """ROS distribution whose message definitions are used (environment variable ROS_DISTRO)."""
    return os.environ.get('ROS_DISTRO', DEFAULT_DISTRIBUTION).lower()


@functools.cache
def message_store() -> Typestore:
    """The process-wide type store."""
    known = {store.name.removeprefix('ROS2_').lower(): store for store in Stores if store.name.startswith('ROS2_')}
    if distribution() not in known:
        raise ValueError(f'ROS_DISTRO is {distribution()!r}; known distributions: {", ".join(sorted(known))}')
    store = get_typestore(known[distribution()])
    folders = {path.name: path for path in (sources.PACKAGE_FOLDER / 'definitions').iterdir() if path.is_dir()}
    folders.update(sources.source_folders())
    for package, folder in folders.items():
        _register_folder(store, package, folder)
    return store


def _register_folder(store: Typestore, package: str, folder: Path) -> None:
    for path in sorted(folder.glob('msg/*.msg')):
        name = f'{package}/msg/{path.stem}'
        if name not in store.fielddefs:
            store.register(get_types_from_msg(path.read_text(encoding='utf-8'), name))
    for path in sorted(folder.glob('srv/*.srv')):
        _register_service(store, package, path)


def _register_service(store: Typestore, package: str, path: Path) -> None:
    """Register the two halves of a service as `pkg/srv/X_Request` and `pkg/srv/X_Response`."""
    lines = path.read_text(encoding='utf-8').splitlines()
    cuts = [number for number, line in enumerate(lines) if line.strip() == '---']
    if len(cuts) != 1:
        raise ValueError(f'{path}: a service definition needs exactly one line "---", found {len(cuts)}')
    halves = {'Request': lines[: cuts[0]], 'Response': lines[cuts[0] + 1 :]}
    for half, body in halves.items():
        # rosbags resolves names relative to a message of the package; services are registered under their own name.
        helper = f'{package}/msg/{path.stem}{half}'
        parsed = get_types_from_msg('\n'.join(body), helper)[helper]
        name = f'{package}/srv/{path.stem}_{half}'
        if name not in store.fielddefs:
            store.register({name: parsed})
