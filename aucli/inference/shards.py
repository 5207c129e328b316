"""Which of the inputs are one shard's: `--shard I/N`, for machines that know nothing of each other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from aucli.datatypes import Shard, Source
from aucli.media.kinds import is_picture_name
from aucli.sinks.share import Share


def divide(sources: Sequence[Source], shard: Shard) -> Share:
    """The share of one shard: every source is in exactly one, and all have about as many bytes.

    Depends on the names and sizes of the sources and their order, on nothing of the machine: each shard
    finds out by itself who does what. Largest first, each to the shard that has least (Graham 1969,
    longest processing time first: at most 4/3 of the best division).
    """
    sizes = [source_bytes(source) for source in sources]
    loads = [(0, 0, number) for number in range(1, shard.count + 1)]  # bytes, sources, number
    owners = [0] * len(sources)
    for position in sorted(range(len(sources)), key=lambda place: (-sizes[place], place)):
        size, count, number = min(loads)
        loads[number - 1] = (size + sizes[position], count + 1, number)
        owners[position] = number
    who = [
        (source.name, source.kind, source.subject, source.start_seconds, source.end_seconds, owner)
        for source, owner in zip(sources, owners, strict=True)
    ]
    return Share(
        shard.number,
        shard.count,
        tuple(place for place, owner in enumerate(owners) if owner == shard.number),
        len(sources),
        hashlib.sha256(json.dumps([shard.count, who]).encode()).hexdigest(),
    )


def source_bytes(source: Source) -> int:
    """Size of the file, or of all pictures of a folder together; 0 for what cannot be read."""
    if source.remote is not None:
        return source.remote.size
    try:
        if source.kind == "image_folder":
            return sum(_file_bytes(path) for path in source.path.iterdir() if is_picture_name(path.name))
        return _file_bytes(source.path)
    except OSError:
        return 0


def _file_bytes(path: Path) -> int:
    return path.stat().st_size
