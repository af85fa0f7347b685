"""Errors of unusable input."""

from __future__ import annotations


class FrameRejected(Exception):  # noqa: N818  (it names what happened to the frame, which is not a failure of ours)
    """A frame was skipped; all state is as it was before it, and the next good frame continues the session."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
