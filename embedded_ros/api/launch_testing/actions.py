"""Actions for launch tests."""

from launch.absent import absent
from launch.events import Event
from launch.launch_context import LaunchContext
from launch.launch_description import Action

__all__ = ['ReadyToTest']


class TestsMayStart(Event):
    """The ReadyToTest action was reached."""

    name = 'launch_testing.TestsMayStart'
    __test__ = False


class ReadyToTest(Action):
    """Marks the point from which the tests run."""

    def execute(self, context: LaunchContext) -> None:
        """Start the tests."""
        context.emit_event(TestsMayStart())


__getattr__ = absent(__name__, 'GTest PyTest Test')
