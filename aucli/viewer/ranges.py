"""Byte ranges of a file, as a video player asks for them (RFC 9110, section 14)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RANGE = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*", re.ASCII)


@dataclass(frozen=True)
class ByteRange:
    """Bytes first to last of a file, both included."""

    first: int
    last: int

    @property
    def length(self) -> int:
        return self.last - self.first + 1


class RangeNotSatisfiableError(ValueError):
    """No byte of the file lies in the range: the answer is 416."""


def parse_range(header: str | None, size: int) -> ByteRange | None:
    """What a `Range` header asks of a file of `size` bytes; None: all of it.

    Several ranges, another unit and what cannot be understood are answered with the whole file, as the RFC
    allows.

    Raises:
        RangeNotSatisfiableError: it begins behind the end, or asks for the last 0 bytes.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        length = min(int(match[2]), size)
        if length == 0:
            raise RangeNotSatisfiableError
        return ByteRange(size - length, size - 1)
    first = int(match[1])
    if match[2] and int(match[2]) < first:
        return None
    if first >= size:
        raise RangeNotSatisfiableError
    return ByteRange(first, min(int(match[2]), size - 1) if match[2] else size - 1)
