"""A DiagnosticStatus with helpers to fill it."""

from typing import TYPE_CHECKING, Any

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue


class DiagnosticStatusWrapper(DiagnosticStatus):
    """Level, message and values of one check; level and message may be set, merged and cleared together."""

    if TYPE_CHECKING:  # the fields of a generated class are not visible to type checkers
        level: bytes
        message: str
        values: list[KeyValue]

    def summary(self, *args: Any) -> None:
        """Set level and message: summary(level, message), or summary(status) to copy them."""
        self.level, self.message = _level_and_message(args)

    def clearSummary(self) -> None:  # noqa: N802 - ROS 2's name
        """Reset level and message."""
        self.summary(DiagnosticStatus.OK, '')

    def mergeSummary(self, *args: Any) -> None:  # noqa: N802 - ROS 2's name
        """Join another level and message: messages of the same severity class are joined, the worse level wins."""
        level, message = _level_and_message(args)
        ok = DiagnosticStatus.OK
        if (level > ok) == (self.level > ok):
            self.message = '; '.join(text for text in (self.message, message) if text)
        elif level > self.level:
            self.message = message
        self.level = max(level, self.level)

    def add(self, key: str, val: Any) -> None:
        """Add a value."""
        self.values.append(KeyValue(key=key, value=str(val)))


def _level_and_message(arguments: tuple[Any, ...]) -> tuple[bytes, str]:
    if len(arguments) == 1:
        return arguments[0].level, arguments[0].message
    level, message = arguments
    return level, str(message)
