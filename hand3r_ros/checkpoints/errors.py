"""Errors of files from outside."""

from __future__ import annotations


class CheckpointError(ValueError):
    """A file is not the checkpoint that was asked for, damaged, or unsafe; the message says what it is instead."""


class MisfitError(CheckpointError):
    """A checkpoint is readable, but its tensors are not those of the network."""

    def __init__(self, message: str, problems: tuple[str, ...]) -> None:
        """``problems``: one line for every tensor that does not fit."""
        super().__init__(message)
        self.problems = problems
