"""The error that commands raise."""


class CommandError(Exception):
    """Something the user can put right: shown without a traceback."""
