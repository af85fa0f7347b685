"""What can go wrong when a transform is looked up."""

# ruff: noqa: N818 - ROS 2 gave the exceptions their names


class TransformException(Exception):
    """Base of the exceptions below."""


class LookupException(TransformException):
    """A frame is not known."""


class ConnectivityException(TransformException):
    """Two frames are not connected."""


class ExtrapolationException(TransformException):
    """The time is outside what is known."""


class InvalidArgumentException(TransformException):
    """Malformed frame name."""


class TimeoutException(TransformException):
    """The time to wait was over."""
