"""Text from outside: shortened where it is repeated, and frame names as in TF."""

from __future__ import annotations

import re

LONGEST = 100
"""Characters of a text from outside that are repeated in the log, in ~/status and in /diagnostics."""
LONGEST_FRAME = 255
"""Characters of a frame name; a longer one is no name that anybody gave."""


def shortened(text: str, longest: int = LONGEST) -> str:
    """The text on one line, with its length in place of what is left out."""
    kept = text[:longest]
    if not kept.isprintable():
        kept = ''.join(character if character.isprintable() else '\N{REPLACEMENT CHARACTER}' for character in kept)
    return kept if len(text) <= longest else f'{kept}... ({len(text)} characters)'


def frame_name(text: str) -> str:
    """A frame without slashes at its ends and without empty parts, as TF has it: '//a//b/' is 'a/b'."""
    return '/'.join(part for part in text.split('/') if part)


def is_frame_name(text: str) -> bool:
    """Whether TF can carry it: not empty, printable and of a length that somebody may have typed."""
    return 0 < len(text) <= LONGEST_FRAME and text.isprintable() and frame_name(text) == text


def class_key(text: str) -> str:
    """A class id without regard to case and to what joins its words: 'Right Hand' and 'right_hand' are the same."""
    return re.sub(r'[\s_-]+', '', text[:LONGEST]).lower()
