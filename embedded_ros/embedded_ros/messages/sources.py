"""Where message definitions come from: rosbags, this package's `definitions/`, and source folders with a package.xml.

Cheap to import: nothing is parsed before a message package is really asked for.
"""

import functools
import os
import re
from pathlib import Path

PACKAGE_FOLDER = Path(__file__).resolve().parent.parent
REPOSITORY = PACKAGE_FOLDER.parent.parent
EXTRA_PATH_VARIABLE = 'EMBEDDED_ROS_INTERFACE_PATH'


def _has_definitions(folder: Path) -> bool:
    return any(folder.glob('msg/*.msg')) or any(folder.glob('srv/*.srv'))


@functools.cache
def source_folders() -> dict[str, Path]:
    """Message packages given as ROS source folders: package name -> folder.

    Looked for in the repository (its root and the folders in it) and in the folders listed in the environment
    variable EMBEDDED_ROS_INTERFACE_PATH (separated like PATH).
    """
    candidates = [REPOSITORY, *sorted(REPOSITORY.iterdir())]
    candidates += [Path(entry) for entry in os.environ.get(EXTRA_PATH_VARIABLE, '').split(os.pathsep) if entry]
    found = {}
    for folder in candidates:
        manifest = folder / 'package.xml'
        if manifest.is_file() and _has_definitions(folder):
            name = re.search(r'<name>\s*([a-z0-9_]+)\s*</name>', manifest.read_text(encoding='utf-8'))
            if name is not None:
                found[name.group(1)] = folder
    return found


def bundled_folder(package: str) -> Path | None:
    """Folder of definitions shipped here because rosbags lacks them (services, vision_msgs)."""
    folder = PACKAGE_FOLDER / 'definitions' / package
    return folder if folder.is_dir() else None


def has_package(package: str) -> bool:
    """True when messages or services of this package are known."""
    if package in source_folders() or bundled_folder(package) is not None:
        return True
    # rosbags takes a fifth of a second to load: only names that look like a message package are worth it.
    if not package.endswith(('_msgs', '_interfaces', '_srvs')) and package != 'rmw_dds_common':
        return False
    from embedded_ros.messages.store import message_store

    return any(name.startswith(package + '/') for name in message_store().fielddefs)
