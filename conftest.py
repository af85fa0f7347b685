"""Lets pytest run launch tests where no ROS 2 is installed; with ROS 2 its own launch_testing plugin does that."""

import importlib.util


def _launch_testing_is_embedded() -> bool:
    spec = importlib.util.find_spec('embedded_ros')
    if spec is None or spec.origin is None:  # not activated: only the folder of this name was found
        return False
    import embedded_ros

    found = importlib.util.find_spec('launch_testing')
    return found is not None and str(found.origin).startswith(str(embedded_ros.API_FOLDER))


pytest_plugins = ['launch_testing.pytest_plugin'] if _launch_testing_is_embedded() else []
