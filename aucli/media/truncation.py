"""Is a file shorter than its own structure says? The containers' outer lengths tell, exactly.

A frame count or duration in a header may be wrong in a healthy file (edit lists, variable frame rate,
longer sound); the length of the outermost boxes may not.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

ISO_FIRST_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp", b"moof", b"pnot"}
EBML_HEADER, MATROSKA_SEGMENT = 0x1A45DFA3, 0x18538067
TS_SYNC = 0x47


def missing_bytes(path: Path) -> int:
    """Bytes that lack at the end, at least: 0 if the file is whole or its container does not say.

    Matroska/WebM and AVI by their whole length; MP4/MOV by the box in which they end; a transport stream
    by its incomplete last packet. A cut exactly between two boxes or packets cannot be seen.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        head = _read(file, 0, 400)
        if head[4:8] in ISO_FIRST_BOXES:
            return max(0, _end_of_iso_boxes(file, size) - size)
        if int.from_bytes(head[:4], "big") == EBML_HEADER:
            return max(0, _end_of_matroska(head) - size)
        if head[:4] == b"RIFF":
            missing = _end_of_riff(file, size) - size
            # Some writers count the 8 bytes of the chunk's own header too, or leave out the padding.
            return missing if missing > 8 else 0
        for length, offset in ((188, 0), (192, 4)):  # .ts, .m2ts
            if len(head) > length + offset and head[offset] == head[offset + length] == TS_SYNC:
                return -size % length
    return 0


def _read(file: BinaryIO, position: int, length: int) -> bytes:
    file.seek(position)
    return file.read(length)


def _end_of_iso_boxes(file: BinaryIO, size: int) -> int:
    """Where the last box ends. ISO/IEC 14496-12, 4.2: size, type; 1: 64-bit size follows; 0: to the end."""
    end = 0
    while end + 8 <= size:
        header = _read(file, end, 16)
        length = int.from_bytes(header[:4], "big")
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if length < 8 or not header[4:8].isalnum():
            break  # up to the end of the file, or padding behind the last box
        end += length
    # Less than a header is left: it was cut there, unless it is padding.
    return end + 8 if end < size < end + 8 and any(_read(file, end, 8)) else end


def _end_of_matroska(head: bytes) -> int:
    """Where the segment ends. RFC 8794: identifier and length, each led by the count of its own bytes."""
    position = 0
    while True:
        identifier, position, _ = _vint(head, position, keep_marker=True)
        length, position, unknown = _vint(head, position, keep_marker=False)
        if unknown or position >= len(head):
            return 0  # written live, or a header of unusual length
        position += length
        if identifier == MATROSKA_SEGMENT:
            return position


def _vint(data: bytes, position: int, *, keep_marker: bool) -> tuple[int, int, bool]:
    """A variable-length integer: its value, where it ends, and whether it means `unknown`."""
    first = data[position] if position < len(data) else 0
    length = 9 - first.bit_length()
    value = int.from_bytes(data[position : position + length], "big")
    largest = (1 << 7 * length) - 1
    if length == 9 or keep_marker:
        return value, position + length, length == 9
    return value & largest, position + length, value & largest == largest


def _end_of_riff(file: BinaryIO, size: int) -> int:
    """Where the last RIFF chunk ends: large AVI files (OpenDML) are several in a row."""
    end = 0
    while end + 12 <= size:
        header = _read(file, end, 12)
        length = int.from_bytes(header[4:8], "little")
        if header[:4] != b"RIFF" or length in (0, 0xFFFFFFFF):
            break  # something behind the last chunk, or a length that was never filled in
        end += 8 + length + length % 2
    return end
