"""Seeded damage to media files: bit flips, cuts, noise, and surgery on the boxes that containers are made of.

`mutate(content, random)` picks one kind; the same content and the same state of `random` give the same file.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Random = np.random.Generator

# ISO/IEC 14496-12: boxes that hold nothing but boxes.
_HOLD_BOXES = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"mvex", b"moof", b"traf"}
_HEADER = 8


@dataclass(frozen=True)
class Box:
    """Where a box lies: `start` to `end` with its header of 8 bytes."""

    start: int
    end: int
    name: bytes


def boxes(content: bytes, start: int = 0, end: int | None = None) -> list[Box]:
    """All boxes of an MP4 or MOV, those inside others too; none of another file."""
    end = len(content) if end is None else end
    found = []
    while start + _HEADER <= end:
        size, name = struct.unpack_from(">I4s", content, start)
        if size < _HEADER or start + size > end or not name.isalnum():
            break
        found.append(Box(start, start + size, name))
        if name in _HOLD_BOXES:
            found += boxes(content, start + _HEADER, start + size)
        start += size
    return found


def flip_bits(content: bytes, random: Random) -> bytes:
    """1 to 64 bits anywhere."""
    changed = np.frombuffer(content, np.uint8).copy()
    places = random.integers(len(changed), size=int(random.integers(1, 65)))
    changed[places] ^= (1 << random.integers(0, 8, len(places))).astype(np.uint8)
    return changed.tobytes()


def flip_bits_of_the_header(content: bytes, random: Random) -> bytes:
    """1 to 16 bits in the first or last 2 kB, where containers keep what they say of themselves."""
    length = min(2048, len(content))
    if random.integers(2):
        return flip_some(content[:length], random) + content[length:]
    return content[:-length] + flip_some(content[-length:], random)


def flip_some(content: bytes, random: Random) -> bytes:
    changed = np.frombuffer(content, np.uint8).copy()
    for _ in range(int(random.integers(1, 17))):
        changed[random.integers(len(changed))] ^= np.uint8(1 << random.integers(8))
    return changed.tobytes()


def cut_end(content: bytes, random: Random) -> bytes:
    return content[: int(random.integers(1, len(content)))]


def cut_middle(content: bytes, random: Random) -> bytes:
    start, end = sorted(random.integers(0, len(content), 2).tolist())
    return content[:start] + content[end:] or content[:1]


def overwrite(content: bytes, random: Random) -> bytes:
    """Zeros or noise over up to a quarter."""
    start = int(random.integers(len(content)))
    length = min(int(random.integers(1, max(2, len(content) // 4))), len(content) - start)
    patch = random.bytes(length) if random.integers(2) else bytes(length)
    return content[:start] + patch + content[start + length :]


def repeat(content: bytes, random: Random) -> bytes:
    """A stretch stands there twice, the second time elsewhere."""
    start, end = sorted(random.integers(0, len(content), 2).tolist())
    place = int(random.integers(len(content)))
    return content[:place] + content[start:end] + content[place:]


def extreme_number(content: bytes, random: Random) -> bytes:
    """Four bytes in a row become 0, -1, or the largest or smallest that fits."""
    place = int(random.integers(max(1, len(content) - 4)))
    values = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFE)
    order = ">I" if random.integers(2) else "<I"
    return content[:place] + struct.pack(order, values[random.integers(len(values))]) + content[place + 4 :]


def drop_box(content: bytes, random: Random) -> bytes:
    box = _one_box(content, random)
    return cut_middle(content, random) if box is None else content[: box.start] + content[box.end :]


def double_box(content: bytes, random: Random) -> bytes:
    box = _one_box(content, random)
    if box is None:
        return repeat(content, random)
    return content[: box.end] + content[box.start : box.end] + content[box.end :]


def swap_boxes(content: bytes, random: Random) -> bytes:
    one, other = _one_box(content, random), _one_box(content, random)
    if one is None or other is None:
        return repeat(content, random)
    first, second = sorted((one, other), key=lambda box: box.start)
    if first.end > second.start:  # the same, or one in the other
        return drop_box(content, random)
    return b"".join(
        (
            content[: first.start],
            content[second.start : second.end],
            content[first.end : second.start],
            content[first.start : first.end],
            content[second.end :],
        )
    )


def damage_inside_box(content: bytes, random: Random) -> bytes:
    """Flips in one of the small boxes: tables of times, sizes and places, edit lists, codec headers."""
    small = [box for box in boxes(content) if box.name not in _HOLD_BOXES and box.name != b"mdat"]
    if not small:
        return flip_bits_of_the_header(content, random)
    box = small[random.integers(len(small))]
    inside = content[box.start + _HEADER : box.end]
    if not inside:
        return drop_box(content, random)
    return content[: box.start + _HEADER] + flip_some(inside, random) + content[box.end :]


def resize_box(content: bytes, random: Random) -> bytes:
    """A box claims another length."""
    box = _one_box(content, random)
    if box is None:
        return extreme_number(content, random)
    sizes = (0, 1, 7, 8, box.end - box.start - 1, box.end - box.start + 1, 2**31, 2**32 - 1)
    size = struct.pack(">I", sizes[random.integers(len(sizes))])
    return content[: box.start] + size + content[box.start + 4 :]


def _one_box(content: bytes, random: Random) -> Box | None:
    found = boxes(content)
    return found[random.integers(len(found))] if found else None


MUTATIONS: dict[str, Callable[[bytes, Random], bytes]] = {
    mutation.__name__: mutation
    for mutation in (
        flip_bits,
        flip_bits_of_the_header,
        cut_end,
        cut_middle,
        overwrite,
        repeat,
        extreme_number,
        drop_box,
        double_box,
        swap_boxes,
        damage_inside_box,
        resize_box,
    )
}


def mutate(content: bytes, random: Random) -> tuple[bytes, str]:
    """The damaged file, and the name of what was done to it."""
    name = list(MUTATIONS)[random.integers(len(MUTATIONS))]
    return MUTATIONS[name](content, random), name
