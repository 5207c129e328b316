"""A few words about a video at the very end of its file, where no player looks, written once it is finished.

What the metadata of a container says has to be known before its first picture; this may be known last. In
MP4 and MOV it is a `uuid` box, which ISO/IEC 14496-12 (11.1) keeps for others; in Matroska a Void element
behind the segment (RFC 8794, 11.3.2). Both end in the same way, so that it is found from the end. A file that
was cut off has lost it.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from aucli.plain_json import read_json

_OURS = UUID("8f6f2b0e-0d5c-4d0e-9a55-2f1c8f7a9c31").bytes
_TAIL = struct.Struct(">I16s")  # bytes of the text, and by what it is known
_LARGEST = 1 << 20


def attach(file: BinaryIO, container: str, values: Mapping[str, Any]) -> None:
    """Write plain JSON values behind the finished video; container: FFmpeg's name, mp4, mov or matroska."""
    text = json.dumps(dict(values), ensure_ascii=False).encode()
    body = text + _TAIL.pack(len(text), _OURS)
    if container == "matroska":
        head = b"\xec" + (len(body) | 1 << 56).to_bytes(8, "big")  # 1 in front: a length of 8 bytes
    else:
        head = struct.pack(">I4s", 8 + len(_OURS) + len(body), b"uuid") + _OURS
    file.seek(0, os.SEEK_END)
    file.write(head + body)


def attached(path: Path) -> dict[str, Any] | None:
    """What `attach` wrote; None where it did not, or the end of the file is missing."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - _TAIL.size))
            length, known = _TAIL.unpack(file.read(_TAIL.size))
            if known != _OURS or length > min(_LARGEST, end - _TAIL.size):
                return None
            file.seek(end - _TAIL.size - length)
            values = read_json(file.read(length))
    except (OSError, struct.error, ValueError):
        return None
    return values if isinstance(values, dict) else None
