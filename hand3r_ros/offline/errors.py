"""Errors of a run, with what the user can do about them."""


class RunError(RuntimeError):
    """The run cannot start or continue; the message names the option, file or topic and what to do."""


class InputError(RunError):
    """There is nothing to reconstruct at the given path, or it cannot be read."""


class UnusableImageError(ValueError):
    """One image cannot be used: it is skipped and counted."""
