"""What goes wrong with files from elsewhere."""

from __future__ import annotations


class CheckpointError(ValueError):
    """A file is not the checkpoint that was asked for, damaged, or unsafe; the message says what it is instead."""
