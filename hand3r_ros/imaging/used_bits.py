"""Number of significant bits in 16-bit images: 10 and 12 bit sensors leave the upper bits empty, which looks black."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BIT_DEPTHS = (8, 10, 12, 14, 16)
"""What sensors have."""
STRAY_FRACTION = 1e-4
"""Part of the values that may lie above the used range: those of damaged lines and hot pixels."""


class UsedBits:
    """Brings the 16 bit images of one stream to 8 bits, in the same way from image to image.

    The first image says how many bits are used. The range grows when two images after each other go beyond it, never
    because of one that is damaged, and never shrinks: a scene that gets dark is to look dark.
    """

    def __init__(self) -> None:
        self.detected = 0  # 0: no 16 bit image yet
        self._kind = ''
        self._outgrown_by = 0  # bits of the image before, if they were more

    def forget(self) -> None:
        """Begin as with the first image."""
        self.restore(0, '', 0)

    def to_8_bit(self, pixels: NDArray[np.uint16], kind: str = '', given: int = 0) -> NDArray[np.uint8]:
        """The same shape in 8 bits; what lies above the range is white.

        Args:
            pixels: values counted from the lowest bit.
            kind: encoding and alike; another one is another camera.
            given: bits that are used, 8 to 16; 0 detects them.

        """
        bits = given or self._detect(pixels, kind)
        if bits == 16:
            return (pixels >> 8).astype(np.uint8)
        return np.asarray(np.minimum(pixels >> (bits - 8), 255), np.uint8)

    @property
    def note(self) -> str:
        """What a user should know about a range that was detected and is not the whole one; else empty."""
        if self.detected in (0, 16):
            return ''
        return (
            f'16 bit images use {self.detected} bits: values 0 to {2**self.detected - 1} are shown from black to white '
            '(set image_bits if the sensor has another range)'
        )

    def memory(self) -> tuple[int, str, int]:
        """All that the next image depends on."""
        return self.detected, self._kind, self._outgrown_by

    def restore(self, detected: int, kind: str, outgrown_by: int) -> None:
        """Restores what ``memory`` gave."""
        self.detected, self._kind, self._outgrown_by = detected, kind, outgrown_by

    def _detect(self, pixels: NDArray[np.uint16], kind: str) -> int:
        if kind != self._kind:
            self.restore(0, kind, 0)
        if self.detected == 16:
            return 16
        needed = _bits_of(pixels, self.detected or BIT_DEPTHS[0])
        if not self.detected:
            self.detected = needed
        elif needed <= self.detected:
            self._outgrown_by = 0
        elif self._outgrown_by:
            self.detected, self._outgrown_by = min(needed, self._outgrown_by), 0
        else:
            self._outgrown_by = needed
        return self.detected


def _bits_of(pixels: NDArray[np.uint16], least: int) -> int:
    """The smallest depth from ``least`` on that holds all values but a few strays."""
    largest = int(pixels.max(initial=0))
    for bits in BIT_DEPTHS:
        if bits < least:
            continue
        beyond = 0 if largest < 1 << bits else np.count_nonzero(pixels >= 1 << bits)
        if beyond <= STRAY_FRACTION * pixels.size:
            return bits
    return BIT_DEPTHS[-1]
